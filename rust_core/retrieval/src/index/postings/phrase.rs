//! Quoted phrases: rows whose text has the phrase's terms next to each other are lifted.

use super::cursor::Cursor;
use crate::partition::segment::RowNumber;
use crate::partition::view::View;
use crate::text::{QueryTerms, analyze};

/// A phrase of a query.
pub(super) struct Phrase {
    /// Its terms with their positions.
    places: Vec<(String, u32)>,
    /// Its terms by their places in the query, each once.
    pub(super) keys: Vec<usize>,
    /// What a row that has it gets: as much as its terms can be worth at most. So it comes before every row that has
    /// the terms only, however often.
    pub(super) lift: f32,
}

impl Phrase {
    /// The phrases of a query, but for those with an unknown term; `most` says what a term can be worth.
    pub(super) fn of(terms: &QueryTerms, most: impl Fn(usize) -> Option<f32>) -> Vec<Self> {
        let words: Vec<&str> = terms.iter().collect();
        let phrases = terms.phrases().iter().filter_map(|phrase| {
            let mut keys: Vec<usize> = phrase.places.iter().map(|&(key, _)| key).collect();
            keys.sort_unstable();
            keys.dedup();
            let lift = keys.iter().map(|&key| most(key)).sum::<Option<f32>>()?;
            let place = |&(key, position): &(usize, u32)| (words[key].to_owned(), position);
            let places = phrase.places.iter().map(place).collect();
            Some(Self { places, keys, lift })
        });
        phrases.collect()
    }

    /// Whether a row has it.
    pub(super) fn is_in(&self, view: &View, row: RowNumber) -> bool {
        let record = view.record(row);
        let (name, body) = (record.name(), record.body());
        if name.is_empty() {
            return self.is_in_text(body);
        }
        self.is_in_text(&format!("{name}: {body}"))
    }

    fn is_in_text(&self, text: &str) -> bool {
        let all = u64::MAX >> (64 - self.places.len());
        let longest = self.places.last().map_or(0, |&(_, offset)| offset);
        // Where the phrase would begin, and which of its terms have been seen where they should be then.
        let mut begun: Vec<(u32, u64)> = Vec::new();
        let mut is_there = false;
        analyze(text, &mut |term, position| {
            for (place, (wanted, offset)) in self.places.iter().enumerate() {
                if term != wanted || position < *offset {
                    continue;
                }
                begun.retain(|(begin, _)| begin + longest >= position);
                let begin = position - offset;
                let known = begun.iter().position(|(known, _)| *known == begin);
                let known = known.unwrap_or_else(|| {
                    begun.push((begin, 0));
                    begun.len() - 1
                });
                begun[known].1 |= 1 << place;
                is_there |= begun[known].1 == all;
            }
        });
        is_there
    }
}

/// The rows below a limit that are in every one of some lists, ascending.
pub(super) fn shared_rows(lists: &mut [Cursor<'_, '_>]) -> Vec<RowNumber> {
    let mut rows = Vec::new();
    let Some((first, others)) = lists.split_first_mut() else {
        return rows;
    };
    let mut before = RowNumber::MAX;
    while let Some(posting) = first.pass(before) {
        before = posting.row;
        if others.iter_mut().all(|other| other.find(before).is_some()) {
            rows.push(before);
        }
    }
    rows.reverse();
    rows
}
