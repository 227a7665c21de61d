//! The quick model on one text, and looking up a known text.
//!
//! `cargo bench -p mnemic-embedding`. The model is the one that `mnemic models pull static` installed.

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};

use criterion::{Criterion, criterion_group, criterion_main};
use mnemic_embedding::{QueryEmbedder, QueryModel, Queue, StaticModel, VectorCache};

const SHORT_TEXT: &str = "what did she say about the trip to the mountains with her dog?";
/// That of the default model.
const DIMENSION: usize = 384;
/// The default of `embedding.cache_entries`.
const ENTRIES: usize = 4096;

fn static_model() -> Option<StaticModel> {
    let models = std::env::var_os("MNEMIC_MODELS_DIRECTORY").map(PathBuf::from);
    let models = models.or_else(|| {
        let home = PathBuf::from(std::env::var_os("HOME")?);
        Some(home.join(".cache/mnemic/models"))
    })?;
    let table = models.join("static/l2_supercat_256.safetensors");
    let tokenizer = models.join("static/l2_supercat_tokenizer_config.json");
    StaticModel::open("static", &table, &tokenizer).ok()
}

/// No two alike, so that neither the cache nor the tokenizer's own memory knows them.
fn fresh_text(number: &mut u64) -> String {
    *number += 1;
    format!("what did {number} say about the trip to the mountains with her dog?")
}

fn models(criterion: &mut Criterion) {
    let Some(model) = static_model() else {
        return;
    };
    criterion.bench_function("static/repeated", |bencher| {
        bencher.iter(|| model.embed(black_box(SHORT_TEXT)));
    });
    let mut number = 0;
    criterion.bench_function("static/fresh", |bencher| {
        bencher.iter(|| model.embed(&fresh_text(&mut number)));
    });
    let cache = Arc::new(VectorCache::new("static", model.dimension(), ENTRIES));
    let queue = Queue {
        threads: 1,
        waiting: 64,
    };
    let embedder = QueryEmbedder::new(Some(Arc::new(model)), cache, queue);
    let embedder = embedder.expect("a thread can be started");
    criterion.bench_function("embedder/fresh, through the pool", |bencher| {
        bencher.iter(|| {
            let (sender, receiver) = mpsc::sync_channel(1);
            embedder.embed(&fresh_text(&mut number), None, move |answer| {
                sender.send(answer).expect("the bench waits");
            });
            receiver.recv()
        });
    });
}

fn cache(criterion: &mut Criterion) {
    let cache = VectorCache::new("minilm-int8:0123456789ab", DIMENSION, ENTRIES);
    let texts: Vec<String> = (0..ENTRIES)
        .map(|number| format!("what did {number} say about the trip to the mountains?"))
        .collect();
    for text in &texts {
        let vector = vec![0; DIMENSION * size_of::<f32>()];
        cache.insert(cache.key(text.as_bytes()), vector.into());
    }
    let mut next = 0;
    criterion.bench_function("cache/key and look-up of a known text", |bencher| {
        bencher.iter(|| {
            next = (next + 1) % texts.len();
            cache.get(&cache.key(texts[next].as_bytes()))
        });
    });
    let key = cache.key(texts[1].as_bytes());
    criterion.bench_function("cache/look-up alone", |bencher| {
        bencher.iter(|| cache.get(black_box(&key)));
    });
}

criterion_group!(benches, models, cache);
criterion_main!(benches);
