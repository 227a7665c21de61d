//! The index answers as a model does that keeps a list of rows and looks at every one of them.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{NOW, bytes, message, partition, search};
use mnemic_retrieval::entity::{find_entities, linked_names, normalize_name};
use mnemic_retrieval::filter::Filter;
use mnemic_retrieval::fusion::Weights;
use mnemic_retrieval::partition::MetadataValue;
use mnemic_retrieval::text::{Bm25, terms};
use mnemic_retrieval::vector::SimdPath;
use mnemic_retrieval::{
    Close, Index, Memory, PartitionKey, Row, ScopeIds, ScopeMatch, SearchRequest,
};
use proptest::prelude::*;

const DIMENSION: usize = 5;
/// Times are drawn from 0 to this, [`NOW`] included.
const LAST_TIME: i64 = 2 * NOW;

/// One row of the model.
#[derive(Clone, Debug)]
struct ModelRow {
    partition: usize,
    memory: Memory,
    vector: Option<Vec<f32>>,
    closed: Option<i64>,
}

#[derive(Clone, Debug, Default)]
struct Model {
    rows: Vec<ModelRow>,
    deleted: BTreeMap<(usize, u128), u32>,
}

#[derive(Clone, Debug)]
struct Batch {
    partition: usize,
    rows: Vec<(Memory, Option<Vec<f32>>)>,
    closes: Vec<Close>,
}

#[derive(Clone, Debug)]
struct Question {
    partitions: Vec<usize>,
    scope: ScopeIds,
    scope_match: ScopeMatch,
    text: String,
    vector: Option<Vec<f32>>,
    filter: Option<u8>,
    as_of: Option<i64>,
    include_superseded: bool,
    top_k: usize,
    weights: [f64; 4],
    min_score: f64,
}

/// What the model says of one row: its signals, None where it has none.
struct Scored<'a> {
    row: &'a ModelRow,
    signals: [Option<f64>; 4],
    score: f64,
}

impl ModelRow {
    fn end(&self) -> Option<i64> {
        self.closed.or(self.memory.valid_to_micros)
    }

    fn is_selected(&self, question: &Question) -> bool {
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
            && question.partitions.contains(&self.partition)
            && selects(&question.scope, &self.memory.scope, question.scope_match)
            && question
                .filter
                .is_none_or(|wanted| rating(&self.memory) == Some(i64::from(wanted)))
    }

    fn text(&self) -> Vec<String> {
        let text = match self.memory.name.as_str() {
            "" => self.memory.body.clone(),
            name => format!("{name}: {}", self.memory.body),
        };
        terms(&text)
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
    fn apply(&mut self, batch: &Batch) {
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

    fn search(&self, question: &Question) -> (Vec<Scored<'_>>, usize) {
        let selected: Vec<&ModelRow> = self
            .rows
            .iter()
            .filter(|row| row.is_selected(question))
            .collect();
        let signals = self.signals(question, &selected);
        let wanted = 50.max(4 * question.top_k);
        let mut pool = BTreeSet::new();
        for (signal, least) in [(0, f64::NEG_INFINITY), (1, 0.0), (2, 0.0)] {
            let mut best: Vec<usize> = (0..selected.len())
                .filter(|&row| signals[row][signal].is_some_and(|value| value > least))
                .collect();
            best.sort_by(|&a, &b| {
                let by_value = (signals[b][signal] as Option<f64>)
                    .partial_cmp(&signals[a][signal])
                    .expect("no NaN");
                by_value.then(selected[b].newness().cmp(&selected[a].newness()))
            });
            pool.extend(best.into_iter().take(wanted));
        }
        // Everything takes part that the question has; rows without a vector have no cosine.
        let has_signal = |signal: usize| {
            if signal == 0 {
                question.vector.is_some()
            } else {
                signals.iter().any(|row| row[signal].is_some())
            }
        };
        let taking_part: Vec<usize> = (0..4)
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
                    question.weights[signal] / total
                        * normalized(signal, signals[row][signal], &column)
                });
                Scored {
                    row: selected[row],
                    signals: signals[row],
                    score: parts.sum(),
                }
            })
            .collect();
        scored.sort_by(|a, b| {
            b.score
                .total_cmp(&a.score)
                .then(b.row.newness().cmp(&a.row.newness()))
        });
        (scored, selected.len())
    }

    /// Every signal of every selected row; a signal that takes no part in the query is None throughout.
    fn signals(&self, question: &Question, selected: &[&ModelRow]) -> Vec<[Option<f64>; 4]> {
        let current: Vec<&ModelRow> = self
            .rows
            .iter()
            .filter(|row| question.partitions.contains(&row.partition) && row.end().is_none())
            .collect();
        let documents: Vec<Vec<String>> = current.iter().map(|row| row.text()).collect();
        let names: Vec<BTreeSet<String>> = current.iter().map(|row| row.names()).collect();
        let count = current.len() as f64;
        let average = documents.iter().map(Vec::len).sum::<usize>() as f64 / count.max(1.0);
        let query: BTreeSet<String> = terms(&question.text).into_iter().collect();
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
            let lexical = query.iter().map(|term| {
                let frequency = text.iter().filter(|other| *other == term).count() as f64;
                let holding = documents
                    .iter()
                    .filter(|document| document.contains(term))
                    .count() as f64;
                let Bm25 { k1, b } = Bm25::default();
                let (k1, b) = (f64::from(k1), f64::from(b));
                let idf = ((count - holding + 0.5) / (holding + 0.5)).ln_1p();
                let relative = if average > 0.0 {
                    text.len() as f64 / average
                } else {
                    1.0
                };
                idf * frequency / (frequency + k1 * (1.0 - b + b * relative))
            });
            let entity = row
                .names()
                .intersection(&linked)
                .map(|name| {
                    let holding = names.iter().filter(|names| names.contains(name)).count() as f64;
                    if count == 0.0 {
                        1.0
                    } else {
                        (1.0 - holding.ln_1p() / count.ln_1p()).max(0.0)
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
                (weights[1] > 0.0 && !query.is_empty()).then(|| lexical.sum()),
                entity_takes_part.then_some(entity),
                (weights[3] > 0.0).then_some(recency),
            ]
        };
        selected.iter().map(one).collect()
    }
}

fn normalized(signal: usize, value: Option<f64>, column: &[f64]) -> f64 {
    let Some(value) = value else { return 0.0 };
    let largest = column.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let smallest = column.iter().copied().fold(f64::INFINITY, f64::min);
    match signal {
        // In f32 equal cosines differ by a rounding, and 0 is one.
        0 if largest - smallest <= 1e-6 => f64::from(value > 1e-6),
        0 => (value - smallest) / (largest - smallest),
        3 => value,
        _ if largest > 0.0 => value / largest,
        _ => 0.0,
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum::<f64>()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

const WORDS: [&str; 14] = [
    "tulip",
    "river",
    "Berlin",
    "Caroline",
    "New York",
    "gpt-4o",
    "garden",
    "violin",
    "the",
    "Mel's",
    "paint",
    "market",
    "\"blue sky\"",
    "tulip",
];

fn texts(words: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&WORDS[..]), words).prop_map(|words| words.join(" "))
}

fn scopes() -> impl Strategy<Value = ScopeIds> {
    let ids = |known: &'static [&'static str]| {
        prop::option::of(prop::sample::select(known).prop_map(str::to_owned))
    };
    (
        ids(&["u", "*"]),
        ids(&["a"]),
        ids(&["s", "t", ""]),
        ids(&["app"]),
    )
        .prop_map(|(user_id, agent_id, session_id, app_id)| ScopeIds {
            user_id,
            agent_id,
            session_id,
            app_id,
        })
}

/// Small whole numbers, so that equal and opposite directions occur, and few of them are rounded.
fn vectors() -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec((-3..=3_i8).prop_map(f32::from), DIMENSION)
        .prop_filter("a vector has a direction", |vector| {
            vector.iter().any(|element| *element != 0.0)
        })
}

fn times() -> impl Strategy<Value = i64> {
    prop_oneof![0..LAST_TIME, Just(NOW), Just(1)]
}

fn memories() -> impl Strategy<Value = Memory> {
    let identity = (
        1..40_u128,
        1..4_u32,
        scopes(),
        texts(0..8),
        prop::sample::select(vec!["", "", "Mel"]),
    );
    let time = (
        prop::option::of(times()),
        times(),
        times(),
        prop::option::weighted(0.1, times()),
        prop::option::weighted(0.1, times()),
    );
    let rest = (
        prop::option::of(0..3_i64),
        prop::collection::vec(prop::sample::select(vec!["Berlin", "The Hague"]), 0..2),
    );
    (identity, time, rest).prop_map(
        |(
            (id, version, scope, body, name),
            (event, create, from, to, expire),
            (rating, entities),
        )| Memory {
            version,
            scope,
            name: name.to_owned(),
            event_time_micros: event,
            create_time_micros: create,
            valid_from_micros: from,
            valid_to_micros: to,
            expire_time_micros: expire,
            metadata: rating
                .map(|rating| ("rating".to_owned(), MetadataValue::Integer(rating)))
                .into_iter()
                .collect(),
            entities: entities.into_iter().map(str::to_owned).collect(),
            ..message(id, &body)
        },
    )
}

fn batches() -> impl Strategy<Value = Batch> {
    let rows = prop::collection::vec((memories(), prop::option::weighted(0.8, vectors())), 0..25);
    let close = (1..40_u128, 1..4_u32, prop::option::weighted(0.8, times())).prop_map(
        |(memory_id, version, valid_to_micros)| Close {
            memory_id,
            version,
            valid_to_micros,
        },
    );
    (0..2_usize, rows, prop::collection::vec(close, 0..6)).prop_map(|(partition, rows, closes)| {
        Batch {
            partition,
            rows,
            closes,
        }
    })
}

fn questions() -> impl Strategy<Value = Question> {
    let place = (
        prop::sample::subsequence(vec![0_usize, 1], 0..=2),
        scopes(),
        prop::sample::select(vec![
            ScopeMatch::Visible,
            ScopeMatch::Exact,
            ScopeMatch::Tenant,
        ]),
    );
    let query = (
        texts(0..5),
        prop::option::of(vectors()),
        prop::option::weighted(0.3, 0..3_u8),
    );
    let time = (
        prop::option::weighted(0.3, times()),
        prop::bool::weighted(0.3),
    );
    let weight = || prop_oneof![Just(0.0), Just(1.0), 0.0..=1.0_f64];
    let weights = [weight(), weight(), weight(), weight()];
    let score = (
        weights.prop_filter("not all 0", |weights| {
            weights.iter().any(|weight| *weight > 0.0)
        }),
        prop_oneof![Just(0.0), 0.0..0.9_f64],
    );
    (place, query, time, 1..15_usize, score).prop_map(
        |(
            (partitions, scope, scope_match),
            (text, vector, filter),
            (as_of, include_superseded),
            top_k,
            (weights, min_score),
        )| Question {
            partitions,
            scope,
            scope_match,
            text,
            vector,
            filter,
            as_of,
            include_superseded,
            top_k,
            weights,
            min_score,
        },
    )
}

fn keys() -> [PartitionKey; 2] {
    [partition("u"), partition("*")]
}

/// Holds an answer of the index against the model's.
fn check(index: &Index, model: &Model, question: &Question) -> Result<(), TestCaseError> {
    let partitions: Vec<PartitionKey> = question
        .partitions
        .iter()
        .map(|&place| keys()[place].clone())
        .collect();
    let filter = question.filter.map(|rating| {
        Filter::comparison(
            "metadata.rating",
            1,
            vec![MetadataValue::Integer(rating.into())],
        )
        .expect("a valid filter")
    });
    let vector = question.vector.as_deref().map(bytes);
    let request = SearchRequest {
        scope_match: question.scope_match,
        text: &question.text,
        vector: vector.as_deref(),
        filter: filter.as_ref(),
        as_of_micros: question.as_of,
        include_superseded: question.include_superseded,
        top_k: question.top_k,
        weights: Weights::new(question.weights).expect("valid weights"),
        min_score: question.min_score,
        explain: true,
        ..search(&partitions, &question.scope)
    };
    let outcome = index.search(&request).expect("a valid request");
    let (scored, considered) = model.search(question);
    prop_assert_eq!(outcome.considered, considered as u64);
    let mut seen = BTreeSet::new();
    // Scores within rounding of the bound may fall on either side of it.
    let kept = |bound: f64| scored.iter().filter(move |scored| scored.score >= bound);
    let expected: Vec<&Scored<'_>> = kept(question.min_score - 1e-4)
        .filter(|scored| seen.insert(scored.row.memory.memory_id))
        .take(question.top_k)
        .collect();
    let certain: BTreeSet<u128> = kept(question.min_score + 1e-4)
        .map(|scored| scored.row.memory.memory_id)
        .collect();
    prop_assert!(outcome.hits.len() <= expected.len());
    prop_assert!(outcome.hits.len() >= certain.len().min(question.top_k));
    for (hit, expected) in outcome.hits.iter().zip(&expected) {
        prop_assert!(
            (hit.score - expected.score).abs() < 1e-4,
            "{} instead of {}",
            hit.score,
            expected.score
        );
        let of_hit = scored.iter().find(|scored| {
            (scored.row.memory.memory_id, scored.row.memory.version)
                == (hit.record.memory_id(), hit.record.version())
                && scored.row.memory.scope == *hit.scope
        });
        let of_hit =
            of_hit.ok_or_else(|| TestCaseError::fail("a hit that the model does not know"))?;
        prop_assert!((hit.score - of_hit.score).abs() < 1e-4);
        prop_assert_eq!(hit.valid_to_micros, of_hit.row.end());
        prop_assert_eq!(hit.record.body(), &of_hit.row.memory.body);
        let parts = hit.parts.ok_or_else(|| TestCaseError::fail("no parts"))?;
        let sum: f64 = parts
            .iter()
            .flatten()
            .map(|part| part.weight * part.normalized)
            .sum();
        prop_assert!((sum - hit.score).abs() < 1e-9);
        for (part, signal) in parts.iter().zip(of_hit.signals) {
            prop_assert!((part.map_or(0.0, |part| part.raw) - signal.unwrap_or(0.0)).abs() < 1e-4);
        }
    }
    Ok(())
}

fn rows_of(batch: &Batch) -> Vec<Row<Vec<u8>>> {
    batch
        .rows
        .iter()
        .map(|(memory, vector)| Row {
            memory: memory.clone(),
            vector: vector.as_deref().map(bytes),
        })
        .collect()
}

/// An index made from the model's rows, as a store would give them.
fn rebuilt(model: &Model) -> Index {
    let index = Index::new(DIMENSION, SimdPath::Portable).expect("a valid dimension");
    for (place, key) in keys().iter().enumerate() {
        let row = |row: &ModelRow| Row {
            memory: Memory {
                valid_to_micros: row.end(),
                ..row.memory.clone()
            },
            vector: row.vector.as_deref().map(bytes),
        };
        let rows: Vec<Row<Vec<u8>>> = model
            .rows
            .iter()
            .filter(|row| row.partition == place)
            .map(row)
            .collect();
        index.load(key, &rows).expect("valid rows");
    }
    index
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn searches_equal_those_of_a_plain_list(
        batches in prop::collection::vec(batches(), 1..8),
        questions in prop::collection::vec(questions(), 1..12),
    ) {
        let index = Index::new(DIMENSION, SimdPath::best()).expect("a valid dimension");
        let mut model = Model::default();
        for batch in &batches {
            index.apply(&keys()[batch.partition], &rows_of(batch), &batch.closes).expect("valid rows");
            model.apply(batch);
            check(&index, &model, &questions[0])?;
        }
        for question in &questions {
            check(&index, &model, question)?;
        }
        let stats = index.stats();
        prop_assert_eq!(stats.rows, model.rows.len() as u64);
        prop_assert_eq!(stats.current, model.rows.iter().filter(|row| row.end().is_none()).count() as u64);
        prop_assert_eq!(stats.vectors, model.rows.iter().filter(|row| row.vector.is_some()).count() as u64);
        // A close that lies ahead becomes a planned end when the index is built anew; the rest is the same.
        for row in &mut model.rows {
            row.memory.valid_to_micros = row.end();
            row.closed = None;
        }
        let index = rebuilt(&model);
        for question in &questions {
            check(&index, &model, question)?;
        }
    }
}
