//! The index answers as a model does that keeps a list of rows and looks at every one of them.

#[path = "../common/mod.rs"]
mod common;
mod context;
mod phrases;
mod reference;
mod strategies;

use std::collections::BTreeSet;

use common::{bytes, partition, search};
use mnemic_retrieval::filter::Filter;
use mnemic_retrieval::fusion::Weights;
use mnemic_retrieval::partition::MetadataValue;
use mnemic_retrieval::vector::SimdPath;
use mnemic_retrieval::{Hit, Index, Memory, PartitionKey, Row, SearchRequest};
use proptest::prelude::*;
use reference::{Batch, Model, ModelRow, Question, Scored, Then};
use strategies::{batches, questions};

const DIMENSION: usize = 5;

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
        context_window: question.context_window,
        ..search(&partitions, &question.scope)
    };
    let outcome = index.search(&request).expect("a valid request");
    let Some((scored, considered)) = model.search(question) else {
        return Ok(());
    };
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
    check_order(&outcome.hits, question)?;
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
        check_around(hit, model, of_hit.row, question)?;
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

/// Holds the order of hits against what they say of themselves.
fn check_order(hits: &[Hit], question: &Question) -> Result<(), TestCaseError> {
    for pair in hits.windows(2) {
        let cosine = |hit: &Hit| {
            hit.parts
                .and_then(|parts| parts[0])
                .map_or(0.0, |part| part.raw)
        };
        let newness = |hit: &Hit| {
            let record = &hit.record;
            let time = record
                .event_time_micros()
                .unwrap_or(record.create_time_micros());
            (
                time,
                record.revision(),
                record.memory_id(),
                record.version(),
            )
        };
        let (better, worse) = (&pair[0], &pair[1]);
        prop_assert!(better.score >= worse.score);
        if (better.score, cosine(better)) == (worse.score, cosine(worse)) {
            // A raw cosine of 0 may also say that there is no vector, which comes last.
            let may_differ = cosine(better) == 0.0 && question.vector.is_some();
            prop_assert!(
                may_differ || newness(better) > newness(worse),
                "not newer first"
            );
        }
    }
    Ok(())
}

/// Holds what came around a hit against the model's.
fn check_around(
    hit: &Hit,
    model: &Model,
    row: &ModelRow,
    question: &Question,
) -> Result<(), TestCaseError> {
    let [mut before, after] = model.sides(question, row, question.context_window);
    before.reverse();
    for (found, expected) in [(&hit.before, before), (&hit.after, after)] {
        let found: Vec<(u128, u32)> = found
            .iter()
            .map(|record| (record.memory_id(), record.version()))
            .collect();
        let expected: Vec<(u128, u32)> = expected
            .iter()
            .map(|row| (row.memory.memory_id, row.memory.version))
            .collect();
        prop_assert_eq!(found, expected);
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

/// What is done to a partition between batches.
fn after(index: &Index, key: &PartitionKey, then: Then) {
    match then {
        Then::Nothing => {}
        Then::Compact => index.compact(key).expect("it is small"),
        Then::Upkeep => while index.upkeep(key).expect("it is small") {},
        Then::Reopen => {
            let directory = tempfile::tempdir().expect("a directory");
            let path = directory.path().join("snapshot");
            let snapshot = index.freeze(key).expect("it is in memory");
            snapshot
                .write(&path, 7, "model")
                .expect("it can be written");
            index.drop_partition(key);
            assert_eq!(index.open(key, &path, "model"), Ok(7));
        }
    }
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
            let key = &keys()[batch.partition];
            index.apply(key, &rows_of(batch), &batch.closes).expect("valid rows");
            after(&index, key, batch.then);
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
