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
pub(super) struct Groups {
    /// By what they say, the places of leaders.
    words: HashMap<String, usize, RandomState>,
    memories: HashMap<u128, usize, RandomState>,
    /// By what they were drawn from.
    sources: HashMap<u128, usize, RandomState>,
}

impl Groups {
    /// The place of the leader with whom a record belongs. If there is none, it leads a group of its own at `place`.
    pub(super) fn join(&mut self, record: &RecordBytes, place: usize) -> Option<usize> {
        let (id, words) = (record.memory_id(), words_of(record));
        let drawn_from = || {
            record
                .source_ids()
                .into_iter()
                .filter_map(|source| parse_memory_id(source).ok())
        };
        let of_sources = drawn_from().filter_map(|source| self.memories.get(&source));
        let leaders = self.words.get(&words).into_iter();
        let leaders = leaders.chain(self.sources.get(&id)).chain(of_sources);
        if let Some(&best) = leaders.min() {
            return Some(best);
        }
        for source in drawn_from() {
            self.sources.entry(source).or_insert(place);
        }
        self.words.insert(words, place);
        self.memories.insert(id, place);
        None
    }
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
