//! NEON, the baseline of 64-bit Arm.
//!
//! The dot product instructions (`sdot`) are an extension whose intrinsics are not stable; widening multiplication is.

use std::arch::aarch64::{
    int8x16_t, vaddq_f32, vaddq_u64, vaddvq_f32, vaddvq_s32, vandq_u64, vcntq_u8, vdupq_n_f32,
    vdupq_n_s32, vdupq_n_u8, vdupq_n_u64, veorq_u8, vfmaq_f32, vget_low_s8, vld1q_f32, vld1q_s8,
    vld1q_u8, vld1q_u64, vmlal_high_s8, vmlal_s8, vmull_high_s8, vmull_s8, vpadalq_s16,
    vpadalq_u32, vpaddlq_u8, vpaddlq_u16, vreinterpretq_s8_u8, vreinterpretq_u8_u64, vshlq_n_u64,
    vst1q_u64,
};

use super::{BLOCK, BitBlocks, Estimate, Factor, GROUP, Picked, ROWS_ABREAST, portable};
use crate::vector::bits::PLANES;
use crate::vector::{LANE, ZERO_CODE};

/// The bytes of two registers.
const STEP: usize = 32;

/// Flipping a code's top bit subtracts the offset. A product of signed bytes is at most 128 * 127, so that a 16-bit lane
/// holds two of them before it is added to the 32-bit sums.
///
/// # Safety
///
/// As [`super::integer_dots`] says.
#[target_feature(enable = "neon")]
pub(super) unsafe fn integer_dots(rows: impl Picked, query: Factor<'_>, out: &mut [i32; BLOCK]) {
    let stride = query.stride();
    let codes = query.codes.as_ptr();
    // The hardware prefetcher follows the rows; there is no stable intrinsic to help it.
    rows.for_each_group(stride, |place, rows, _ahead| {
        let mut sums = [vdupq_n_s32(0); GROUP];
        for offset in (0..stride).step_by(STEP) {
            // SAFETY: the query has `stride` codes, a multiple of STEP, and so has each row, all within the slices.
            unsafe {
                let first_query = vld1q_s8(codes.add(offset));
                let second_query = vld1q_s8(codes.add(offset + 16));
                for (sum, row) in sums.iter_mut().zip(rows) {
                    let first = signed(row.add(offset));
                    let second = signed(row.add(offset + 16));
                    let low = vmull_s8(vget_low_s8(first), vget_low_s8(first_query));
                    let low = vmlal_s8(low, vget_low_s8(second), vget_low_s8(second_query));
                    let high = vmull_high_s8(first, first_query);
                    let high = vmlal_high_s8(high, second, second_query);
                    *sum = vpadalq_s16(vpadalq_s16(*sum, low), high);
                }
            }
        }
        for (product, sum) in out[place..].iter_mut().zip(sums) {
            *product = vaddvq_s32(sum);
        }
    });
}

/// Sixteen codes without their offset.
///
/// # Safety
///
/// Sixteen bytes can be read from `codes`.
#[target_feature(enable = "neon")]
unsafe fn signed(codes: *const u8) -> int8x16_t {
    // SAFETY: as the caller vouches.
    let codes = unsafe { vld1q_u8(codes) };
    vreinterpretq_s8_u8(veorq_u8(codes, vdupq_n_u8(ZERO_CODE)))
}

/// # Safety
///
/// As [`super::dot`] says.
#[target_feature(enable = "neon")]
pub(super) unsafe fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [vdupq_n_f32(0.0); 8];
    for offset in (0..a.len()).step_by(LANE / 2) {
        for (part, sum) in sums.iter_mut().enumerate() {
            // SAFETY: LANE / 2 elements from `offset` lie within both slices, 4 to a register.
            *sum = unsafe {
                let a = vld1q_f32(a.as_ptr().add(offset + 4 * part));
                let b = vld1q_f32(b.as_ptr().add(offset + 4 * part));
                vfmaq_f32(*sum, a, b)
            };
        }
    }
    vaddvq_f32(
        sums.into_iter()
            .fold(vdupq_n_f32(0.0), |total, sum| vaddq_f32(total, sum)),
    )
}

/// # Safety
///
/// As [`super::next_estimates`] says.
#[target_feature(enable = "neon")]
pub(super) unsafe fn next_estimates(
    blocks: BitBlocks<'_>,
    estimate: Estimate<'_>,
    threshold: f32,
    out: &mut [f32; BLOCK],
) -> Option<(usize, u64)> {
    let mut sums = [0; BLOCK];
    blocks.next(estimate.words(), |codes, factors, counted_factors| {
        // SAFETY: a block has `BLOCK` words of codes for each `PLANES` words of planes.
        unsafe { bit_sums(codes, estimate.planes, &mut sums) };
        super::estimates_of(&sums, estimate, factors, counted_factors, out);
        portable::reaching(out, threshold)
    })
}

/// # Safety
///
/// The CPU has NEON; `codes` has [`BLOCK`] words for each [`PLANES`] words of `planes`, and there are whole ones.
#[target_feature(enable = "neon")]
unsafe fn bit_sums(codes: &[u64], planes: &[u64], out: &mut [u32; BLOCK]) {
    const ROWS: usize = 2;
    let words = planes.len() / PLANES;
    for first in (0..BLOCK).step_by(ROWS) {
        let group = first / ROWS_ABREAST * words * ROWS_ABREAST + first % ROWS_ABREAST;
        let mut sums = [vdupq_n_u64(0); PLANES];
        for word in 0..words {
            // SAFETY: there are `BLOCK` words of codes and `PLANES` words of planes for each of the `words`.
            unsafe {
                let rows = vld1q_u64(codes.as_ptr().add(group + word * ROWS_ABREAST));
                for (plane, sum) in sums.iter_mut().enumerate() {
                    let plane = vdupq_n_u64(planes.as_ptr().add(word * PLANES + plane).read());
                    let ones = vcntq_u8(vreinterpretq_u8_u64(vandq_u64(rows, plane)));
                    *sum = vpadalq_u32(*sum, vpaddlq_u16(vpaddlq_u8(ones)));
                }
            }
        }
        let [ones, twos, fours, eights] = sums;
        let low = vaddq_u64(ones, vshlq_n_u64::<1>(twos));
        let high = vaddq_u64(vshlq_n_u64::<2>(fours), vshlq_n_u64::<3>(eights));
        let mut totals = [0_u64; ROWS];
        // SAFETY: two words fit the array.
        unsafe { vst1q_u64(totals.as_mut_ptr(), vaddq_u64(low, high)) };
        for (out, total) in out[first..].iter_mut().zip(totals) {
            *out = total as u32;
        }
    }
}
