//! A search sees a batch entirely or not at all, while the writer writes.

mod common;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{bytes, message, partition, search, user};
use mnemic_retrieval::vector::SimdPath;
use mnemic_retrieval::{Close, Index, Memory, Row};

/// Rows of each generation.
const ROWS: u128 = 40;
const GENERATIONS: u32 = 150;

fn generation(number: u32) -> Vec<Row<Vec<u8>>> {
    let row = |id: u128| Row {
        memory: Memory {
            version: number,
            ..message(id, &format!("tick generation{number} row{id}"))
        },
        vector: Some(bytes(&[1.0, number as f32, id as f32])),
    };
    (1..=ROWS).map(row).collect()
}

/// Writes generations of the same memories, each ending the one before in its own way, while two readers search.
fn race(end: impl Fn(u128, u32) -> Close) {
    let index = Index::new(3, SimdPath::best()).expect("a valid dimension");
    let (key, scope) = ([partition("u")], user("u"));
    index.load(&key[0], &generation(1)).expect("valid rows");
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        let readers = ["tick", ""].map(|text| {
            let (index, key, scope, done) = (&index, &key, &scope, &done);
            threads.spawn(move || {
                let query = bytes(&[1.0, 1.0, 1.0]);
                let mut searches = 0;
                let mut last = 0;
                while !done.load(Ordering::Relaxed) || searches < 10 {
                    let request = search(key, scope);
                    let vector = text.is_empty().then_some(query.as_slice());
                    let request = mnemic_retrieval::SearchRequest {
                        text,
                        vector,
                        top_k: 1_000,
                        ..request
                    };
                    let outcome = index.search(&request).expect("a valid request");
                    assert_eq!(
                        outcome.considered, ROWS as u64,
                        "a half batch was considered"
                    );
                    let versions: BTreeSet<u32> = outcome
                        .hits
                        .iter()
                        .map(|hit| hit.record.version())
                        .collect();
                    assert_eq!(
                        (outcome.hits.len(), versions.len()),
                        (ROWS as usize, 1),
                        "a half batch was found"
                    );
                    let ended = outcome.hits.iter().filter_map(|hit| hit.valid_to_micros);
                    assert_eq!(ended.count(), 0, "the mark of a later batch was seen");
                    let version = *versions.first().expect("there is one");
                    assert!(version >= last, "a later search saw an earlier state");
                    last = version;
                    searches += 1;
                }
            })
        });
        for number in 2..=GENERATIONS {
            let closes: Vec<Close> = (1..=ROWS).map(|id| end(id, number - 1)).collect();
            index
                .apply(&key[0], &generation(number), &closes)
                .expect("valid rows");
        }
        done.store(true, Ordering::Relaxed);
        // ThreadSanitizer sees a join, but not the end of a scope.
        for reader in readers {
            reader.join().expect("each search sees one generation");
        }
    });
    assert_eq!(index.stats().current, ROWS as u64);
}

#[test]
fn superseding_a_generation_is_atomic() {
    race(|memory_id, version| Close {
        memory_id,
        version,
        valid_to_micros: Some(i64::from(version)),
    });
}

#[test]
fn deleting_a_generation_is_atomic() {
    race(|memory_id, version| Close {
        memory_id,
        version,
        valid_to_micros: None,
    });
}

#[test]
fn a_refused_batch_leaves_no_trace() {
    let index = Index::new(3, SimdPath::best()).expect("a valid dimension");
    let (key, scope) = ([partition("u")], user("u"));
    index.load(&key[0], &generation(1)).expect("valid rows");
    let mut rows = generation(2);
    rows[ROWS as usize - 1].vector = Some(bytes(&[f32::NAN, 0.0, 0.0]));
    let closes = [Close {
        memory_id: 1,
        version: 1,
        valid_to_micros: None,
    }];
    let error = index
        .apply(&key[0], &rows, &closes)
        .expect_err("the last vector is not finite");
    assert_eq!(
        (error.reason(), error.field()),
        ("VECTOR_NOT_FINITE", "rows[39].vector")
    );
    let request = mnemic_retrieval::SearchRequest {
        text: "tick",
        ..search(&key, &scope)
    };
    let outcome = index.search(&request).expect("a valid request");
    assert_eq!(outcome.considered, ROWS as u64);
    assert!(outcome.hits.iter().all(|hit| hit.record.version() == 1));
}
