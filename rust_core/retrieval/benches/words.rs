//! Searches by words and names over memories of natural text, from 1,000 to 100,000 rows.
//!
//! `cargo bench -p mnemic-retrieval --bench words`. With `MNEMIC_BENCH_ROWS=1000000` in the environment, only so many rows.

mod conversations;

use std::hint::black_box;
use std::time::Duration;

use conversations::{Numbers, turns};
use criterion::{Criterion, criterion_group, criterion_main};
use mnemic_retrieval::fusion::{SIGNALS, Weights};
use mnemic_retrieval::index::DEFAULT_CANDIDATES;
use mnemic_retrieval::text::QueryTerms;
use mnemic_retrieval::vector::SimdPath;
use mnemic_retrieval::{
    Close, Index, Memory, PartitionKey, Row, ScopeIds, ScopeMatch, SearchRequest,
};

const DAY_MICROS: i64 = 86_400_000_000;
/// The first is what a vector takes at least; the second is that of the default model.
const WITHOUT_VECTORS: usize = 1;
const DIMENSION: usize = 384;
const QUERIES: usize = 64;

/// Memories that join the first half of one turn to the second half of another, a minute apart.
fn memories(count: usize) -> Vec<Memory> {
    let turns = turns();
    let mut numbers = Numbers(88_172_645_463_325_252);
    let one = |id: usize| {
        let (name, first) = &turns[numbers.below(turns.len())];
        let (_, second) = &turns[numbers.below(turns.len())];
        let words = [
            &first[..first.len().div_ceil(2)],
            &second[second.len() / 2..],
        ]
        .concat();
        Memory {
            memory_id: id as u128,
            scope: scope(),
            kind: 1,
            body: words.join(" "),
            role: 1,
            name: (*name).to_owned(),
            event_time_micros: Some(id as i64 * 60_000_000),
            create_time_micros: 1,
            update_time_micros: 1,
            valid_from_micros: 1,
            confidence: 1.0,
            importance: 0.5,
            trust: 2,
            version: 1,
            revision: id as i64,
            ..Memory::default()
        }
    };
    (0..count).map(one).collect()
}

/// Three to seven words of a turn, with the speaker's name in front of every second query.
fn queries() -> Vec<String> {
    let turns = turns();
    let mut numbers = Numbers(362_436_069_123_456_789);
    let one = |number: usize| {
        let (name, words) = &turns[numbers.below(turns.len())];
        let long: Vec<&str> = words
            .iter()
            .copied()
            .filter(|word| word.len() > 3)
            .collect();
        let count = (3 + numbers.below(5)).min(long.len());
        let start = numbers.below(long.len() - count + 1);
        let said = long[start..start + count].join(" ");
        if number.is_multiple_of(2) {
            said
        } else {
            format!("What did {name} say about {said}?")
        }
    };
    (0..QUERIES).map(one).collect()
}

fn scope() -> ScopeIds {
    ScopeIds {
        user_id: Some("user".to_owned()),
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

fn vector(numbers: &mut Numbers) -> Vec<u8> {
    let element = |_| numbers.below(2_000) as f32 - 999.5;
    (0..DIMENSION)
        .map(element)
        .flat_map(f32::to_le_bytes)
        .collect()
}

fn filled(memories: &[Memory], dimension: usize) -> Index {
    let mut numbers = Numbers(521_288_629_546_311_111);
    let row = |memory: &Memory| Row {
        memory: memory.clone(),
        vector: (dimension == DIMENSION).then(|| vector(&mut numbers)),
    };
    let rows: Vec<Row<Vec<u8>>> = memories.iter().map(row).collect();
    let index = Index::new(dimension, SimdPath::best()).expect("a valid dimension");
    index.load(&key(), &rows).expect("valid rows");
    index
}

/// Ends every tenth memory.
fn thinned(index: &Index, memories: &[Memory]) {
    let end = |memory: &Memory| Close {
        memory_id: memory.memory_id,
        version: 1,
        valid_to_micros: Some(2),
    };
    let closes: Vec<Close> = memories.iter().step_by(10).map(end).collect();
    index
        .apply::<Vec<u8>>(&key(), &[], &closes)
        .expect("valid closes");
}

/// The queries with their last two words in quotation marks.
fn quoting(queries: &[String]) -> Vec<String> {
    let quote = |query: &String| {
        let mut words: Vec<&str> = query.split(' ').collect();
        let last = words.split_off(words.len() - 2);
        format!("{} \"{}\"", words.join(" "), last.join(" "))
    };
    queries.iter().map(quote).collect()
}

/// What of each search is the analysis of its query.
fn analysis(criterion: &mut Criterion) {
    let queries = queries();
    for (name, queries) in [
        ("analysis", &queries),
        ("analysis, quoted", &quoting(&queries)),
    ] {
        criterion.bench_function(name, |bencher| {
            let mut turn = 0;
            bencher.iter(|| {
                turn += 1;
                black_box(QueryTerms::new(&queries[turn % QUERIES]).len())
            });
        });
    }
}

fn measure(
    criterion: &mut Criterion,
    name: &str,
    index: &Index,
    rows: usize,
    weights: [f64; SIGNALS],
) {
    measure_queries(criterion, name, index, rows, weights, &queries());
}

fn measure_queries(
    criterion: &mut Criterion,
    name: &str,
    index: &Index,
    rows: usize,
    weights: [f64; SIGNALS],
    queries: &[String],
) {
    let (keys, scope) = ([key()], scope());
    let mut numbers = Numbers(123_456_789_362_436_069);
    let vectors: Vec<Vec<u8>> = queries.iter().map(|_| vector(&mut numbers)).collect();
    criterion.bench_function(&format!("{name}/{rows}"), |bencher| {
        let mut turn = 0;
        bencher.iter(|| {
            turn += 1;
            let request = SearchRequest {
                partitions: &keys,
                scope: &scope,
                scope_match: ScopeMatch::Exact,
                text: &queries[turn % QUERIES],
                understood: None,
                vector: (weights[0] > 0.0).then(|| vectors[turn % QUERIES].as_slice()),
                filter: None,
                now_micros: 100 * DAY_MICROS,
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

fn searches(criterion: &mut Criterion) {
    let asked = std::env::var("MNEMIC_BENCH_ROWS").ok();
    let asked = asked.map(|rows| vec![rows.parse().expect("a number of rows")]);
    for rows in asked.unwrap_or_else(|| vec![1_000, 10_000, 100_000]) {
        let memories = memories(rows);
        let index = filled(&memories, WITHOUT_VECTORS);
        let words = [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        measure(criterion, "words", &index, rows, words);
        let quoted = quoting(&queries());
        measure_queries(criterion, "words, quoted", &index, rows, words, &quoted);
        measure(
            criterion,
            "names",
            &index,
            rows,
            [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0],
        );
        let all = [0.0, 0.5, 0.3, 0.0, 0.0, 0.2, 0.0];
        measure(criterion, "words, names, recency", &index, rows, all);
        thinned(&index, &memories);
        let name = "words, a tenth ended";
        measure(criterion, name, &index, rows, words);
        if rows <= 10_000 {
            let index = filled(&memories, DIMENSION);
            measure(
                criterion,
                "all signals",
                &index,
                rows,
                [0.5, 0.3, 0.1, 0.0, 0.0, 0.1, 0.0],
            );
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = analysis, searches
}
criterion_main!(benches);
