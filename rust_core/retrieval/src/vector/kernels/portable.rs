//! Plain loops that the compiler can vectorise for any target.

use super::{BLOCK, BitBlocks, Estimate, Factor, Picked, ROWS_ABREAST};
use crate::vector::bits::PLANES;

pub(super) fn integer_dots(rows: impl Picked, query: Factor<'_>, out: &mut [i32; BLOCK]) {
    let stride = query.stride();
    for (place, product) in out.iter_mut().enumerate().take(rows.count()) {
        let row = rows.row(place, stride);
        // Both factors fit 16 bits, which lets the compiler use a multiply-add of 16-bit pairs.
        let raw: i32 = row
            .iter()
            .zip(query.codes)
            .map(|(&code, &element)| i32::from(i16::from(code)) * i32::from(i16::from(element)))
            .sum();
        *product = raw - query.correction;
    }
}

/// Sixteen sums side by side: an order of additions that a compiler may not choose on its own.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    for (a, b) in a.as_chunks::<16>().0.iter().zip(b.as_chunks::<16>().0) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

pub(super) fn next_estimates(
    blocks: BitBlocks<'_>,
    estimate: Estimate<'_>,
    threshold: f32,
    out: &mut [f32; BLOCK],
) -> Option<(usize, u64)> {
    let mut sums = [0; BLOCK];
    blocks.next(estimate.words(), |codes, factors, counted_factors| {
        bit_sums(codes, estimate.planes, &mut sums);
        super::estimates_of(&sums, estimate, factors, counted_factors, out);
        reaching(out, threshold)
    })
}

fn bit_sums(codes: &[u64], planes: &[u64], out: &mut [u32; BLOCK]) {
    let planes = planes.as_chunks::<PLANES>().0;
    let groups = codes.chunks(planes.len() * ROWS_ABREAST);
    for (codes, sums) in groups.zip(out.as_chunks_mut::<ROWS_ABREAST>().0) {
        *sums = [0; ROWS_ABREAST];
        for (words, planes) in codes.as_chunks::<ROWS_ABREAST>().0.iter().zip(planes) {
            for (sum, word) in sums.iter_mut().zip(words) {
                for (place, plane) in planes.iter().enumerate() {
                    *sum += (word & plane).count_ones() << place;
                }
            }
        }
    }
}

/// A bit for each score that reaches the threshold.
pub(super) fn reaching(scores: &[f32; BLOCK], threshold: f32) -> u64 {
    let bit = |(place, &score): (usize, &f32)| u64::from(score >= threshold) << place;
    scores.iter().enumerate().map(bit).sum()
}
