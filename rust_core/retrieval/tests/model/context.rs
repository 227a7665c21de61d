//! The context of messages as the documentation defines it, looked for anew for every row.

use std::collections::BTreeSet;

use mnemic_retrieval::fusion::SIGNALS;
use mnemic_retrieval::text::{Bm25, ends_in_question, terms};

use crate::reference::{Model, ModelRow, Question, cosine, normalized};

const REACH: usize = 3;
const ENOUGH_TERMS: usize = 75;
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

    /// The rows whose context has a candidate become candidates, too, and every candidate gets its context.
    pub(crate) fn add_context(
        &self,
        question: &Question,
        selected: &[&ModelRow],
        signals: &mut [[Option<f64>; SIGNALS]],
        pool: &mut BTreeSet<usize>,
    ) {
        let query = self.query_terms(question);
        let (has_words, vector) = (self.has_words(question), vector_of(question));
        let windows: Vec<Window<'_>> = selected
            .iter()
            .map(|row| self.window(question, row))
            .collect();
        let found: Vec<&ModelRow> = pool.iter().map(|&row| selected[row]).collect();
        let is_found = |row: &ModelRow| found.iter().any(|other| std::ptr::eq(*other, row));
        pool.extend((0..selected.len()).filter(|&row| {
            self.speaks(question, selected[row])
                && windows[row].iter().any(|(member, _)| is_found(member))
        }));
        let current = self.current(question);
        let idf_of = |term: &String| {
            let with_term = current.iter().filter(|row| row.text().contains(term));
            let with_term = with_term.count() as u64;
            let idf = Bm25::default().idf(current.len() as u64, with_term);
            (f64::from(idf), with_term > 0)
        };
        let known = query.iter().map(idf_of).filter(|(_, is_known)| *is_known);
        let total: f64 = known.map(|(idf, _)| idf).sum();
        let words_of = |texts: &[(&ModelRow, f64)]| {
            let text: BTreeSet<String> = texts.iter().flat_map(|(row, _)| row.text()).collect();
            let sum: f64 = query.intersection(&text).map(|term| idf_of(term).0).sum();
            if total > 0.0 {
                (sum / total).min(1.0)
            } else {
                0.0
            }
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
        let meanings: Vec<Option<f64>> = pool.iter().map(|&row| meaning_of(row)).collect();
        let of_vector = |value, column: &[Option<f64>]| {
            let present: Vec<f64> = column.iter().copied().flatten().collect();
            normalized(0, value, &present)
        };
        let cosines: Vec<Option<f64>> = pool.iter().map(|&row| signals[row][0]).collect();
        let exchanges: Vec<Exchange> = pool.iter().map(|&row| exchange(&windows[row])).collect();
        let has_exchange = exchanges.iter().any(|one| *one != Exchange::Neither);
        for (place, &row) in pool.iter().enumerate() {
            let mut parts = Vec::new();
            if has_words {
                parts.push((0.4, words_of(&windows[row])));
            }
            let own_meaning = of_vector(cosines[place], &cosines);
            if let Some(vector) = vector {
                let of_window = of_vector(meanings[place], &meanings);
                parts.push((0.3, of_window.max(own_meaning)));
                if has_exchange {
                    let worth = match exchanges[place] {
                        Exchange::Asks => 0.0,
                        Exchange::Answers(Some(other)) => {
                            of_vector(Some(cosine(vector, other)), &cosines).clamp(0.0, 1.0)
                        }
                        Exchange::Answers(None) | Exchange::Neither => 0.4,
                    };
                    parts.push((0.3, worth));
                }
            }
            let shares: f64 = parts.iter().map(|(share, _)| share).sum();
            let sum: f64 = parts.iter().map(|(share, value)| share * value).sum();
            // A context is never less than what the message is by itself.
            let least = if has_words && vector.is_some() {
                words_of(&windows[row][..1]).min(own_meaning)
            } else {
                0.0
            };
            signals[row][6] = Some((sum / shares).max(least));
        }
    }
}

/// What the message in the middle of a window is to those next to it.
#[derive(PartialEq)]
enum Exchange<'a> {
    Neither,
    Asks,
    /// With the vector of the question.
    Answers(Option<&'a Vec<f32>>),
}

fn exchange<'a>(window: &Window<'a>) -> Exchange<'a> {
    let at = |share: f64| {
        window
            .iter()
            .find(|(_, of)| of.total_cmp(&share).is_eq())
            .map(|(row, _)| *row)
    };
    let own = window[0].0;
    let is_person = |row: &ModelRow| row.memory.role <= 1 && !row.memory.name.is_empty();
    let is_another = |other: &ModelRow| {
        is_person(own) && is_person(other) && own.memory.name != other.memory.name
    };
    let asks = |row: &ModelRow| ends_in_question(&row.memory.body);
    if asks(own) && at(AFTER[0]).is_some_and(is_another) {
        return Exchange::Asks;
    }
    let question = at(BEFORE[0]).filter(|before| asks(before) && is_another(before));
    question.map_or(Exchange::Neither, |before| {
        Exchange::Answers(before.vector.as_ref())
    })
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
