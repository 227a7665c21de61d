//! The actor signal: the query names the one who spoke.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::sources::{SourceRow, Sources};
use crate::entity::{named_speakers, normalize_name};

/// How many records ahead of the one in hand are asked for.
const RECORDS_AHEAD: usize = 8;

/// Whether each row is of the speaker whom the query names first. None if it names none of those who speak in these rows, or
/// joins two: a question about two is as well about the one as about the other.
pub(super) fn spoken_by_named(
    sources: &Sources,
    rows: &[SourceRow],
    query: &str,
) -> Option<Vec<bool>> {
    // By the name as it is written.
    let mut known: HashMap<&str, usize, RandomState> = HashMap::default();
    let mut written: Vec<&str> = Vec::new();
    let mut names: Vec<usize> = Vec::with_capacity(rows.len());
    let mut ahead = rows.iter();
    let next = ahead.by_ref().take(RECORDS_AHEAD);
    next.for_each(|&row| sources.prefetch_name(row));
    for &row in rows {
        if let Some(&row) = ahead.next() {
            sources.prefetch_name(row);
        }
        let (segment, place) = sources.place(row);
        let name = segment.record(place).name();
        // Mostly the same few take turns.
        let last = names.last().filter(|&&last| written[last] == name);
        names.push(match last {
            Some(&last) => last,
            None => *known.entry(name).or_insert_with(|| {
                written.push(name);
                written.len() - 1
            }),
        });
    }
    let folded: Vec<Option<String>> = written.iter().map(|name| normalize_name(name)).collect();
    let mut speakers: Vec<&str> = folded.iter().flatten().map(String::as_str).collect();
    speakers.sort_unstable();
    speakers.dedup();
    let named = named_speakers(query, &speakers);
    let [named] = named.as_slice() else {
        return None;
    };
    let is_named = |name: &usize| folded[*name].as_deref() == Some(speakers[*named]);
    Some(names.iter().map(is_named).collect())
}
