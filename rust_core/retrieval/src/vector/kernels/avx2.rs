//! AVX2 and FMA.

use std::arch::x86_64::{
    __m128i, __m256i, _CMP_GE_OQ, _MM_HINT_T0, _mm_add_epi32, _mm_add_ps, _mm_add_ss,
    _mm_cvtss_f32, _mm_movehdup_ps, _mm_movehl_ps, _mm_prefetch, _mm_set1_epi32, _mm_storeu_si128,
    _mm_sub_epi32, _mm256_add_epi8, _mm256_add_epi32, _mm256_add_epi64, _mm256_add_ps,
    _mm256_and_si256, _mm256_castps256_ps128, _mm256_castsi256_si128, _mm256_cmp_ps,
    _mm256_extractf128_ps, _mm256_extracti128_si256, _mm256_fmadd_ps, _mm256_loadu_ps,
    _mm256_loadu_si256, _mm256_madd_epi16, _mm256_movemask_ps, _mm256_sad_epu8, _mm256_set1_epi8,
    _mm256_set1_epi16, _mm256_set1_epi64x, _mm256_set1_ps, _mm256_setr_epi8, _mm256_setzero_ps,
    _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_slli_epi16, _mm256_slli_epi64,
    _mm256_srai_epi16, _mm256_srli_epi16, _mm256_storeu_si256, _mm256_unpackhi_epi32,
    _mm256_unpackhi_epi64, _mm256_unpacklo_epi32, _mm256_unpacklo_epi64,
};

use super::{BLOCK, BitBlocks, Estimate, Factor, GROUP, Picked, ROWS_ABREAST};
use crate::vector::LANE;
use crate::vector::bits::PLANES;

/// The bytes of a register.
const STEP: usize = 32;

/// `vpmaddubsw` would saturate: two products of 255 * 127 exceed 16 bits. So the even and the odd bytes are widened to
/// 16 bits in place (a mask, a shift) and multiplied by `vpmaddwd`, whose sums of two fit 32 bits.
///
/// # Safety
///
/// As [`super::integer_dots`] says.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn integer_dots(rows: impl Picked, query: Factor<'_>, out: &mut [i32; BLOCK]) {
    let stride = query.stride();
    let correction = _mm_set1_epi32(query.correction);
    let low_bytes = _mm256_set1_epi16(0xFF);
    let codes = query.codes.as_ptr();
    rows.for_each_group(stride, |place, rows, ahead| {
        let mut sums = [_mm256_setzero_si256(); GROUP];
        for offset in (0..stride).step_by(STEP) {
            // SAFETY: the query has `stride` codes, a multiple of STEP, and so has each row, all within the slices.
            unsafe {
                let query = _mm256_loadu_si256(codes.add(offset).cast());
                let even_query = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(query));
                let odd_query = _mm256_srai_epi16::<8>(query);
                for member in 0..GROUP {
                    if offset % LANE == 0 {
                        _mm_prefetch::<_MM_HINT_T0>(ahead[member].wrapping_add(offset).cast());
                    }
                    let row = _mm256_loadu_si256(rows[member].add(offset).cast());
                    let even = _mm256_madd_epi16(_mm256_and_si256(row, low_bytes), even_query);
                    let odd = _mm256_madd_epi16(_mm256_srli_epi16::<8>(row), odd_query);
                    sums[member] = _mm256_add_epi32(sums[member], _mm256_add_epi32(even, odd));
                }
            }
        }
        let products = _mm_sub_epi32(reduce(sums), correction);
        // SAFETY: `place` is a multiple of 4 below BLOCK, so that four values fit.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().add(place).cast(), products) };
    });
}

/// The sums of four registers, by a transposition of 4 x 4 within each 128 bits.
#[target_feature(enable = "avx2,fma")]
fn reduce([a, b, c, d]: [__m256i; GROUP]) -> __m128i {
    let ab = _mm256_add_epi32(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
    let cd = _mm256_add_epi32(_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
    let all = _mm256_add_epi32(_mm256_unpacklo_epi64(ab, cd), _mm256_unpackhi_epi64(ab, cd));
    _mm_add_epi32(
        _mm256_castsi256_si128(all),
        _mm256_extracti128_si256::<1>(all),
    )
}

/// # Safety
///
/// As [`super::dot`] says.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [_mm256_setzero_ps(); 8];
    for offset in (0..a.len()).step_by(LANE) {
        for (part, sum) in sums.iter_mut().enumerate() {
            // SAFETY: LANE elements from `offset` lie within both slices, 8 to a register.
            *sum = unsafe {
                let a = _mm256_loadu_ps(a.as_ptr().add(offset + 8 * part));
                let b = _mm256_loadu_ps(b.as_ptr().add(offset + 8 * part));
                _mm256_fmadd_ps(a, b, *sum)
            };
        }
    }
    let sum = sums
        .into_iter()
        .fold(_mm256_setzero_ps(), |total, sum| _mm256_add_ps(total, sum));
    let four = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps::<1>(sum));
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
}

/// A byte of each row counts at most 8 bits a word, so that so many words fit its 8 bits.
const WORDS_IN_A_BYTE: usize = 31;

/// # Safety
///
/// The CPU has AVX2 and FMA; `codes` has [`BLOCK`] words for each [`PLANES`] words of `planes`, and there are whole ones.
#[target_feature(enable = "avx2,fma")]
unsafe fn bit_sums(codes: &[u64], planes: &[u64], out: &mut [u32; BLOCK]) {
    const ROWS: usize = 4;
    let words = planes.len() / PLANES;
    for first in (0..BLOCK).step_by(ROWS) {
        let group = first / ROWS_ABREAST * words * ROWS_ABREAST + first % ROWS_ABREAST;
        let mut sums = [_mm256_setzero_si256(); PLANES];
        for stretch in (0..words).step_by(WORDS_IN_A_BYTE) {
            let mut bytes = [_mm256_setzero_si256(); PLANES];
            for word in stretch..words.min(stretch + WORDS_IN_A_BYTE) {
                // SAFETY: there are `BLOCK` words of codes and `PLANES` words of planes for each of the `words`.
                unsafe {
                    let rows = codes.as_ptr().add(group + word * ROWS_ABREAST);
                    let rows = _mm256_loadu_si256(rows.cast());
                    for (plane, bytes) in bytes.iter_mut().enumerate() {
                        let plane = planes.as_ptr().add(word * PLANES + plane).read();
                        let shared =
                            _mm256_and_si256(rows, _mm256_set1_epi64x(plane.cast_signed()));
                        *bytes = _mm256_add_epi8(*bytes, count_ones(shared));
                    }
                }
            }
            for (sum, bytes) in sums.iter_mut().zip(bytes) {
                let counts = _mm256_sad_epu8(bytes, _mm256_setzero_si256());
                *sum = _mm256_add_epi64(*sum, counts);
            }
        }
        let [ones, twos, fours, eights] = sums;
        let low = _mm256_add_epi64(ones, _mm256_slli_epi64::<1>(twos));
        let high = _mm256_add_epi64(
            _mm256_slli_epi64::<2>(fours),
            _mm256_slli_epi64::<3>(eights),
        );
        let mut totals = [0_u64; ROWS];
        // SAFETY: four words fit the array.
        unsafe { _mm256_storeu_si256(totals.as_mut_ptr().cast(), _mm256_add_epi64(low, high)) };
        for (out, total) in out[first..].iter_mut().zip(totals) {
            *out = total as u32;
        }
    }
}

/// The number of ones in each byte, half a byte at a time from a table (Mula, Kurz and Lemire, Faster Population Counts
/// Using AVX2 Instructions, 2018).
#[target_feature(enable = "avx2,fma")]
fn count_ones(bytes: __m256i) -> __m256i {
    let table = _mm256_setr_epi8(
        0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3,
        3, 4,
    );
    let half = _mm256_set1_epi8(0x0F);
    let low = _mm256_and_si256(bytes, half);
    let high = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), half);
    _mm256_add_epi8(
        _mm256_shuffle_epi8(table, low),
        _mm256_shuffle_epi8(table, high),
    )
}

/// # Safety
///
/// As [`super::scores`] says.
#[target_feature(enable = "avx2,fma")]
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

/// # Safety
///
/// As [`super::next_estimates`] says.
#[target_feature(enable = "avx2,fma")]
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
        reaching(out, threshold)
    })
}

/// A bit for each score that reaches the threshold.
#[target_feature(enable = "avx2,fma")]
fn reaching(scores: &[f32; BLOCK], threshold: f32) -> u64 {
    let threshold = _mm256_set1_ps(threshold);
    let parts = scores.as_chunks::<8>().0.iter().enumerate();
    parts.fold(0, |bits, (part, scores)| {
        // SAFETY: a register holds eight scores.
        let scores = unsafe { _mm256_loadu_ps(scores.as_ptr()) };
        let reaching = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(scores, threshold));
        bits | u64::from(reaching.cast_unsigned()) << (8 * part)
    })
}

/// # Safety
///
/// As [`super::lists::count`] says.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn count(scores: &[f32], floor: f32) -> usize {
    super::lists::count_of(scores, floor)
}

/// # Safety
///
/// As [`super::lists::range`] says.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn range(scores: &[f32]) -> (f32, f32) {
    super::lists::range_of(scores)
}
