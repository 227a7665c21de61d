//! Compaction drops what is dead and changes no answer, whatever is written meanwhile.

mod common;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{bytes, message, partition, search, user};
use mnemic_retrieval::vector::SimdPath;
use mnemic_retrieval::{Close, Index, Memory, Row, ScopeIds, ScopeMatch, SearchRequest};

const WORDS: [&str; 7] = [
    "tulip", "river", "Berlin", "garden", "violin", "market", "Caroline",
];

fn row(id: u128, version: u32) -> Row<Vec<u8>> {
    let words: Vec<&str> = (0..=id % 5)
        .map(|place| WORDS[((id * 7 + place * place) % 7) as usize])
        .collect();
    Row {
        memory: Memory {
            version,
            create_time_micros: id as i64,
            ..message(id, &words.join(" "))
        },
        vector: Some(bytes(&[
            1.0,
            (id % 101) as f32,
            (id % 89) as f32,
            (id % 7) as f32,
        ])),
    }
}

fn close(memory_id: u128, valid_to_micros: Option<i64>) -> Close {
    Close {
        memory_id,
        version: 1,
        valid_to_micros,
    }
}

/// What some searches find: ids, versions, ends and scores.
fn answers(index: &Index) -> Vec<(u128, u32, Option<i64>, f64)> {
    let (key, scope) = ([partition("u")], user("u"));
    let vectors = [[1.0, 50.0, 3.0, 2.0], [1.0, 2.0, 80.0, 0.0]].map(|vector| bytes(&vector));
    let mut found = Vec::new();
    for (text, vector, past) in [
        ("tulip in the garden", None, None),
        ("Caroline", Some(&vectors[0]), None),
        ("", Some(&vectors[1]), Some(15_000)),
        ("river market", Some(&vectors[1]), Some(3)),
    ] {
        let request = SearchRequest {
            text,
            vector: vector.map(Vec::as_slice),
            as_of_micros: past,
            top_k: 40,
            ..search(&key, &scope)
        };
        let outcome = index.search(&request).expect("a valid request");
        found.push((outcome.considered.into(), 0, None, 0.0));
        found.extend(outcome.hits.iter().map(|hit| {
            let record = &hit.record;
            (
                record.memory_id(),
                record.version(),
                hit.valid_to_micros,
                hit.score,
            )
        }));
    }
    found
}

fn rows(ids: impl Iterator<Item = u128>) -> Vec<Row<Vec<u8>>> {
    ids.map(|id| row(id, 1)).collect()
}

#[test]
fn dead_rows_go_and_answers_stay() {
    let index = Index::new(4, SimdPath::best()).expect("a valid dimension");
    let key = partition("u");
    index.load(&key, &rows(1..=9_000)).expect("valid rows");
    index
        .apply(&key, &rows(9_001..=11_000), &[])
        .expect("valid rows");
    let deleted = (1..=11_000).filter(|id| id % 3 == 0);
    let ended = (1..=11_000).filter(|id| id % 5 == 0);
    let closes: Vec<Close> = deleted
        .map(|id| close(id, None))
        .chain(ended.map(|id| close(id, Some(2 * id as i64))))
        .collect();
    index
        .apply::<Vec<u8>>(&key, &[], &closes)
        .expect("valid closes");
    let before = (answers(&index), index.versions(&key), index.stats());
    assert_eq!(before.2.dead, 11_000 / 3);
    assert!(index.upkeep(&key).expect("it is small"), "much is dead");
    let after = (answers(&index), index.versions(&key), index.stats());
    assert_eq!((before.0, before.1), (after.0, after.1));
    assert_eq!((after.2.dead, after.2.rows), (0, before.2.rows));
    assert!(after.2.bytes < before.2.bytes * 3 / 4);
    assert!(!index.upkeep(&key).expect("it is small"), "nothing is left");
}

/// A compaction puts the rows of a session together, with gaps where some were deleted later.
#[test]
fn a_session_is_found_alike_wherever_its_rows_lie() {
    const SESSIONS: [&str; 4] = ["one", "two", "three", "four"];
    let index = Index::new(4, SimdPath::best()).expect("a valid dimension");
    let key = [partition("u")];
    let scope = |session: &str| ScopeIds {
        session_id: Some(session.to_owned()),
        ..user("u")
    };
    let mixed = |ids: std::ops::RangeInclusive<u128>| {
        let mut rows = rows(ids);
        for row in &mut rows {
            // Of each sixteen rows one, three and five are of a session, and the others of no session or of the fourth.
            let place = (row.memory.memory_id * 11 % 16) as usize;
            row.memory.scope = match place {
                0 => scope(SESSIONS[0]),
                1..=3 => scope(SESSIONS[1]),
                4..=8 => scope(SESSIONS[2]),
                9..=12 => scope(SESSIONS[3]),
                _ => user("u"),
            };
        }
        rows
    };
    let found = || -> Vec<_> {
        let vector = bytes(&[1.0, 40.0, 60.0, 3.0]);
        let searches = SESSIONS.into_iter().flat_map(|session| {
            [ScopeMatch::Exact, ScopeMatch::Visible]
                .map(|scope_match| (scope(session), scope_match))
        });
        searches
            .map(|(scope, scope_match)| {
                let request = SearchRequest {
                    scope_match,
                    text: "tulip in the garden",
                    vector: Some(&vector),
                    top_k: 40,
                    ..search(&key, &scope)
                };
                let outcome = index.search(&request).expect("a valid request");
                let hits = outcome.hits.iter();
                let hits: Vec<_> = hits
                    .map(|hit| (hit.record.memory_id(), hit.score))
                    .collect();
                (outcome.considered, hits)
            })
            .collect()
    };
    index
        .apply(&key[0], &mixed(1..=9_000), &[])
        .expect("valid rows");
    let scattered = found();
    index.compact(&key[0]).expect("it is small");
    assert_eq!(found(), scattered);
    let closes: Vec<Close> = (1..=9_000).step_by(13).map(|id| close(id, None)).collect();
    index
        .apply(&key[0], &mixed(9_001..=9_100), &closes)
        .expect("valid rows");
    let with_gaps = found();
    assert_ne!(with_gaps, scattered);
    index.compact(&key[0]).expect("it is small");
    assert_eq!(found(), with_gaps);
}

#[test]
fn what_was_deleted_before_a_compaction_stays_deleted() {
    let index = Index::new(4, SimdPath::best()).expect("a valid dimension");
    let key = partition("u");
    index
        .apply(&key, &[row(1, 1), row(2, 1)], &[])
        .expect("valid rows");
    index
        .apply::<Vec<u8>>(&key, &[], &[close(1, None)])
        .expect("a valid close");
    index.compact(&key).expect("it is small");
    index.apply(&key, &[row(1, 1)], &[]).expect("valid rows");
    assert_eq!(index.stats().rows, 1, "a late row brought it back");
    index.compact(&key).expect("it is small");
    index.apply(&key, &[row(1, 2)], &[]).expect("valid rows");
    assert_eq!(index.stats().rows, 2, "a later version restores it");
}

#[test]
fn rows_of_the_base_are_replaced_ended_and_deleted() {
    let index = Index::new(4, SimdPath::best()).expect("a valid dimension");
    let key = partition("u");
    index.load(&key, &rows(1..=5)).expect("valid rows");
    let late = Row {
        vector: None,
        ..row(2, 1)
    };
    let closes = [close(3, Some(7)), close(4, None), close(3, Some(9))];
    index.apply(&key, &[late], &closes).expect("valid rows");
    let versions = |index: &Index| -> BTreeSet<_> {
        let held = index.versions(&key).into_iter();
        held.map(|held| (held.memory_id, held.ended, held.has_vector))
            .collect()
    };
    let expected = [
        (1, false, true),
        (2, false, false),
        (3, true, true),
        (5, false, true),
    ];
    assert_eq!(versions(&index), BTreeSet::from(expected));
    index.compact(&key).expect("it is small");
    assert_eq!(versions(&index), BTreeSet::from(expected));
}

#[test]
fn a_loaded_partition_takes_what_its_rows_need() {
    let index = Index::new(64, SimdPath::best()).expect("a valid dimension");
    let rows: Vec<_> = (1..=10)
        .map(|id| Row {
            vector: Some(bytes(&[id as f32; 64])),
            ..row(id, 1)
        })
        .collect();
    let records: usize = rows.iter().map(|row| row.memory.body.len() + 120).sum();
    index.load(&partition("u"), &rows).expect("valid rows");
    let vectors = 10 * 64 * 5;
    let bytes = index.stats().bytes as usize;
    assert!(
        bytes < vectors + records + 10 * 160 + 1_200,
        "{bytes} bytes"
    );
}

#[test]
fn compactions_beside_writes_and_searches_lose_nothing() {
    const ROWS: u128 = 300;
    const GENERATIONS: u32 = 60;
    let index = Index::new(4, SimdPath::best()).expect("a valid dimension");
    let (key, scope) = ([partition("u")], user("u"));
    let generation = |version| -> Vec<_> { (1..=ROWS).map(|id| row(id, version)).collect() };
    index.load(&key[0], &generation(1)).expect("valid rows");
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                index.compact(&key[0]).expect("it is small");
            }
        });
        threads.spawn(|| {
            let mut last = 0;
            while !done.load(Ordering::Relaxed) {
                let request = SearchRequest {
                    text: WORDS[0],
                    top_k: 1_000,
                    ..search(&key, &scope)
                };
                let outcome = index.search(&request).expect("a valid request");
                assert_eq!(outcome.considered, ROWS as u64);
                let versions = outcome.hits.iter().map(|hit| hit.record.version());
                let versions: BTreeSet<u32> = versions.collect();
                assert_eq!(versions.len(), 1, "a half batch was found");
                assert!(
                    versions.first() >= Some(&last),
                    "an earlier state came back"
                );
                last = *versions.first().expect("there is one");
            }
        });
        for version in 2..=GENERATIONS {
            let valid_to_micros = (version % 3 == 0).then_some(5);
            let closes: Vec<Close> = (1..=ROWS)
                .map(|memory_id| Close {
                    memory_id,
                    version: version - 1,
                    valid_to_micros,
                })
                .collect();
            index
                .apply(&key[0], &generation(version), &closes)
                .expect("valid rows");
        }
        done.store(true, Ordering::Relaxed);
    });
    let current: Vec<u32> = index
        .versions(&key[0])
        .iter()
        .filter(|held| !held.ended)
        .map(|held| held.version)
        .collect();
    assert_eq!(current, vec![GENERATIONS; ROWS as usize]);
}
