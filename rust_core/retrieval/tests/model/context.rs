//! The context of messages as the documentation defines it, looked for anew for every row.

use mnemic_retrieval::text::terms;

use crate::reference::{Model, ModelRow, Question};

const REACH: usize = 3;
const ENOUGH_TERMS: usize = 60;
const HALF_AN_HOUR: u64 = 30 * 60 * 1_000_000;
const BEFORE: [f64; REACH] = [0.6, 0.35, 0.2];
const AFTER: [f64; REACH] = [0.36, 0.21, 0.12];
const MESSAGE: u8 = 1;

/// The rows of a window, each with what its cosine counts.
pub(crate) type Window<'a> = Vec<(&'a ModelRow, f64)>;

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
    pub(crate) fn window<'a>(&'a self, question: &Question, row: &'a ModelRow) -> Window<'a> {
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
    pub(crate) fn speaks(&self, question: &Question, row: &ModelRow) -> bool {
        let conversation = self.conversation(question, row);
        conversation
            .into_iter()
            .any(|other| std::ptr::eq(other, row))
    }
}

/// What the versions of a message have in common, in the order of the conversation.
fn message_of(row: &ModelRow) -> (i64, u128) {
    (row.memory.create_time_micros, row.memory.memory_id)
}

pub(crate) fn length_of(row: &ModelRow) -> usize {
    terms(&row.memory.indexed_text()).len()
}
