//! `Index::search` by vector alone: over one partition, for each plan's sizes; over few rows of a large partition, by
//! session and by filter; and over many small partitions.
//!
//! `cargo bench -p mnemic-retrieval --bench search`

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use mnemic_retrieval::filter::Filter;
use mnemic_retrieval::fusion::Weights;
use mnemic_retrieval::index::DEFAULT_CANDIDATES;
use mnemic_retrieval::partition::MetadataValue;
use mnemic_retrieval::vector::SimdPath;
use mnemic_retrieval::{Index, Memory, PartitionKey, Row, ScopeIds, ScopeMatch, SearchRequest};

const DIMENSION: usize = 384;
const QUERIES: usize = 64;

/// Vectors in topics of about fifty, themselves in subjects of about twenty topics, all with something in common, as sentences have.
struct Sentences {
    state: u64,
}

impl Sentences {
    fn noise(&mut self, weight: f32) -> Vec<f32> {
        let next = || {
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            ((self.state >> 40) as f32 / 8_388_608.0 - 1.0) * weight
        };
        std::iter::repeat_with(next).take(DIMENSION).collect()
    }

    fn around(&mut self, centre: &[f32], weight: f32) -> Vec<f32> {
        let noise = self.noise(weight);
        centre.iter().zip(noise).map(|(a, b)| a + b).collect()
    }

    fn take(&mut self, count: usize) -> Vec<Vec<f32>> {
        let common = self.noise(0.3);
        let subjects: Vec<_> = (0..count.div_ceil(1_000))
            .map(|_| self.around(&common, 0.4))
            .collect();
        let topics: Vec<_> = (0..count.div_ceil(50))
            .map(|topic| self.around(&subjects[topic % subjects.len()], 0.6))
            .collect();
        (0..count)
            .map(|row| self.around(&topics[row * 7 % topics.len()], 0.7))
            .collect()
    }
}

fn bytes(vector: &[f32]) -> Vec<u8> {
    vector
        .iter()
        .flat_map(|element| element.to_le_bytes())
        .collect()
}

fn memory(id: u128, scope: &ScopeIds) -> Memory {
    Memory {
        memory_id: id,
        scope: scope.clone(),
        kind: 1,
        body: String::new(),
        create_time_micros: id as i64,
        update_time_micros: 1,
        valid_from_micros: 1,
        confidence: 1.0,
        importance: 0.5,
        trust: 2,
        version: 1,
        ..Memory::default()
    }
}

fn searches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("search by vector, top-10");
    for count in [100, 1_000, 4_000, 10_000, 20_000, 70_000] {
        let mut vectors = Sentences {
            state: 88_172_645_463_325_252,
        }
        .take(count + QUERIES);
        let queries: Vec<_> = vectors
            .split_off(count)
            .iter()
            .map(|vector| bytes(vector))
            .collect();
        let (scope, key) = (user("u", None), key("u"));
        let rows: Vec<_> = vectors
            .iter()
            .enumerate()
            .map(|(id, vector)| Row {
                memory: memory(id as u128, &scope),
                vector: Some(bytes(vector)),
            })
            .collect();
        let index = Index::new(DIMENSION, SimdPath::best()).expect("a valid dimension");
        index.load(&key, &rows).expect("valid rows");
        drop(rows);
        let case = Case {
            index: &index,
            partitions: &[key],
            scope: &scope,
            filter: None,
            queries: &queries,
        };
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            let mut turn = 0;
            bencher.iter(|| {
                turn += 1;
                case.run(turn)
            });
        });
    }
    group.finish();
}

/// So many rows, of which a scope or a filter selects a share.
const MANY: usize = 100_000;
const SHARES: [(&str, usize); 3] = [("0.1 %", 1_000), ("1 %", 100), ("10 %", 10)];
const PARTITIONS: usize = 1_000;
const PARTITION_ROWS: usize = 100;

/// An index, and where and how to search it.
struct Case<'a> {
    index: &'a Index,
    partitions: &'a [PartitionKey],
    scope: &'a ScopeIds,
    filter: Option<&'a Filter>,
    queries: &'a [Vec<u8>],
}

impl Case<'_> {
    fn run(&self, turn: usize) -> usize {
        let request = SearchRequest {
            partitions: self.partitions,
            scope: self.scope,
            scope_match: ScopeMatch::Exact,
            text: "",
            understood: None,
            vector: Some(&self.queries[turn % QUERIES]),
            filter: self.filter,
            now_micros: 1_000_000_000,
            reference_micros: None,
            as_of_micros: None,
            include_superseded: false,
            top_k: 10,
            weights: Weights::new([1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]).expect("valid weights"),
            min_score: 0.0,
            explain: false,
            candidates: DEFAULT_CANDIDATES,
            separate: false,
            calibration: None,
            min_confidence: 0.0,
            context_window: 0,
        };
        let outcome = self.index.search(&request);
        outcome.expect("a valid request").hits.len()
    }
}

fn user(id: &str, session: Option<usize>) -> ScopeIds {
    ScopeIds {
        user_id: Some(id.to_owned()),
        session_id: session.map(|session| format!("one row of {session}")),
        ..ScopeIds::default()
    }
}

fn key(id: &str) -> PartitionKey {
    PartitionKey {
        tenant: "t".to_owned(),
        owner_kind: 1,
        owner_id: id.to_owned(),
    }
}

/// The rarest share that a row belongs to: every thousandth, hundredth or tenth row, scattered.
fn share_of(row: usize) -> Option<usize> {
    let scattered = row.wrapping_mul(2_654_435_761) >> 7;
    let mut one_in = SHARES.iter().map(|(_, one_in)| *one_in);
    one_in.find(|one_in| scattered.is_multiple_of(*one_in))
}

fn few_of_many(criterion: &mut Criterion) {
    let seed = 88_172_645_463_325_252;
    let mut vectors = Sentences { state: seed }.take(MANY + QUERIES);
    let queries: Vec<_> = vectors.split_off(MANY).iter().map(|v| bytes(v)).collect();
    let (index, partitions) = (
        Index::new(DIMENSION, SimdPath::best()).expect("a valid dimension"),
        [key("u")],
    );
    let row = |(id, vector): (usize, &Vec<f32>)| {
        let share = share_of(id);
        let shares = share.map(|share| ("share".to_owned(), MetadataValue::Integer(share as i64)));
        let memory = Memory {
            metadata: shares.into_iter().collect(),
            ..memory(id as u128, &user("u", share))
        };
        let vector = Some(bytes(vector));
        Row { memory, vector }
    };
    let rows: Vec<_> = vectors.iter().enumerate().map(row).collect();
    index.load(&partitions[0], &rows).expect("valid rows");
    drop((rows, vectors));
    let mut group = criterion.benchmark_group("search by vector, few of 100,000 rows");
    for (name, one_in) in SHARES {
        let value = vec![MetadataValue::Integer(one_in as i64)];
        let filter = Filter::comparison("metadata.share", 1, value).expect("a valid filter");
        let (session, all) = (user("u", Some(one_in)), user("u", None));
        for (how, scope, filter) in [("session", &session, None), ("filter", &all, Some(&filter))] {
            let (index, partitions, queries) = (&index, &partitions, &queries);
            let case = Case {
                index,
                partitions,
                scope,
                filter,
                queries,
            };
            let mut turn = 0;
            group.bench_function(BenchmarkId::new(how, name), |bencher| {
                bencher.iter(|| {
                    turn += 1;
                    case.run(turn)
                });
            });
        }
    }
    group.finish();
}

fn many_partitions(criterion: &mut Criterion) {
    let seed = 88_172_645_463_325_252;
    let mut vectors = Sentences { state: seed }.take(PARTITIONS * PARTITION_ROWS + QUERIES);
    let queries = vectors.split_off(PARTITIONS * PARTITION_ROWS);
    let queries: Vec<_> = queries.iter().map(|vector| bytes(vector)).collect();
    let index = Index::new(DIMENSION, SimdPath::best()).expect("a valid dimension");
    let mut partitions = Vec::new();
    for (number, vectors) in vectors.chunks(PARTITION_ROWS).enumerate() {
        let owner = format!("user {number}");
        let row = |(place, vector): (usize, &Vec<f32>)| Row {
            memory: memory(
                (number * PARTITION_ROWS + place) as u128,
                &user(&owner, None),
            ),
            vector: Some(bytes(vector)),
        };
        let rows: Vec<_> = vectors.iter().enumerate().map(row).collect();
        index.load(&key(&owner), &rows).expect("valid rows");
        partitions.push(key(&owner));
    }
    let case = Case {
        index: &index,
        partitions: &partitions,
        scope: &ScopeIds::default(),
        filter: None,
        queries: &queries,
    };
    let mut turn = 0;
    criterion.bench_function("search by vector, 1,000 partitions of 100", |bencher| {
        bencher.iter(|| {
            turn += 1;
            case.run(turn)
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = searches, few_of_many, many_partitions
}
criterion_main!(benches);
