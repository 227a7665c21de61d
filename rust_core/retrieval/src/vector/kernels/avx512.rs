//! AVX-512 with VNNI: 64 products of bytes an instruction.

use std::arch::x86_64::{
    __m128i, __m512i, _CMP_GE_OQ, _MM_HINT_T0, _mm_add_epi32, _mm_prefetch, _mm_set1_epi32,
    _mm_storeu_si128, _mm_sub_epi32, _mm256_add_epi32, _mm256_castsi256_si128,
    _mm256_extracti128_si256, _mm256_storeu_si256, _mm512_add_epi32, _mm512_add_epi64,
    _mm512_add_ps, _mm512_and_si512, _mm512_castsi512_si256, _mm512_cmp_ps_mask,
    _mm512_cvtepi64_epi32, _mm512_dpbusd_epi32, _mm512_extracti64x4_epi64, _mm512_fmadd_ps,
    _mm512_loadu_ps, _mm512_loadu_si512, _mm512_maskz_compress_epi32, _mm512_maskz_compress_ps,
    _mm512_popcnt_epi64, _mm512_reduce_add_ps, _mm512_set1_epi32, _mm512_set1_epi64,
    _mm512_set1_ps, _mm512_setr_epi32, _mm512_setzero_ps, _mm512_setzero_si512, _mm512_slli_epi64,
    _mm512_storeu_ps, _mm512_storeu_si512, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64,
    _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

use super::{BLOCK, BitBlocks, Estimate, Factor, GROUP, PREFETCH_BYTES, Picked, ROWS_ABREAST};
use crate::vector::LANE;
use crate::vector::bits::PLANES;

/// How far ahead the factors of 1-bit codes are asked for: those of the next block but one.
const PREFETCH_FACTORS: usize = 2 * BLOCK * size_of::<f32>();

/// # Safety
///
/// As [`super::integer_dots`] says.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn integer_dots(rows: impl Picked, query: Factor<'_>, out: &mut [i32; BLOCK]) {
    // The number of steps as a constant lets the compiler keep the query in registers.
    // SAFETY: as the caller vouches.
    unsafe {
        match query.stride() / LANE {
            6 => integer_dots_of::<6>(rows, query, out),
            12 => integer_dots_of::<12>(rows, query, out),
            16 => integer_dots_of::<16>(rows, query, out),
            24 => integer_dots_of::<24>(rows, query, out),
            _ => integer_dots_of::<0>(rows, query, out),
        }
    }
}

/// For rows of `LANES` registers, or of any length if it is 0.
///
/// # Safety
///
/// As [`super::integer_dots`] says.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn integer_dots_of<const LANES: usize>(
    rows: impl Picked,
    query: Factor<'_>,
    out: &mut [i32; BLOCK],
) {
    let lanes = if LANES == 0 {
        query.stride() / LANE
    } else {
        LANES
    };
    let correction = _mm_set1_epi32(query.correction);
    let codes = query.codes.as_ptr();
    rows.for_each_group(lanes * LANE, |place, rows, ahead| {
        let mut sums = [_mm512_setzero_si512(); GROUP];
        // A row after the other, as they lie: the processor fetches what follows one another ahead of the loads, and reads
        // across four rows at once would hide from it that they do. The query stays in registers all the while.
        for member in 0..GROUP {
            for offset in (0..lanes).map(|lane| lane * LANE) {
                // SAFETY: the query has `lanes * LANE` codes, and so has each row, all within the slices.
                unsafe {
                    let query = _mm512_loadu_si512(codes.add(offset).cast());
                    _mm_prefetch::<_MM_HINT_T0>(ahead[member].wrapping_add(offset).cast());
                    let row = _mm512_loadu_si512(rows[member].add(offset).cast());
                    sums[member] = _mm512_dpbusd_epi32(sums[member], row, query);
                }
            }
        }
        let products = _mm_sub_epi32(reduce(sums), correction);
        // SAFETY: `place` is a multiple of 4 below BLOCK, so that four values fit.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().add(place).cast(), products) };
    });
}

/// The sums of four registers, by a transposition of 4 x 4 within each 128 bits.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn reduce([a, b, c, d]: [__m512i; GROUP]) -> __m128i {
    let ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    let all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    let half = _mm256_add_epi32(
        _mm512_castsi512_si256(all),
        _mm512_extracti64x4_epi64::<1>(all),
    );
    _mm_add_epi32(
        _mm256_castsi256_si128(half),
        _mm256_extracti128_si256::<1>(half),
    )
}

/// # Safety
///
/// As [`super::dot`] says.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [_mm512_setzero_ps(); 4];
    for offset in (0..a.len()).step_by(LANE) {
        for (part, sum) in sums.iter_mut().enumerate() {
            // SAFETY: LANE elements from `offset` lie within both slices, 16 to a register.
            *sum = unsafe {
                let a = _mm512_loadu_ps(a.as_ptr().add(offset + 16 * part));
                let b = _mm512_loadu_ps(b.as_ptr().add(offset + 16 * part));
                _mm512_fmadd_ps(a, b, *sum)
            };
        }
    }
    let [first, second, third, fourth] = sums;
    _mm512_reduce_add_ps(_mm512_add_ps(
        _mm512_add_ps(first, second),
        _mm512_add_ps(third, fourth),
    ))
}

/// # Safety
///
/// As [`super::next_estimates`] says, and the CPU counts bits in registers.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx512vpopcntdq")]
pub(super) unsafe fn next_estimates(
    blocks: BitBlocks<'_>,
    estimate: Estimate<'_>,
    threshold: f32,
    out: &mut [f32; BLOCK],
) -> Option<(usize, u64)> {
    // The number of words as a constant lets the compiler keep the planes in registers.
    // SAFETY: as the caller vouches.
    unsafe {
        match estimate.planes.len() / PLANES {
            6 => next_estimates_of::<6>(blocks, estimate, threshold, out),
            12 => next_estimates_of::<12>(blocks, estimate, threshold, out),
            _ => next_estimates_of::<0>(blocks, estimate, threshold, out),
        }
    }
}

/// For rows of `WORDS` words, or of any length if it is 0.
///
/// # Safety
///
/// As [`next_estimates`] says.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx512vpopcntdq")]
unsafe fn next_estimates_of<const WORDS: usize>(
    blocks: BitBlocks<'_>,
    estimate: Estimate<'_>,
    threshold: f32,
    out: &mut [f32; BLOCK],
) -> Option<(usize, u64)> {
    let words = if WORDS == 0 { estimate.words() } else { WORDS };
    let mut sums = [0; BLOCK];
    blocks.next(words, |codes, factors, counted_factors| {
        // SAFETY: a block has `BLOCK` words of codes and `PLANES` words of planes for each of the `words`; a prefetch reads
        // nothing.
        unsafe {
            for factors in [factors, counted_factors] {
                for line in (0..size_of_val(factors)).step_by(64) {
                    let ahead = factors.as_ptr().cast::<i8>();
                    _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(PREFETCH_FACTORS + line));
                }
            }
            bit_sums(codes, words, estimate.planes, &mut sums);
        }
        super::estimates_of(&sums, estimate, factors, counted_factors, out);
        reaching(out, threshold)
    })
}

/// # Safety
///
/// The CPU counts bits in registers; there are [`BLOCK`] words of codes and [`PLANES`] words of planes for each of the
/// `words`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx512vpopcntdq")]
unsafe fn bit_sums(codes: &[u64], words: usize, planes: &[u64], out: &mut [u32; BLOCK]) {
    for group in 0..BLOCK / ROWS_ABREAST {
        let mut sums = [_mm512_setzero_si512(); PLANES];
        for word in 0..words {
            // SAFETY: as the caller vouches; a prefetch reads nothing.
            unsafe {
                let rows = codes.as_ptr().add((group * words + word) * ROWS_ABREAST);
                _mm_prefetch::<_MM_HINT_T0>(rows.cast::<i8>().wrapping_add(PREFETCH_BYTES));
                let rows = _mm512_loadu_si512(rows.cast());
                for (plane, sum) in sums.iter_mut().enumerate() {
                    let plane = planes.as_ptr().add(word * PLANES + plane).read();
                    let shared = _mm512_and_si512(rows, _mm512_set1_epi64(plane.cast_signed()));
                    *sum = _mm512_add_epi64(*sum, _mm512_popcnt_epi64(shared));
                }
            }
        }
        let [ones, twos, fours, eights] = sums;
        let low = _mm512_add_epi64(ones, _mm512_slli_epi64::<1>(twos));
        let high = _mm512_add_epi64(
            _mm512_slli_epi64::<2>(fours),
            _mm512_slli_epi64::<3>(eights),
        );
        let sums = _mm512_cvtepi64_epi32(_mm512_add_epi64(low, high));
        // SAFETY: eight values from `group * 8` lie within the block.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().add(group * ROWS_ABREAST).cast(), sums) };
    }
}

/// # Safety
///
/// As [`super::scores`] says.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn scores(
    dots: &[i32; BLOCK],
    scales: &[f32; BLOCK],
    query_scale: f32,
    threshold: f32,
    out: &mut [f32; BLOCK],
) -> u64 {
    super::scores_of(dots, scales, query_scale, out);
    reaching(out, threshold)
}

/// A bit for each score that reaches the threshold.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn reaching(scores: &[f32; BLOCK], threshold: f32) -> u64 {
    let threshold = _mm512_set1_ps(threshold);
    let parts = scores.as_chunks::<16>().0.iter().enumerate();
    parts.fold(0, |bits, (part, scores)| {
        // SAFETY: a register holds sixteen scores.
        let scores = unsafe { _mm512_loadu_ps(scores.as_ptr()) };
        let reaching = _mm512_cmp_ps_mask::<_CMP_GE_OQ>(scores, threshold);
        bits | u64::from(reaching) << (16 * part)
    })
}

/// # Safety
///
/// As [`super::lists::append`] says.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn append(
    scores: &[f32; BLOCK],
    reaching: u64,
    first_row: u32,
    (to_scores, to_rows): (&mut [f32], &mut [u32]),
) -> usize {
    let mut rows = _mm512_add_epi32(
        _mm512_set1_epi32(first_row.cast_signed()),
        _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
    );
    let mut count = 0;
    for (part, scores) in scores.as_chunks::<16>().0.iter().enumerate() {
        let reaching = (reaching >> (16 * part)) as u16;
        // SAFETY: a register holds sixteen values; when as many have been looked at for each of the parts before, at
        // most as many have been appended, so that sixteen more fit where there is room for a block.
        unsafe {
            let scores = _mm512_maskz_compress_ps(reaching, _mm512_loadu_ps(scores.as_ptr()));
            _mm512_storeu_ps(to_scores.as_mut_ptr().add(count), scores);
            let rows = _mm512_maskz_compress_epi32(reaching, rows);
            _mm512_storeu_si512(to_rows.as_mut_ptr().add(count).cast(), rows);
        }
        count += reaching.count_ones() as usize;
        rows = _mm512_add_epi32(rows, _mm512_set1_epi32(16));
    }
    count
}

/// # Safety
///
/// As [`super::lists::keep`] says.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn keep(scores: &mut [f32], rows: &mut [u32], floor: f32) -> usize {
    let least = _mm512_set1_ps(floor);
    let whole = scores.len() / 16 * 16;
    let mut kept = 0;
    for place in (0..whole).step_by(16) {
        // SAFETY: sixteen values from `place` lie within both lists, and no more have been kept than were looked at.
        unsafe {
            let (some, of_rows) = (
                _mm512_loadu_ps(scores.as_ptr().add(place)),
                _mm512_loadu_si512(rows.as_ptr().add(place).cast()),
            );
            let reaching = _mm512_cmp_ps_mask::<_CMP_GE_OQ>(some, least);
            let some = _mm512_maskz_compress_ps(reaching, some);
            let of_rows = _mm512_maskz_compress_epi32(reaching, of_rows);
            _mm512_storeu_ps(scores.as_mut_ptr().add(kept), some);
            _mm512_storeu_si512(rows.as_mut_ptr().add(kept).cast(), of_rows);
            kept += reaching.count_ones() as usize;
        }
    }
    super::lists::keep_from(scores, rows, floor, whole, kept)
}

/// # Safety
///
/// As [`super::lists::count`] says.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn count(scores: &[f32], floor: f32) -> usize {
    super::lists::count_of(scores, floor)
}

/// # Safety
///
/// As [`super::lists::range`] says.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn range(scores: &[f32]) -> (f32, f32) {
    super::lists::range_of(scores)
}
