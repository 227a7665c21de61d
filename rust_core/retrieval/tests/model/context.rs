//! The context of messages as the documentation defines it, looked for anew for every row.

use std::collections::BTreeSet;

use mnemic_retrieval::fusion::SIGNALS;
use mnemic_retrieval::text::{Bm25, terms};

use crate::reference::{Model, ModelRow, Question, cosine, normalized};

const REACH: usize = 3;
const ENOUGH_TERMS: usize = 60;
const HALF_AN_HOUR: u64 = 30 * 60 * 1_000_000;
const BEFORE: [f64; REACH] = [0.6, 0.35, 0.2];
const AFTER: [f64; REACH] = [0.36, 0.21, 0.12];
const MESSAGE: u8 = 1;

/// The rows of a window, each with what its cosine counts.
type Window<'a> = Vec<(&'a ModelRow, f64)>;

impl Model {
    /// The versions that speak for the messages of a row's conversation, in order.
    fn conversation(&self, question: &Question, row: &ModelRow) -> Vec<&ModelRow> {
        let belongs = |other: &&ModelRow| {
            other.partition == row.partition
                && other.memory.scope == row.memory.scope
                && other.memory.kind == MESSAGE
                && other.is_readable(question)
        };
        let mut all: Vec<&ModelRow> = self.rows.iter().filter(belongs).collect();
        all.sort_by_key(|other| (message_of(other), other.memory.version));
        let groups = all.chunk_by(|a, b| message_of(a) == message_of(b));
        groups
            .filter_map(|versions| versions.last().copied())
            .collect()
    }

    /// Up to `most` messages before a row and after it, the nearest first.
    pub(crate) fn sides(
        &self,
        question: &Question,
        row: &ModelRow,
        most: usize,
    ) -> [Vec<&ModelRow>; 2] {
        if row.memory.kind != MESSAGE {
            return [Vec::new(), Vec::new()];
        }
        let conversation = self.conversation(question, row);
        let time = |row: &ModelRow| row.memory.recency_time_micros();
        let is_near = |other: &&ModelRow| {
            row.memory.scope.session_id.is_some() || time(other).abs_diff(time(row)) <= HALF_AN_HOUR
        };
        let all = conversation.iter().copied();
        let before = all
            .clone()
            .rev()
            .filter(|other| message_of(other) < message_of(row));
        let after = all.filter(|other| message_of(other) > message_of(row));
        [
            before.take_while(is_near).take(most).collect(),
            after.take_while(is_near).take(most).collect(),
        ]
    }

    /// The window of a row.
    fn window<'a>(&'a self, question: &Question, row: &'a ModelRow) -> Window<'a> {
        let mut window = vec![(row, 1.0)];
        let sides = self.sides(question, row, REACH);
        let mut length = length_of(row);
        for distance in 0..REACH {
            for (side, shares) in sides.iter().zip([BEFORE, AFTER]) {
                if let Some(&next) = side.get(distance).filter(|_| length < ENOUGH_TERMS) {
                    window.push((next, shares[distance]));
                    length += length_of(next);
                }
            }
        }
        window
    }

    /// Whether a row speaks for its message.
    fn speaks(&self, question: &Question, row: &ModelRow) -> bool {
        let conversation = self.conversation(question, row);
        conversation
            .into_iter()
            .any(|other| std::ptr::eq(other, row))
    }

    /// Whether the context of messages counts.
    pub(crate) fn has_context(&self, question: &Question) -> bool {
        question.weights[6] > 0.0 && (self.has_words(question) || vector_of(question).is_some())
    }

    fn has_words(&self, question: &Question) -> bool {
        question.weights[1] > 0.0 && !self.query_terms(question).is_empty()
    }

    /// The rows whose context has a seed become candidates, and every candidate gets its context.
    pub(crate) fn add_context(
        &self,
        question: &Question,
        selected: &[&ModelRow],
        seeds: &BTreeSet<usize>,
        signals: &mut [[Option<f64>; SIGNALS]],
        pool: &mut BTreeSet<usize>,
    ) {
        let query = self.query_terms(question);
        let (has_words, vector) = (self.has_words(question), vector_of(question));
        let windows: Vec<Window<'_>> = selected
            .iter()
            .map(|row| self.window(question, row))
            .collect();
        let found: Vec<&ModelRow> = seeds.iter().map(|&row| selected[row]).collect();
        let is_found = |row: &ModelRow| found.iter().any(|other| std::ptr::eq(*other, row));
        pool.extend((0..selected.len()).filter(|&row| {
            self.speaks(question, selected[row])
                && windows[row].iter().any(|(member, _)| is_found(member))
        }));
        let length = |row: usize| {
            windows[row]
                .iter()
                .map(|(row, _)| length_of(row))
                .sum::<usize>()
        };
        let average = pool.iter().map(|&row| length(row)).sum::<usize>() as f64 / pool.len() as f64;
        let current = self.current(question);
        let words_of = |row: usize| {
            let texts = windows[row].iter().flat_map(|(row, _)| row.text());
            let text: Vec<String> = texts.collect();
            let of_term = |term: &String| {
                let frequency = text.iter().filter(|other| *other == term).count();
                let with_term = current
                    .iter()
                    .filter(|row| row.text().contains(term))
                    .count();
                let bm25 = Bm25::default();
                let idf = bm25.idf(current.len() as u64, with_term as u64);
                let (frequency, length) = (frequency as u32, length(row) as u32);
                f64::from(bm25.term_score(idf, frequency, length, average as f32))
            };
            Some(query.iter().map(of_term).sum::<f64>())
        };
        let meaning_of = |row: usize| {
            let cosines = windows[row].iter().filter_map(|(member, share)| {
                Some((*share, cosine(vector?, member.vector.as_ref()?)))
            });
            let (shares, sum) = cosines.fold((0.0, 0.0), |(shares, sum), (share, cosine)| {
                (shares + share, sum + share * cosine)
            });
            (shares > 0.0).then_some(sum / shares)
        };
        let mut parts: Vec<(usize, Vec<Option<f64>>)> = Vec::new();
        if has_words {
            parts.push((1, pool.iter().map(|&row| words_of(row)).collect()));
        }
        if vector.is_some() {
            parts.push((0, pool.iter().map(|&row| meaning_of(row)).collect()));
        }
        for (place, &row) in pool.iter().enumerate() {
            let normalized = parts.iter().map(|(signal, column)| {
                let present: Vec<f64> = column.iter().copied().flatten().collect();
                normalized(*signal, column[place], &present)
            });
            signals[row][6] = Some(normalized.sum::<f64>() / parts.len() as f64);
        }
    }
}

/// The vector that counts.
fn vector_of(question: &Question) -> Option<&Vec<f32>> {
    let vector = question.vector.as_ref();
    vector.filter(|_| question.weights[0] > 0.0)
}

/// What the versions of a message have in common, in the order of the conversation.
fn message_of(row: &ModelRow) -> (i64, u128) {
    (row.memory.create_time_micros, row.memory.memory_id)
}

fn length_of(row: &ModelRow) -> usize {
    terms(&row.memory.indexed_text()).len()
}
