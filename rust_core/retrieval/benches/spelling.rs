//! What it costs to take misspelt words of a query for those that were meant, in dictionaries of 10,000 and 1,000,000 terms.
//!
//! `cargo bench -p mnemic-retrieval --bench spelling`.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use mnemic_retrieval::vector::SimdPath;
use mnemic_retrieval::{Index, Memory, PartitionKey, Row, ScopeIds};

const WORDS_OF_A_MEMORY: usize = 20;
const SYLLABLES: [&str; 16] = [
    "ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu", "va",
];

/// A word of its own for each number.
fn word(mut number: usize) -> String {
    let mut word = String::new();
    for _ in 0..5 {
        word.push_str(SYLLABLES[number % SYLLABLES.len()]);
        number /= SYLLABLES.len();
    }
    word
}

/// An index with a partition in which so many words occur.
fn index_of(words: usize) -> (Index, [PartitionKey; 1]) {
    let key = PartitionKey {
        tenant: "tenant".to_owned(),
        owner_kind: 1,
        owner_id: "u".to_owned(),
    };
    let row = |id: usize| {
        let words = (id * WORDS_OF_A_MEMORY..(id + 1) * WORDS_OF_A_MEMORY).map(word);
        let memory = Memory {
            memory_id: id as u128,
            scope: ScopeIds {
                user_id: Some("u".to_owned()),
                ..ScopeIds::default()
            },
            kind: 1,
            body: words.collect::<Vec<_>>().join(" "),
            version: 1,
            ..Memory::default()
        };
        Row {
            memory,
            vector: None,
        }
    };
    let rows: Vec<Row<Vec<u8>>> = (0..words / WORDS_OF_A_MEMORY).map(row).collect();
    let index = Index::new(1, SimdPath::best()).expect("a valid dimension");
    index.apply(&key, &rows, &[]).expect("valid rows");
    index.compact(&key).expect("it fits");
    (index, [key])
}

fn spelling(criterion: &mut Criterion) {
    for words in [10_000, 1_000_000] {
        let (index, key) = index_of(words);
        let mut group = criterion.benchmark_group(format!("spelling/{words}"));
        let known = word(words / 3);
        let (before, after) = known.split_at(4);
        let misspelt = format!("{before}{}", &after[1..]);
        assert_ne!(index.understand(&key, &misspelt).text, misspelt);
        for (name, query) in [
            (
                "nothing but everyday words",
                "which story did they tell about the old house".to_owned(),
            ),
            (
                "a known word",
                format!("which story did they tell about {known}"),
            ),
            (
                "a misspelt word",
                format!("which story did they tell about {misspelt}"),
            ),
            (
                "an unknown word",
                "which story did they tell about zucchini".to_owned(),
            ),
            (
                "four unknown words",
                "zucchini zeppelin zoology zirconium".to_owned(),
            ),
        ] {
            group.bench_function(name, |bencher| {
                bencher.iter(|| index.understand(black_box(&key), black_box(&query)));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, spelling);
criterion_main!(benches);
