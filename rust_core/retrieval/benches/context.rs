//! What the context of neighbouring messages costs a search of 10,000 messages with vectors of 384 dimensions, and an add.
//!
//! `cargo bench -p mnemic-retrieval --bench context`. Sessions of twenty turns of natural text; a vector is the sum of one
//! for each word, so that meaning and words find related messages, as they do in life.

mod conversations;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::hint::black_box;
use std::time::Duration;

use conversations::{Numbers, turns};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use mnemic_retrieval::fusion::{SIGNALS, Weights};
use mnemic_retrieval::index::DEFAULT_CANDIDATES;
use mnemic_retrieval::vector::SimdPath;
use mnemic_retrieval::{Index, Memory, PartitionKey, Row, ScopeIds, ScopeMatch, SearchRequest};

const ROWS: usize = 10_000;
const SESSION: usize = 20;
const DIMENSION: usize = 384;
const QUERIES: usize = 64;
/// Of so many messages one is newer than the base, when some are.
const TAIL_SHARE: usize = 5;

/// What was the default before there was context; then the default, a signal more each time.
const WEIGHTINGS: [(&str, [f64; SIGNALS]); 5] = [
    ("meaning and words", [0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0]),
    ("and names", [0.2, 0.1, 0.02, 0.0, 0.0, 0.0, 0.0]),
    ("and the speaker", [0.2, 0.1, 0.02, 0.0, 0.2, 0.0, 0.0]),
    ("and context", [0.2, 0.1, 0.02, 0.0, 0.2, 0.0, 0.5]),
    ("and the time", [0.2, 0.1, 0.02, 0.3, 0.2, 0.0, 0.5]),
];

fn scope(session: Option<usize>) -> ScopeIds {
    ScopeIds {
        user_id: Some("user".to_owned()),
        session_id: session.map(|session| format!("session {session}")),
        ..ScopeIds::default()
    }
}

fn key() -> PartitionKey {
    PartitionKey {
        tenant: "tenant".to_owned(),
        owner_kind: 1,
        owner_id: "user".to_owned(),
    }
}

fn vector(text: &str) -> Vec<u8> {
    let mut sum = vec![0.0_f32; DIMENSION];
    for word in text.split_whitespace() {
        let mut hasher = DefaultHasher::new();
        word.to_lowercase().hash(&mut hasher);
        let mut numbers = Numbers(hasher.finish() | 1);
        for element in &mut sum {
            *element += numbers.below(2_000) as f32 - 999.5;
        }
    }
    sum.into_iter().flat_map(f32::to_le_bytes).collect()
}

/// Messages that join the first half of one turn to the second half of another.
fn rows() -> Vec<Row<Vec<u8>>> {
    let turns = turns();
    let mut numbers = Numbers(88_172_645_463_325_252);
    let one = |number: usize| {
        let (name, first) = &turns[numbers.below(turns.len())];
        let (_, second) = &turns[numbers.below(turns.len())];
        let halves = [
            &first[..first.len().div_ceil(2)],
            &second[second.len() / 2..],
        ];
        let body = halves.concat().join(" ");
        Row {
            vector: Some(vector(&body)),
            memory: Memory {
                memory_id: number as u128,
                scope: scope(Some(number / SESSION)),
                kind: 1,
                body,
                role: 1,
                name: (*name).to_owned(),
                create_time_micros: number as i64,
                version: 1,
                revision: number as i64,
                ..Memory::default()
            },
        }
    };
    (0..ROWS).map(one).collect()
}

/// Some words of a turn, asked of its speaker.
fn queries() -> Vec<(String, Vec<u8>)> {
    let turns = turns();
    let mut numbers = Numbers(362_436_069_123_456_789);
    let one = |_| {
        let (name, words) = &turns[numbers.below(turns.len())];
        let long = words.iter().copied().filter(|word| word.len() > 3);
        let said: Vec<&str> = long.take(3 + numbers.below(4)).collect();
        let said = said.join(" ");
        (format!("What did {name} say about {said}?"), vector(&said))
    };
    (0..QUERIES).map(one).collect()
}

fn searches(criterion: &mut Criterion) {
    let (rows, queries) = (rows(), queries());
    for (state, sealed) in [("at rest", ROWS), ("a fifth new", ROWS - ROWS / TAIL_SHARE)] {
        let index = Index::new(DIMENSION, SimdPath::best()).expect("a valid dimension");
        index.load(&key(), &rows[..sealed]).expect("valid rows");
        for row in &rows[sealed..] {
            index
                .apply(&key(), std::slice::from_ref(row), &[])
                .expect("a valid row");
        }
        for (name, weights) in WEIGHTINGS {
            let (keys, scope) = ([key()], scope(None));
            let mut turn = 0;
            criterion.bench_function(&format!("{name}, {state}"), |bencher| {
                bencher.iter(|| {
                    turn += 1;
                    let (text, vector) = &queries[turn % QUERIES];
                    let request = SearchRequest {
                        partitions: &keys,
                        scope: &scope,
                        scope_match: ScopeMatch::Exact,
                        text,
                        understood: None,
                        vector: Some(vector),
                        filter: None,
                        now_micros: 1_000_000_000,
                        reference_micros: None,
                        as_of_micros: None,
                        include_superseded: false,
                        top_k: 10,
                        weights: Weights::new(weights).expect("valid weights"),
                        min_score: 0.0,
                        explain: false,
                        candidates: DEFAULT_CANDIDATES,
                        separate: false,
                        calibration: None,
                        min_confidence: 0.0,
                        context_window: 0,
                    };
                    black_box(index.search(&request).expect("a valid request").hits.len())
                });
            });
        }
    }
}

/// One more row: a message, which has a place in its conversation, and a fact, which has none.
fn adds(criterion: &mut Criterion) {
    let rows = rows();
    for (name, kind) in [("add a message", 1), ("add a fact", 2)] {
        let index = Index::new(DIMENSION, SimdPath::best()).expect("a valid dimension");
        index.load(&key(), &rows).expect("valid rows");
        let mut next = ROWS;
        criterion.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || {
                    next += 1;
                    let mut row = rows[next % ROWS].clone();
                    row.memory.memory_id = next as u128;
                    row.memory.create_time_micros = next as i64;
                    row.memory.kind = kind;
                    [row]
                },
                |row| index.apply(&key(), row, &[]).expect("a valid row"),
                BatchSize::SmallInput,
            );
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = searches, adds
}
criterion_main!(benches);
