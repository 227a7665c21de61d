//! The actor signal: the query names the one who spoke.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::sources::{SourceRow, Sources};
use crate::entity::{named_speakers, normalize_name};

/// How many records ahead of the one in hand are asked for.
const RECORDS_AHEAD: usize = 8;

/// The speaker whom a query names.
pub(super) struct NamedSpeaker {
    /// As [`normalize_name`] folds it.
    name: String,
}

impl NamedSpeaker {
    /// The one whom the query names, and whether each row is his. None unless it names exactly one of those who speak in
    /// these rows: a question that names two is as well about the one as about the other.
    pub(super) fn of(
        sources: &Sources,
        rows: &[SourceRow],
        query: &str,
    ) -> Option<(Self, Vec<bool>)> {
        if query.is_empty() {
            return None;
        }
        let (written, names) = names_of(sources, rows);
        let folded: Vec<Option<String>> = written.iter().map(|name| normalize_name(name)).collect();
        let mut speakers: Vec<&str> = folded.iter().flatten().map(String::as_str).collect();
        speakers.sort_unstable();
        speakers.dedup();
        let [named] = *named_speakers(query, &speakers).as_slice() else {
            return None;
        };
        let name = speakers[named].to_owned();
        let is_named = |name_of_row: &usize| folded[*name_of_row].as_deref() == Some(&name);
        let spoken = names.iter().map(is_named).collect();
        Some((Self { name }, spoken))
    }

    /// Whether each of other rows is of this speaker.
    pub(super) fn has_spoken(&self, sources: &Sources, rows: &[SourceRow]) -> Vec<bool> {
        let (written, names) = names_of(sources, rows);
        let is_named = |name: &&str| normalize_name(name).as_deref() == Some(&self.name);
        let named: Vec<bool> = written.iter().map(is_named).collect();
        names.iter().map(|&name| named[name]).collect()
    }
}

/// The names of those who speak in some rows as they are written, each once, and which of them each row has.
fn names_of<'a>(sources: &'a Sources, rows: &[SourceRow]) -> (Vec<&'a str>, Vec<usize>) {
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
    (written, names)
}
