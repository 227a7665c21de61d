//! Which of the ranked candidates take a rank: those that say the same share one.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::partition::{RecordBytes, parse_memory_id};
use crate::text::fold;

/// The groups of a search, each led by its best hit. A hit belongs to the best leader that
///
/// * has the same words of the same speaker, whatever their case and marks, or
/// * is a fact that was drawn from it, or
/// * is a memory that it was drawn from.
///
/// Only leaders gather: two facts drawn from one message are two things, unless the message itself came first.
#[derive(Default)]
pub(super) struct Groups<'a> {
    /// Leaders by the sum of what they say: few texts that differ have the same, and spelling texts out takes as long as a
    /// small search.
    words: HashMap<u32, Vec<(usize, &'a RecordBytes)>, RandomState>,
    memories: HashMap<u128, usize, RandomState>,
    /// By what they were drawn from.
    sources: HashMap<u128, usize, RandomState>,
}

impl<'a> Groups<'a> {
    /// The place of the leader with whom a record belongs. If there is none, it leads a group of its own at `place`.
    pub(super) fn join(&mut self, record: &'a RecordBytes, place: usize) -> Option<usize> {
        let id = record.memory_id();
        let drawn_from = || {
            record
                .source_ids()
                .into_iter()
                .filter_map(|source| parse_memory_id(source).ok())
        };
        let alike = self.words.entry(sum_of(record)).or_default();
        let same_words = (!alike.is_empty()).then(|| {
            let words = words_of(record);
            let mut same = alike.iter().filter(|(_, other)| words_of(other) == words);
            same.next().map(|(leader, _)| leader)
        });
        let of_sources = drawn_from().filter_map(|source| self.memories.get(&source));
        let leaders = same_words.flatten().into_iter();
        let leaders = leaders.chain(self.sources.get(&id)).chain(of_sources);
        if let Some(&best) = leaders.min() {
            return Some(best);
        }
        for source in drawn_from() {
            self.sources.entry(source).or_insert(place);
        }
        alike.push((place, record));
        self.memories.insert(id, place);
        None
    }
}

/// A sum that is the same for all texts with the same words of the same speaker.
fn sum_of(record: &RecordBytes) -> u32 {
    let of_folded = |text: &str| {
        let worth = |byte: u8| {
            let lower = byte.to_ascii_lowercase();
            let counts = u32::from(lower.is_ascii_alphanumeric());
            counts * (u32::from(lower) * u32::from(lower) + 1)
        };
        text.bytes().map(worth).fold(0, u32::wrapping_add)
    };
    let of = |text: &str| {
        if text.is_ascii() {
            of_folded(text)
        } else {
            of_folded(&fold(text))
        }
    };
    of(record.name())
        .wrapping_mul(31)
        .wrapping_add(of(record.body()))
}

/// The speaker and the words, in one spelling; marks alone count as they are.
fn words_of(record: &RecordBytes) -> String {
    let (mut words, body) = (fold(record.name()), fold(record.body()));
    words.push('\n');
    let begin = words.len();
    for word in body.split(|character: char| !character.is_alphanumeric()) {
        if !word.is_empty() {
            words.push_str(word);
            words.push(' ');
        }
    }
    if words.len() == begin {
        words.push_str(&body);
    }
    words
}
