//! The model: a list of rows, all of them looked at for every question, written without regard to speed.

use std::collections::{BTreeMap, BTreeSet};

use mnemic_retrieval::entity::{find_entities, linked_names, named_speakers, normalize_name};
use mnemic_retrieval::fusion::SIGNALS;
use mnemic_retrieval::partition::MetadataValue;
use mnemic_retrieval::text::{Bm25, terms};
use mnemic_retrieval::time::{QueryTime, Reference, names_a_time};
use mnemic_retrieval::understanding::{TermFrequency, understand};
use mnemic_retrieval::{Close, Memory, ScopeIds, ScopeMatch};

use crate::common::NOW;
use crate::phrases::{has_phrase, phrases};

/// One row of the model.
#[derive(Clone, Debug)]
pub(crate) struct ModelRow {
    pub(crate) partition: usize,
    pub(crate) memory: Memory,
    pub(crate) vector: Option<Vec<f32>>,
    pub(crate) closed: Option<i64>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) rows: Vec<ModelRow>,
    pub(crate) deleted: BTreeMap<(usize, u128), u32>,
}

#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) partition: usize,
    pub(crate) rows: Vec<(Memory, Option<Vec<f32>>)>,
    pub(crate) closes: Vec<Close>,
    pub(crate) then: Then,
}

/// What happens to the partition after a batch; none of it may change an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Then {
    Nothing,
    Compact,
    Upkeep,
    /// Written to a file and opened again.
    Reopen,
}

#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) partitions: Vec<usize>,
    pub(crate) scope: ScopeIds,
    pub(crate) scope_match: ScopeMatch,
    pub(crate) text: String,
    pub(crate) vector: Option<Vec<f32>>,
    pub(crate) filter: Option<u8>,
    pub(crate) as_of: Option<i64>,
    pub(crate) include_superseded: bool,
    pub(crate) top_k: usize,
    pub(crate) weights: [f64; SIGNALS],
    pub(crate) min_score: f64,
    pub(crate) context_window: usize,
}

impl Question {
    /// How many candidates each retriever gives.
    pub(crate) fn wanted(&self) -> usize {
        50.max(4 * self.top_k)
    }

    /// How many candidates get a context, and bring the messages around them.
    fn in_context(&self) -> usize {
        30.max(3 * self.top_k)
    }
}

/// What the model says of one row: its signals, None where it has none.
pub(crate) struct Scored<'a> {
    /// Its place among the selected rows.
    place: usize,
    pub(crate) row: &'a ModelRow,
    pub(crate) signals: [Option<f64>; SIGNALS],
    pub(crate) score: f64,
}

impl ModelRow {
    pub(crate) fn end(&self) -> Option<i64> {
        self.closed.or(self.memory.valid_to_micros)
    }

    /// Whether the time of a question lets it be read.
    pub(crate) fn is_readable(&self, question: &Question) -> bool {
        let at = question.as_of.unwrap_or(NOW);
        let holds = match question.as_of {
            _ if question.include_superseded => question
                .as_of
                .is_none_or(|at| self.memory.valid_from_micros <= at),
            Some(at) => {
                self.memory.valid_from_micros <= at && self.end().is_none_or(|end| at < end)
            }
            None => self.closed.is_none() && self.end().is_none_or(|end| at < end),
        };
        holds
            && self
                .memory
                .expire_time_micros
                .is_none_or(|expire| expire > at)
    }

    fn is_selected(&self, question: &Question) -> bool {
        self.is_readable(question)
            && question.partitions.contains(&self.partition)
            && selects(&question.scope, &self.memory.scope, question.scope_match)
            && question
                .filter
                .is_none_or(|wanted| rating(&self.memory) == Some(i64::from(wanted)))
    }

    pub(crate) fn text(&self) -> Vec<String> {
        terms(&self.memory.indexed_text())
    }

    fn names(&self) -> BTreeSet<String> {
        let mut names: Vec<&str> = find_entities(&self.memory.body);
        names.extend(self.memory.entities.iter().map(String::as_str));
        names.push(&self.memory.name);
        names.into_iter().filter_map(normalize_name).collect()
    }

    /// The newer a row, the greater.
    fn newness(&self) -> (i64, i64, u128, u32) {
        let memory = &self.memory;
        let time = memory
            .event_time_micros
            .unwrap_or(memory.create_time_micros);
        (time, memory.revision, memory.memory_id, memory.version)
    }
}

/// The definition of `Scope.selects` in `mnemic.model.scope`.
fn selects(asked: &ScopeIds, has: &ScopeIds, scope_match: ScopeMatch) -> bool {
    let pairs = [
        (&asked.user_id, &has.user_id),
        (&asked.agent_id, &has.agent_id),
        (&asked.session_id, &has.session_id),
        (&asked.app_id, &has.app_id),
    ];
    match scope_match {
        ScopeMatch::Visible => pairs
            .iter()
            .all(|(asked, has)| has.is_none() || has == asked),
        ScopeMatch::Exact => pairs
            .iter()
            .all(|(asked, has)| asked.is_none() || has == asked),
        ScopeMatch::Tenant => true,
    }
}

fn rating(memory: &Memory) -> Option<i64> {
    memory.metadata.iter().find_map(|(_, value)| match value {
        MetadataValue::Integer(rating) => Some(*rating),
        _ => None,
    })
}

impl Model {
    pub(crate) fn apply(&mut self, batch: &Batch) {
        let place = batch.partition;
        let is = |row: &ModelRow, id, version| {
            row.partition == place && row.memory.memory_id == id && row.memory.version == version
        };
        let before = self.rows.clone();
        for (memory, vector) in &batch.rows {
            let (id, version) = (memory.memory_id, memory.version);
            if self
                .deleted
                .get(&(place, id))
                .is_some_and(|last| version <= *last)
            {
                continue;
            }
            let mut memory = memory.clone();
            if let Some(old) = self.rows.iter().position(|row| is(row, id, version)) {
                let old = self.rows.remove(old);
                memory.valid_to_micros = memory.valid_to_micros.or(old.end());
            }
            self.rows.push(ModelRow {
                partition: place,
                memory,
                vector: vector.clone(),
                closed: None,
            });
        }
        for close in &batch.closes {
            let (id, version) = (close.memory_id, close.version);
            if let Some(valid_to) = close.valid_to_micros {
                if let Some(row) = self.rows.iter_mut().find(|row| is(row, id, version)) {
                    row.closed = row.closed.or(Some(valid_to));
                }
                continue;
            }
            let was_there = |row: &ModelRow| {
                before.iter().any(|old| is(old, id, row.memory.version))
                    && !batch.rows.iter().any(|(memory, _)| {
                        (memory.memory_id, memory.version) == (id, row.memory.version)
                    })
            };
            let gone = |row: &ModelRow| {
                row.partition == place
                    && row.memory.memory_id == id
                    && (row.memory.version <= version || was_there(row))
            };
            let last = self
                .rows
                .iter()
                .filter(|row| gone(row))
                .map(|row| row.memory.version)
                .fold(version, u32::max);
            self.rows.retain(|row| !gone(row));
            let known = self.deleted.entry((place, id)).or_default();
            *known = last.max(*known);
        }
    }

    /// The candidates, the better first, and how many rows are selected. None if roundings decide which of the candidates
    /// get a context.
    pub(crate) fn search(&self, question: &Question) -> Option<(Vec<Scored<'_>>, usize)> {
        let selected: Vec<&ModelRow> = self
            .rows
            .iter()
            .filter(|row| row.is_selected(question))
            .collect();
        let mut signals = self.signals(question, &selected);
        let mut pool = BTreeSet::new();
        for (signal, least) in [(0, f64::NEG_INFINITY), (1, 0.0), (2, 0.0)] {
            pool.extend(best(signal, least, question.wanted(), &signals, &selected));
        }
        if question.weights[4] > 0.0 {
            add_actor(question, &selected, &mut signals, &pool);
        }
        if self.has_context(question) {
            let alone = scored(question, &selected, &signals, &pool);
            pool = first(question.in_context(), &alone)?;
            self.add_context(question, &selected, &mut signals, &mut pool);
        }
        let scored = scored(question, &selected, &signals, &pool);
        Some((scored, selected.len()))
    }

    /// The rows of whose texts words and names have their statistics.
    pub(crate) fn current(&self, question: &Question) -> Vec<&ModelRow> {
        let rows = self.rows.iter();
        rows.filter(|row| question.partitions.contains(&row.partition) && row.end().is_none())
            .collect()
    }

    /// The terms of the question without the names that its rows share.
    pub(crate) fn query_terms(&self, question: &Question) -> BTreeSet<String> {
        let current = self.current(question);
        let query = understand(&question.text, |term| TermFrequency {
            rows_with: current
                .iter()
                .filter(|row| row.text().iter().any(|other| other == term))
                .count() as u64,
            rows: current.len() as u64,
        });
        terms(&query.text).into_iter().collect()
    }

    /// Every signal of every selected row but the context; a signal that takes no part in the query is None throughout.
    fn signals(&self, question: &Question, selected: &[&ModelRow]) -> Vec<[Option<f64>; SIGNALS]> {
        let current = self.current(question);
        let documents: Vec<Vec<String>> = current.iter().map(|row| row.text()).collect();
        let names: Vec<BTreeSet<String>> = current.iter().map(|row| row.names()).collect();
        let count = current.len() as f64;
        let average = documents.iter().map(Vec::len).sum::<usize>() as f64 / count.max(1.0);
        let query = self.query_terms(question);
        let linked: BTreeSet<String> = linked_names(&question.text).into_iter().collect();
        let weights = question.weights;
        let shares = |row: &ModelRow| row.names().intersection(&linked).count() > 0;
        let entity_takes_part = weights[2] > 0.0 && selected.iter().any(|row| shares(row));
        let one = |row: &&ModelRow| {
            let vector = question
                .vector
                .as_ref()
                .filter(|_| weights[0] > 0.0)
                .zip(row.vector.as_ref())
                .map(|(a, b)| cosine(a, b));
            let text = row.text();
            let idf = |term: &String| {
                let holding = documents
                    .iter()
                    .filter(|document| document.contains(term))
                    .count() as f64;
                ((count - holding + 0.5) / (holding + 0.5)).ln_1p()
            };
            let lift_of = |term: &String| -> f64 {
                let parts: BTreeSet<String> = terms(term).into_iter().collect();
                parts.iter().filter(|part| *part != term).map(idf).sum()
            };
            let phrases: f64 = phrases(&question.text)
                .iter()
                .filter(|phrase| has_phrase(&row.memory.indexed_text(), phrase))
                .flat_map(|phrase| terms(phrase).into_iter().collect::<BTreeSet<String>>())
                .map(|term| idf(&term) + lift_of(&term))
                .sum();
            let lexical = query.iter().map(|term| {
                let frequency = text.iter().filter(|other| *other == term).count() as f64;
                let Bm25 { k1, b } = Bm25::default();
                let (k1, b) = (f64::from(k1), f64::from(b));
                let relative = if average > 0.0 {
                    text.len() as f64 / average
                } else {
                    1.0
                };
                let saturation = frequency / (frequency + k1 * (1.0 - b + b * relative));
                idf(term) * saturation + if frequency > 0.0 { lift_of(term) } else { 0.0 }
            });
            let entity = row
                .names()
                .intersection(&linked)
                .map(|name| {
                    let holding = names.iter().filter(|names| names.contains(name)).count() as f64;
                    if count == 0.0 {
                        1.0
                    } else {
                        let rarity = 1.0 - holding.ln_1p() / count.ln_1p();
                        if rarity < 0.25 { 0.0 } else { rarity }
                    }
                })
                .sum();
            let time = row
                .memory
                .event_time_micros
                .unwrap_or(row.memory.create_time_micros);
            let age = (question.as_of.unwrap_or(NOW) - time).max(0) as f64;
            let recency = (-age / (30.0 * 86_400e6)).exp2();
            [
                vector,
                (weights[1] > 0.0 && !query.is_empty()).then(|| lexical.sum::<f64>() + phrases),
                entity_takes_part.then_some(entity),
                (weights[3] > 0.0)
                    .then(|| agreement(question, &row.memory))
                    .flatten(),
                None,
                (weights[5] > 0.0).then_some(recency),
                None,
            ]
        };
        selected.iter().map(one).collect()
    }
}

/// The candidates with the score that their signals give them together, the better first.
fn scored<'a>(
    question: &Question,
    selected: &[&'a ModelRow],
    signals: &[[Option<f64>; SIGNALS]],
    pool: &BTreeSet<usize>,
) -> Vec<Scored<'a>> {
    // Everything takes part that the question has; rows without a vector have no cosine.
    let has_signal = |signal: usize| {
        if signal == 0 {
            question.vector.is_some()
        } else {
            signals.iter().any(|row| row[signal].is_some())
        }
    };
    let taking_part: Vec<usize> = (0..SIGNALS)
        .filter(|&signal| question.weights[signal] > 0.0 && has_signal(signal))
        .collect();
    let total: f64 = taking_part
        .iter()
        .map(|&signal| question.weights[signal])
        .sum();
    let mut scored: Vec<Scored<'_>> = pool
        .iter()
        .map(|&row| {
            let parts = taking_part.iter().map(|&signal| {
                let column: Vec<f64> = pool
                    .iter()
                    .filter_map(|&other| signals[other][signal])
                    .collect();
                question.weights[signal] / total * normalized(signal, signals[row][signal], &column)
            });
            Scored {
                place: row,
                row: selected[row],
                signals: signals[row],
                score: parts.sum(),
            }
        })
        .collect();
    scored.sort_by(|a, b| {
        let cosine = |scored: &Scored<'_>| scored.signals[0].unwrap_or(f64::NEG_INFINITY);
        b.score
            .total_cmp(&a.score)
            .then(cosine(b).total_cmp(&cosine(a)))
            .then(b.row.newness().cmp(&a.row.newness()))
    });
    scored
}

/// The best `count` candidates; None if those behind them are as good but for roundings.
fn first(count: usize, scored: &[Scored<'_>]) -> Option<BTreeSet<usize>> {
    let (kept, others) = scored.split_at(count.min(scored.len()));
    let is_clear = match (kept.last(), others.first()) {
        (Some(last), Some(next)) => last.score - next.score > 1e-4,
        _ => true,
    };
    is_clear.then(|| kept.iter().map(|scored| scored.place).collect())
}

/// The rows with the highest values of a signal above some least one, the newer first among equals.
pub(crate) fn best(
    signal: usize,
    least: f64,
    count: usize,
    signals: &[[Option<f64>; SIGNALS]],
    selected: &[&ModelRow],
) -> Vec<usize> {
    let mut best: Vec<usize> = (0..selected.len())
        .filter(|&row| signals[row][signal].is_some_and(|value| value > least))
        .collect();
    best.sort_by(|&a, &b| {
        let by_value = signals[b][signal].partial_cmp(&signals[a][signal]);
        let by_value = by_value.expect("no NaN");
        by_value.then(selected[b].newness().cmp(&selected[a].newness()))
    });
    best.truncate(count);
    best
}

/// The time signal; None if the question neither names a time nor asks for one.
fn agreement(question: &Question, memory: &Memory) -> Option<f64> {
    let query = QueryTime::new(&question.text, &Reference::utc(NOW));
    let agreement = match memory.event_time_micros {
        Some(time) => query.score(
            time,
            memory.event_time_end_micros,
            memory.event_time_precision,
        ),
        None => query.score(memory.create_time_micros, None, 0),
    };
    let answers = query.asks_when() && names_a_time(&memory.body);
    (query.names_a_time() || query.asks_when()).then_some(if answers {
        0.5 + 0.5 * agreement
    } else {
        agreement
    })
}

/// 1 for the rows of the speaker whom the question names, if it names just one of those who speak in the candidates.
fn add_actor(
    question: &Question,
    selected: &[&ModelRow],
    signals: &mut [[Option<f64>; SIGNALS]],
    pool: &BTreeSet<usize>,
) {
    let speaker = |row: usize| normalize_name(&selected[row].memory.name);
    let speakers: BTreeSet<String> = pool.iter().filter_map(|&row| speaker(row)).collect();
    let speakers: Vec<&str> = speakers.iter().map(String::as_str).collect();
    if let [named] = named_speakers(&question.text, &speakers)[..] {
        for (row, signals) in signals.iter_mut().enumerate() {
            let is_named = speaker(row).as_deref() == Some(speakers[named]);
            signals[4] = Some(f64::from(is_named));
        }
    }
}

pub(crate) fn normalized(signal: usize, value: Option<f64>, column: &[f64]) -> f64 {
    let Some(value) = value else { return 0.0 };
    let largest = column.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let smallest = column.iter().copied().fold(f64::INFINITY, f64::min);
    match signal {
        // In f32 equal cosines differ by a rounding, and 0 is one.
        0 if largest - smallest <= 1e-6 => f64::from(value > 1e-6),
        0 => (value - smallest) / (largest - smallest),
        3..=6 => value,
        2 => value / largest.max(1.0),
        _ if largest > 0.0 => value / largest,
        _ => 0.0,
    }
}

pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum::<f64>()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
