//! The scan over one partition and what surrounds it, for each SIMD path of this CPU.
//!
//! `cargo bench -p mnemic-retrieval --bench vector`

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mnemic_retrieval::vector::graph::{CodeRows, Graph, Reach, Scratch};
use mnemic_retrieval::vector::{
    Aligned, BitCodes, BitQuery, Collector, Query, Shortlist, SimdPath, TopK, dot, normalize,
    padded, quantize, scan, scan_rows,
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

/// Whole segments of rows, to be searched by either plan up to the int8 scores: 50 wanted, 500 by bits.
struct Planned {
    codes: Aligned<u8>,
    scales: Vec<f32>,
    bits: Vec<BitCodes>,
    list: Shortlist,
    by_bits: Shortlist,
    picks: Vec<u16>,
}

const SEGMENT: usize = 4_096;

impl Planned {
    fn new(rows: &[f32]) -> Self {
        let (codes, scales) = quantized(rows);
        let units = rows.chunks_exact(SEGMENT * STRIDE);
        let bits = units.map(|units| BitCodes::of(units, STRIDE, &[true; SEGMENT]).expect("rows"));
        Self {
            codes,
            scales,
            bits: bits.collect(),
            list: Shortlist::default(),
            by_bits: Shortlist::default(),
            picks: Vec::new(),
        }
    }

    fn by_int8(&mut self, unit: &[f32]) -> usize {
        let (query, list) = (Query::new(unit), &mut self.list);
        list.reset(SimdPath::best(), 50, 0.02);
        let (codes, scales) = (&self.codes, &self.scales);
        scan(
            SimdPath::best(),
            codes,
            scales,
            STRIDE,
            None,
            0,
            &query,
            list,
        );
        list.pruned().1.len()
    }

    fn by_bits(&mut self, unit: &[f32]) -> usize {
        let path = SimdPath::best();
        let (query, bit_query) = (Query::new(unit), BitQuery::new(unit, DIMENSION));
        let mask = [u64::MAX; SEGMENT / 64];
        self.by_bits.reset(path, 500, 0.0);
        for (base, bits) in (0..).step_by(SEGMENT).zip(&self.bits) {
            let best = &mut self.by_bits;
            bits.as_ref()
                .scan(path, &mask, base, unit, &bit_query, best);
        }
        let (list, picks) = (&mut self.list, &mut self.picks);
        list.reset(path, 50, 0.02);
        let mut rest = self.by_bits.pruned().1;
        let segments = self.codes.chunks_exact(SEGMENT * STRIDE);
        let segments = segments.zip(self.scales.chunks_exact(SEGMENT));
        for (base, (codes, scales)) in (0..).step_by(SEGMENT).zip(segments) {
            let end = base + SEGMENT as u32;
            let (of_segment, later) = rest.split_at(rest.partition_point(|&row| row < end));
            picks.clear();
            picks.extend(of_segment.iter().map(|&row| (row - base) as u16));
            scan_rows(path, codes, scales, STRIDE, picks, base, &query, list);
            rest = later;
        }
        list.pruned().1.len()
    }
}

/// The two plans side by side, where `plan::BITS_FROM_BYTES` lies between: one search after another, and with other work
/// in between that takes the second cache, as in a server.
fn plans(criterion: &mut Criterion) {
    const OTHER_WORK: usize = 4 << 20;
    type Plan = fn(&mut Planned, &[f32]) -> usize;
    let ways: [(&str, Plan); 2] = [("int8", Planned::by_int8), ("1-bit", Planned::by_bits)];
    let mut group = criterion.benchmark_group("plans");
    let mut other_work = vec![0_u8; OTHER_WORK];
    for segments in [1, 2, 3, 4, 8, 16] {
        let rows = unit_rows(segments * SEGMENT + 16);
        let (rows, queries) = rows.split_at(segments * SEGMENT * STRIDE);
        let mut planned = Planned::new(rows);
        let mut queries = queries.chunks_exact(STRIDE).cycle();
        let mut next = || queries.next().expect("there are some");
        for (name, search) in ways {
            let id = BenchmarkId::new(name, segments * SEGMENT);
            group.bench_function(id, |bencher| {
                bencher.iter(|| search(&mut planned, next()));
            });
            let id = BenchmarkId::new(format!("{name} after other work"), segments * SEGMENT);
            group.bench_function(id, |bencher| {
                let work = || {
                    let lines = black_box(&mut other_work).iter_mut().step_by(64);
                    lines.for_each(|byte| *byte = byte.wrapping_add(1));
                    next()
                };
                bencher.iter_batched(
                    work,
                    |query| search(&mut planned, query),
                    BatchSize::PerIteration,
                );
            });
        }
    }
    group.finish();
}

struct Rows<'a> {
    codes: &'a [u8],
    scales: &'a [f32],
}

impl CodeRows for Rows<'_> {
    fn get(&self, row: u32) -> Option<(&[u8], &f32)> {
        let row = row as usize;
        Some((&self.codes[row * STRIDE..][..STRIDE], self.scales.get(row)?))
    }
}

/// A graph of 70,000 rows around 700 centres: adding to it and searching it, by width. Building it takes half a minute.
fn graphs(criterion: &mut Criterion) {
    const ROWS: usize = 70_000;
    const CENTRES: usize = 700;
    let path = SimdPath::best();
    let mut rows = unit_rows(ROWS + 64);
    let centres = unit_rows(CENTRES);
    for (place, row) in rows.chunks_exact_mut(STRIDE).enumerate() {
        let centre = &centres[place % CENTRES * STRIDE..][..STRIDE];
        let sum: Vec<f32> = row.iter().zip(centre).map(|(own, of)| own + of).collect();
        normalize(&sum, row).expect("no row is zero");
    }
    let (codes, scales) = quantized(&rows);
    let queries: Vec<_> = rows[ROWS * STRIDE..]
        .chunks_exact(STRIDE)
        .map(Query::new)
        .collect();
    let rows = Rows {
        codes: &codes[..ROWS * STRIDE],
        scales: &scales[..ROWS],
    };
    let mut group = criterion.benchmark_group("graph");
    group.sample_size(10);
    group.bench_function("build 2000", |bencher| {
        bencher.iter(|| {
            let graph = Graph::new(path, STRIDE);
            (0..2_000).for_each(|row| assert!(graph.insert(&rows, row)));
            graph.len()
        });
    });
    let graph = Graph::new(path, STRIDE);
    (0..ROWS as u32).for_each(|row| assert!(graph.insert(&rows, row)));
    let mut scratch = Scratch::default();
    let mut best = TopK::new(10);
    for width in [64, 128, 256] {
        let mut turn = 0;
        group.bench_function(BenchmarkId::new("search 70000", width), |bencher| {
            bencher.iter(|| {
                turn += 1;
                best.reset(10);
                let (query, reach) = (&queries[turn % queries.len()], reach(width));
                graph.search(&rows, query, &reach, 0, &mut scratch, &mut best)
            });
        });
    }
    group.finish();
}

fn reach(width: usize) -> Reach<'static> {
    Reach {
        selected: None,
        width,
        most: usize::MAX,
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = scans, plans, single_rows, selections, graphs
}
criterion_main!(benches);
