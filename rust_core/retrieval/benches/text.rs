//! The analysis of text.
//!
//! `cargo bench -p mnemic-retrieval --bench text`

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use mnemic_retrieval::text::{Bm25, analyze};

const TEXTS: [(&str, &str); 3] = [
    (
        "20 words",
        "Yesterday Melanie told me that her brother's running group meets every Saturday morning near the old harbour bridge in Portland",
    ),
    (
        "20 words, an apostrophe and accents",
        "Yesterday Mélanie told me that her brother’s running group meets every Saturday morning near the old café bridge in Portland",
    ),
    (
        "identifiers",
        "Order ORD-12345 of 2023-05-07 went to foo@bar.com via https://example.org/track, see v1.2.3",
    ),
];

fn analyses(criterion: &mut Criterion) {
    for (name, text) in TEXTS {
        criterion.bench_function(&format!("analyze/{name}"), |bencher| {
            bencher.iter(|| {
                let mut length = 0;
                analyze(black_box(text), &mut |term, _| length += term.len());
                length
            });
        });
    }
}

fn scores(criterion: &mut Criterion) {
    let bm25 = Bm25::default();
    criterion.bench_function("term_score", |bencher| {
        bencher
            .iter(|| bm25.term_score(black_box(2.0), black_box(3), black_box(20), black_box(17.0)));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = analyses, scores
}
criterion_main!(benches);
