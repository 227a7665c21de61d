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
    by_words: HashMap<String, usize, RandomState>,
    by_id: HashMap<u128, usize, RandomState>,
    /// By what they were drawn from.
    by_source: HashMap<u128, usize, RandomState>,
}

impl Groups {
    /// The place of the leader with whom a record belongs. If there is none, it leads a group of its own at `place`.
    pub(super) fn join(&mut self, record: &RecordBytes, place: usize) -> Option<usize> {
        let (id, words) = (record.memory_id(), words_of(record));
        let sources = || record.source_ids().into_iter().map(parse_memory_id);
        let mut leaders: Vec<usize> = Vec::new();
        leaders.extend(self.by_words.get(&words));
        leaders.extend(self.by_source.get(&id));
        leaders.extend(
            sources()
                .flatten()
                .filter_map(|source| self.by_id.get(&source)),
        );
        if let Some(&best) = leaders.iter().min() {
            return Some(best);
        }
        self.by_words.insert(words, place);
        self.by_id.insert(id, place);
        for source in sources().flatten() {
            self.by_source.entry(source).or_insert(place);
        }
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
