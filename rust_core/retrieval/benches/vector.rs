//! The scan over one partition and what surrounds it, for each SIMD path of this CPU.
//!
//! `cargo bench -p mnemic-retrieval --bench vector`

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mnemic_retrieval::vector::{
    Aligned, Query, SimdPath, TopK, dot, normalize, padded, quantize, scan,
};

const DIMENSION: usize = 384;
const STRIDE: usize = padded(DIMENSION);

/// Unit vectors of pseudo-random numbers (xorshift), one after another.
fn unit_rows(count: usize) -> Aligned<f32> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut rows = Aligned::zeroed(count * STRIDE);
    let mut vector = [0.0; DIMENSION];
    for row in rows.chunks_exact_mut(STRIDE) {
        vector.fill_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / 8_388_608.0 - 1.0
        });
        normalize(&vector, row).expect("no row is zero");
    }
    rows
}

fn quantized(rows: &[f32]) -> (Aligned<u8>, Vec<f32>) {
    let mut codes = Aligned::zeroed(rows.len());
    let pairs = rows
        .chunks_exact(STRIDE)
        .zip(codes.chunks_exact_mut(STRIDE));
    let scales = pairs.map(|(row, codes)| quantize(row, codes)).collect();
    (codes, scales)
}

fn scans(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scan top-26");
    for count in [100, 1_000, 10_000] {
        let rows = unit_rows(count + 16);
        let queries: Vec<_> = rows[count * STRIDE..]
            .chunks_exact(STRIDE)
            .map(Query::new)
            .collect();
        let (codes, scales) = quantized(&rows[..count * STRIDE]);
        let tenth = vec![0x0400_8010_0200_4008_u64; count.div_ceil(64)];
        group.throughput(Throughput::Bytes((count * STRIDE) as u64));
        for path in SimdPath::available() {
            for (name, mask) in [("all", None), ("a tenth", Some(&tenth[..]))] {
                let id = BenchmarkId::new(format!("{} {name}", path.name()), count);
                group.bench_function(id, |bencher| {
                    let mut best = TopK::new(26);
                    let mut turn = 0;
                    bencher.iter(|| {
                        turn += 1;
                        best.reset(26);
                        let query = &queries[turn % queries.len()];
                        scan(path, &codes, &scales, STRIDE, mask, 0, query, &mut best);
                        best.threshold()
                    });
                });
            }
        }
    }
    group.finish();
}

fn single_rows(criterion: &mut Criterion) {
    let rows = unit_rows(2);
    let (one, other) = rows.split_at(STRIDE);
    for path in SimdPath::available() {
        criterion.bench_function(&format!("dot/{}", path.name()), |bencher| {
            bencher.iter(|| dot(path, black_box(one), black_box(other)));
        });
    }
    criterion.bench_function("Query::new", |bencher| {
        bencher.iter(|| Query::new(black_box(one)));
    });
    let mut unit = Aligned::zeroed(STRIDE);
    criterion.bench_function("normalize", |bencher| {
        bencher.iter(|| normalize(black_box(one), &mut unit));
    });
    let mut codes = Aligned::zeroed(STRIDE);
    criterion.bench_function("quantize", |bencher| {
        bencher.iter(|| quantize(black_box(one), &mut codes));
    });
}

fn selections(criterion: &mut Criterion) {
    let scores: Vec<f32> = unit_rows(27)[..10_000].to_vec();
    let mut group = criterion.benchmark_group("top-k of 10000");
    for k in [10, 64, 100, 1_000, 4_096] {
        group.bench_function(BenchmarkId::from_parameter(k), |bencher| {
            let mut best = TopK::new(k);
            bencher.iter(|| {
                best.reset(k);
                for (row, &score) in scores.iter().enumerate() {
                    best.push(score, row as u32);
                }
                best.as_slice().len()
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = scans, single_rows, selections
}
criterion_main!(benches);
