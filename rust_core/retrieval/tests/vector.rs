//! What the scan promises: every path the same scores, a bound on their error, and exact results after rescoring.

#![expect(clippy::float_cmp, reason = "scores are promised bit for bit")]

use mnemic_retrieval::vector::{
    Aligned, Candidate, Collector, Query, SimdPath, TopK, VectorError, decode_f32_le, dot,
    normalize, padded, quantize, scan, score_codes, score_error_bound,
};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

/// Unit rows of a dimension, with their codes.
struct Block {
    dimension: usize,
    stride: usize,
    floats: Aligned<f32>,
    codes: Aligned<u8>,
    scales: Vec<f32>,
}

impl Block {
    fn of(vectors: &[Vec<f32>], dimension: usize) -> Self {
        let stride = padded(dimension);
        let mut floats = Aligned::zeroed(vectors.len() * stride);
        let mut codes = Aligned::zeroed(vectors.len() * stride);
        let mut scales = Vec::new();
        for (index, vector) in vectors.iter().enumerate() {
            let place = index * stride..(index + 1) * stride;
            normalize(vector, &mut floats[place.clone()]).unwrap();
            scales.push(quantize(
                &floats[place.clone()][..dimension],
                &mut codes[place],
            ));
        }
        Self {
            dimension,
            stride,
            floats,
            codes,
            scales,
        }
    }

    fn row(&self, index: usize) -> &[f32] {
        &self.floats[index * self.stride..][..self.stride]
    }

    fn codes_of(&self, index: usize) -> &[u8] {
        &self.codes[index * self.stride..][..self.stride]
    }

    fn scan(
        &self,
        path: SimdPath,
        mask: Option<&[u64]>,
        base_row: u32,
        query: &Query,
        best: &mut TopK,
    ) {
        scan(
            path,
            &self.codes,
            &self.scales,
            self.stride,
            mask,
            base_row,
            query,
            best,
        );
    }

    /// The exact top k in double precision.
    fn exact(&self, query: &Query, k: usize) -> Vec<(f64, u32)> {
        let mut all: Vec<_> = (0..self.scales.len())
            .map(|row| (exact_dot(self.row(row), query.row()), row as u32))
            .collect();
        all.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        all.truncate(k);
        all
    }
}

fn exact_dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(&a, &b)| f64::from(a) * f64::from(b))
        .sum()
}

fn query_of(vector: &[f32]) -> Query {
    let mut unit = vec![0.0; padded(vector.len())];
    normalize(vector, &mut unit).unwrap();
    Query::new(&unit)
}

fn allowed(mask: Option<&[u64]>, row: usize) -> bool {
    mask.is_none_or(|mask| mask[row / 64] >> (row % 64) & 1 == 1)
}

/// The same pseudo-random numbers each time (xorshift), from -1 to 1; `spiky` makes a few elements dominate.
fn vectors(seed: u64, count: usize, dimension: usize, spiky: bool) -> Vec<Vec<f32>> {
    let mut state = seed | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / 8_388_608.0 - 1.0
    };
    let shape = |value: f32| {
        if spiky {
            value.powi(9) + 1e-6
        } else {
            value + 1e-6
        }
    };
    (0..count)
        .map(|_| (0..dimension).map(|_| shape(next())).collect())
        .collect()
}

fn words(seed: u64, count: usize) -> Vec<u64> {
    let bits = |word: &Vec<f32>| {
        word.iter().enumerate().fold(0, |bits, (bit, &value)| {
            bits | u64::from(value > 0.2) << bit
        })
    };
    vectors(seed, count, 64, false).iter().map(bits).collect()
}

#[test]
fn the_portable_path_is_always_there_and_last_and_names_round_trip() {
    let available = SimdPath::available();
    assert_eq!(available.last(), Some(&SimdPath::Portable));
    assert_eq!(available.first(), Some(&SimdPath::best()));
    for path in available {
        assert_eq!(SimdPath::from_name(path.name()), Some(path));
    }
    assert_eq!(SimdPath::from_name("sse9"), None);
    assert_eq!(
        SimdPath::from_name(if cfg!(target_arch = "x86_64") {
            "neon"
        } else {
            "avx2"
        }),
        None
    );
}

#[test]
#[cfg(target_arch = "x86_64")]
#[should_panic(expected = "cannot run the path neon")]
fn a_path_that_the_cpu_lacks_is_refused() {
    let _ = dot(SimdPath::Neon, &[0.0; 64], &[0.0; 64]);
}

#[test]
fn bytes_of_another_length_are_refused_with_both_lengths() {
    assert_eq!(
        decode_f32_le(&[0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0], 2),
        Ok(vec![1.0, -2.0])
    );
    for wrong in [0, 4, 7, 9, 12] {
        let error = decode_f32_le(&vec![0; wrong], 2).unwrap_err();
        assert_eq!(
            error,
            VectorError::WrongLength {
                dimension: 2,
                actual: wrong
            }
        );
        assert!(
            error.to_string().contains(&format!("{wrong} bytes"))
                && error.to_string().contains("has 8"),
            "{error}"
        );
    }
}

#[test]
fn vectors_without_a_direction_are_refused() {
    let mut out = [7.0; 64];
    for (vector, error) in [
        (vec![1.0, f32::NAN], VectorError::NotFinite { index: 1 }),
        (
            vec![f32::NEG_INFINITY, f32::NAN],
            VectorError::NotFinite { index: 0 },
        ),
        (vec![0.0, -0.0], VectorError::Zero),
        (vec![], VectorError::Zero),
    ] {
        assert_eq!(normalize(&vector, &mut out), Err(error));
        assert!(out.iter().all(|&element| element == 7.0), "untouched");
    }
}

#[test]
fn the_largest_and_smallest_floats_have_a_direction() {
    for magnitude in [f32::MAX, f32::MIN_POSITIVE, f32::from_bits(1)] {
        let mut out = [1.0; 64];
        normalize(&[magnitude, -magnitude], &mut out).unwrap();
        assert!((out[0] - 0.5_f32.sqrt()).abs() < 1e-6 && out[1] == -out[0]);
        assert!(out[2..].iter().all(|&element| element == 0.0));
    }
}

#[test]
fn extreme_codes_overflow_nothing() {
    let stride = 8_192;
    let query = query_of(&vec![-1.0; stride]);
    let expected = score_codes(SimdPath::Portable, &vec![255; stride], 1.0, &query);
    assert!(expected < 0.0);
    for path in SimdPath::available() {
        for code in [0_u8, 1, 128, 255] {
            let codes = vec![code; stride];
            let portable = score_codes(SimdPath::Portable, &codes, 1.0, &query);
            assert_eq!(
                score_codes(path, &codes, 1.0, &query).to_bits(),
                portable.to_bits(),
                "{path:?} {code}"
            );
        }
    }
}

#[test]
fn nothing_to_scan_finds_nothing() {
    let query = query_of(&[1.0; 100]);
    let mut best = TopK::new(3);
    for path in SimdPath::available() {
        scan(path, &[], &[], query.stride(), None, 0, &query, &mut best);
        scan(
            path,
            &[],
            &[],
            query.stride(),
            Some(&[]),
            0,
            &query,
            &mut best,
        );
        assert!(best.as_slice().is_empty());
    }
}

/// The contract that the index relies on, over data where int8 alone gets the order wrong.
#[test]
fn rescoring_the_candidates_gives_the_exact_top_k() {
    for (seed, dimension, spiky) in [
        (1, 384, false),
        (2, 384, true),
        (3, 256, false),
        (4, 100, true),
    ] {
        let rows = Block::of(&vectors(seed, 3_001, dimension, spiky), dimension);
        let scale_max = rows.scales.iter().copied().fold(0.0, f32::max);
        for vector in vectors(seed + 100, 20, dimension, spiky) {
            let query = query_of(&vector);
            let k = 10;
            for path in SimdPath::available() {
                let mut wanted = (2 * k).max(k + 16);
                let found = loop {
                    let mut candidates = TopK::new(wanted);
                    rows.scan(path, None, 0, &query, &mut candidates);
                    let mut best = TopK::new(k);
                    for candidate in candidates.as_slice() {
                        best.push(
                            dot(path, rows.row(candidate.row as usize), query.row()),
                            candidate.row,
                        );
                    }
                    let left_out = candidates.threshold()
                        + score_error_bound(&query, scale_max, rows.dimension);
                    if best.threshold() >= left_out || wanted >= rows.scales.len() {
                        break best.into_sorted();
                    }
                    wanted *= 2;
                };
                let exact = rows.exact(&query, k);
                for (candidate, (score, _)) in found.iter().zip(&exact) {
                    assert!(
                        (f64::from(candidate.score) - score).abs() < 1e-6,
                        "{path:?} {found:?} {exact:?}"
                    );
                }
            }
        }
    }
}

fn check_paths_agree(
    rows: &Block,
    query: &Query,
    mask: Option<&[u64]>,
    k: usize,
    base_row: u32,
) -> TestCaseResult {
    let mut expected = TopK::new(k);
    for (row, &scale) in rows
        .scales
        .iter()
        .enumerate()
        .filter(|&(row, _)| allowed(mask, row))
    {
        let score = score_codes(SimdPath::Portable, rows.codes_of(row), scale, query);
        expected.push(score, base_row + row as u32);
    }
    let expected = expected.into_sorted();
    for path in SimdPath::available() {
        let mut best = TopK::new(k);
        rows.scan(path, mask, base_row, query, &mut best);
        let found = best.into_sorted();
        prop_assert_eq!(&found, &expected, "{:?}", path);
        for (one, other) in found.iter().zip(&expected) {
            prop_assert_eq!(one.score.to_bits(), other.score.to_bits());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_path_scores_alike(
        dimension in 1_usize..1_600,
        count in 1_usize..200,
        seed: u64,
        spiky: bool,
        masked: bool,
        k in 1_usize..150,
        base_row in 0_u32..1_000_000,
    ) {
        let rows = Block::of(&vectors(seed, count, dimension, spiky), dimension);
        let query = query_of(&vectors(seed ^ 0x99, 1, dimension, spiky)[0]);
        let mask = words(seed ^ 7, count.div_ceil(64));
        check_paths_agree(&rows, &query, masked.then_some(&mask[..]), k, base_row)?;
    }

    #[test]
    fn the_int8_score_is_within_its_bound(dimension in 1_usize..1_600, seed: u64, spiky: bool) {
        let rows = Block::of(&vectors(seed, 20, dimension, spiky), dimension);
        let scale_max = rows.scales.iter().copied().fold(0.0, f32::max);
        for vector in vectors(seed ^ 3, 3, dimension, spiky).iter().chain(&[rows.row(0)[..dimension].to_vec()]) {
            let query = query_of(vector);
            for row in 0..rows.scales.len() {
                let approximate = score_codes(SimdPath::best(), rows.codes_of(row), rows.scales[row], &query);
                let exact = exact_dot(rows.row(row), query.row());
                let in_floats = dot(SimdPath::best(), rows.row(row), query.row());
                let own = score_error_bound(&query, rows.scales[row], dimension);
                prop_assert!((f64::from(approximate) - exact).abs() <= f64::from(own));
                prop_assert!((approximate - in_floats).abs() <= own);
                prop_assert!(own <= score_error_bound(&query, scale_max, dimension));
            }
        }
    }

    #[test]
    fn the_bound_is_of_use(dimension in 64_usize..1_600, seed: u64) {
        let rows = Block::of(&vectors(seed, 1, dimension, false), dimension);
        let query = query_of(&vectors(seed ^ 3, 1, dimension, false)[0]);
        prop_assert!(score_error_bound(&query, rows.scales[0], dimension) < 0.02);
    }

    #[test]
    fn float_products_agree_on_every_path(dimension in 1_usize..1_600, seed: u64, spiky: bool) {
        let rows = Block::of(&vectors(seed, 2, dimension, spiky), dimension);
        let exact = exact_dot(rows.row(0), rows.row(1));
        let magnitude: f64 = rows.row(0).iter().zip(rows.row(1)).map(|(a, b)| f64::from((a * b).abs())).sum();
        for path in SimdPath::available() {
            let product = f64::from(dot(path, rows.row(0), rows.row(1)));
            prop_assert!((product - exact).abs() <= 1e-5 * magnitude, "{path:?}: {product} for {exact}");
        }
    }

    #[test]
    fn codes_stand_for_the_row_to_half_a_step(vector in prop::collection::vec(-1.0_f32..1.0, 1..200)) {
        prop_assume!(vector.iter().any(|&element| element.abs() > 1e-6));
        let mut unit = vec![0.0; padded(vector.len())];
        normalize(&vector, &mut unit).unwrap();
        let norm = exact_dot(&unit, &unit).sqrt();
        prop_assert!((norm - 1.0).abs() < 1e-6);
        let mut codes = vec![0; unit.len()];
        let scale = quantize(&unit[..vector.len()], &mut codes);
        for (&code, &element) in codes.iter().zip(&unit) {
            prop_assert!(code >= 1);
            let decoded = (f32::from(code) - 128.0) * scale;
            prop_assert!((decoded - element).abs() <= 0.5001 * scale);
        }
        prop_assert!(codes[vector.len()..].iter().all(|&code| code == 128));
    }

    #[test]
    fn the_best_k_are_those_of_a_sort(
        scores in prop::collection::vec((-8_i8..8).prop_map(|score| f32::from(score) / 4.0), 0..600),
        k in prop_oneof![0_usize..12, 60_usize..70, Just(4_096)],
        first_k in 0_usize..200,
    ) {
        let mut sorted: Vec<_> = scores.iter().enumerate().map(|(row, &score)| Candidate { score, row: row as u32 }).collect();
        sorted.sort_by(|one, other| other.score.total_cmp(&one.score).then(one.row.cmp(&other.row)));
        sorted.truncate(k);
        let mut best = TopK::new(first_k);
        best.push(100.0, 1);
        best.reset(k);
        for (row, &score) in scores.iter().enumerate().rev() {
            best.push(score, row as u32);
            best.push(f32::NAN, row as u32);
            let seen = scores.len() - row;
            prop_assert!(k == 0 || seen >= k || best.threshold() == f32::NEG_INFINITY);
        }
        prop_assert_eq!(best.as_slice(), &sorted[..]);
        if let Some(worst) = sorted.last().filter(|_| sorted.len() == k) {
            prop_assert_eq!(best.threshold(), worst.score);
        }
        prop_assert_eq!(best.into_sorted(), sorted);
    }
}
