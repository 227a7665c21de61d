//! Writing to a partition, compacting it, and opening it from a file.
//!
//! `cargo bench -p mnemic-retrieval --bench partition`

use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use mnemic_retrieval::vector::SimdPath;
use mnemic_retrieval::{Close, Index, Memory, PartitionKey, Row, ScopeIds};

const DIMENSION: usize = 384;
/// A vocabulary from which sentences of twenty words are drawn, the first words more often.
const VOCABULARY: u64 = 20_000;

/// Pseudo-random numbers (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    fn row(&mut self, id: u128) -> Row<Vec<u8>> {
        let words = (0..20).map(|_| {
            let word = (self.next() % VOCABULARY).min(self.next() % VOCABULARY);
            format!("word{}", word.min(self.next() % VOCABULARY))
        });
        let body = words.collect::<Vec<_>>().join(" ");
        let elements = (0..DIMENSION).map(|_| self.next() as f32 / (1_u64 << 53) as f32 - 0.5);
        Row {
            vector: Some(elements.flat_map(f32::to_le_bytes).collect()),
            memory: memory(id, body),
        }
    }

    fn rows(&mut self, first: u128, count: usize) -> Vec<Row<Vec<u8>>> {
        (first..).take(count).map(|id| self.row(id)).collect()
    }
}

fn memory(memory_id: u128, body: String) -> Memory {
    Memory {
        memory_id,
        scope: ScopeIds {
            user_id: Some("user".to_owned()),
            ..ScopeIds::default()
        },
        kind: 1,
        body,
        role: 1,
        create_time_micros: memory_id as i64,
        update_time_micros: 1,
        valid_from_micros: 1,
        confidence: 1.0,
        importance: 0.5,
        trust: 2,
        version: 1,
        revision: 1,
        ..Memory::default()
    }
}

fn key() -> PartitionKey {
    PartitionKey {
        tenant: "tenant".to_owned(),
        owner_kind: 1,
        owner_id: "user".to_owned(),
    }
}

/// An index with one partition of so many rows.
fn filled(numbers: &mut Numbers, rows: usize) -> Index {
    let index = Index::new(DIMENSION, SimdPath::best()).expect("a valid dimension");
    for first in (0..rows).step_by(10_000) {
        let rows = numbers.rows(first as u128 + 1, 10_000.min(rows - first));
        index.apply(&key(), &rows, &[]).expect("valid rows");
    }
    index.compact(&key()).expect("it fits");
    index
}

/// One row with a vector and twenty words, visible when the call returns.
fn add(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("add");
    for rows in [100, 10_000, 100_000] {
        let mut numbers = Numbers(7);
        let index = filled(&mut numbers, rows);
        let mut next = 1_u128 << 64;
        group.bench_function(BenchmarkId::from_parameter(rows), |bencher| {
            bencher.iter_batched_ref(
                || {
                    next += 1;
                    [numbers.row(next)]
                },
                |row| index.apply(&key(), row, &[]).expect("a valid row"),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// Three of ten rows are dead.
fn compact(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compact");
    for rows in [100, 10_000] {
        let closes: Vec<Close> = (1..=rows as u128)
            .filter(|id| id % 10 < 3)
            .map(|memory_id| Close {
                memory_id,
                version: 1,
                valid_to_micros: None,
            })
            .collect();
        group.bench_function(BenchmarkId::from_parameter(rows), |bencher| {
            bencher.iter_batched_ref(
                || {
                    let index = filled(&mut Numbers(7), rows);
                    index
                        .apply::<Vec<u8>>(&key(), &[], &closes)
                        .expect("valid closes");
                    index
                },
                |index| index.compact(&key()).expect("it fits"),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

/// From a file that the system has in memory.
fn open(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("open");
    let directory = tempfile::tempdir().expect("a directory");
    for rows in [10, 10_000, 100_000] {
        let path = directory.path().join(rows.to_string());
        let snapshot = filled(&mut Numbers(7), rows).freeze(&key());
        let snapshot = snapshot.expect("it is in memory");
        snapshot.write(&path, 1, "m").expect("it can be written");
        let index = Index::new(DIMENSION, SimdPath::best()).expect("a valid dimension");
        group.bench_function(BenchmarkId::from_parameter(rows), |bencher| {
            bencher.iter(|| index.open(&key(), &path, "m").expect("a good file"));
        });
    }
    group.finish();
}

criterion_group! {
    name = partition;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = add, compact, open
}
criterion_main!(partition);
