//! `Index::search` by vector alone, over one partition, for each plan's sizes.
//!
//! `cargo bench -p mnemic-retrieval --bench search`

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use mnemic_retrieval::fusion::Weights;
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
        role: 0,
        name: String::new(),
        event_time_micros: None,
        event_time_end_micros: None,
        event_time_precision: 0,
        create_time_micros: id as i64,
        update_time_micros: 1,
        valid_from_micros: 1,
        valid_to_micros: None,
        expire_time_micros: None,
        metadata: Vec::new(),
        categories: Vec::new(),
        source_ids: Vec::new(),
        entities: Vec::new(),
        slot: String::new(),
        slot_value: String::new(),
        superseded_by: None,
        confidence: 1.0,
        importance: 0.5,
        pinned: false,
        trust: 2,
        version: 1,
        revision: 0,
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
        let scope = ScopeIds {
            user_id: Some("u".to_owned()),
            ..ScopeIds::default()
        };
        let key = PartitionKey {
            tenant: "t".to_owned(),
            owner_kind: 1,
            owner_id: "u".to_owned(),
        };
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
        let partitions = [key];
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            let mut turn = 0;
            bencher.iter(|| {
                turn += 1;
                let request = SearchRequest {
                    partitions: &partitions,
                    scope: &scope,
                    scope_match: ScopeMatch::Visible,
                    text: "",
                    vector: Some(&queries[turn % QUERIES]),
                    filter: None,
                    now_micros: 1_000_000_000,
                    as_of_micros: None,
                    include_superseded: false,
                    top_k: 10,
                    weights: Weights::new([1.0, 0.0, 0.0, 0.0]).expect("valid weights"),
                    min_score: 0.0,
                    explain: false,
                };
                index.search(&request).expect("a valid request").hits.len()
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = searches
}
criterion_main!(benches);
