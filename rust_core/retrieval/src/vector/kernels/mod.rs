//! The inner loops, one module a path; all of them compute the same integers.
//!
//! A kernel takes rows in groups of four: the query is loaded once for all four, and their sums are reduced together.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub(super) mod lists;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

use super::bits::PLANES;
use super::{LANE, Query, SimdPath};

/// How many rows a kernel is given at most: those of one word of a mask.
pub(super) const BLOCK: usize = 64;

/// How many rows a kernel scores side by side.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const GROUP: usize = 4;

/// How far ahead of the rows in hand a dense scan asks for memory: ten rows of 384. Runs with 2 and with 6 KB differed
/// from this by no more than runs of the same did.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const PREFETCH_BYTES: usize = 4096;

/// Rows to score: codes and which of the rows.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    /// Codes, rows of the query's stride one after another.
    pub(super) codes: &'a [u8],
    /// The rows to score, ascending; at most [`BLOCK`].
    pub(super) picks: &'a [u16],
}

impl Rows<'_> {
    fn are_within(&self, query: &Query) -> bool {
        let end = self
            .picks
            .iter()
            .max()
            .map_or(0, |&last| usize::from(last) + 1);
        self.picks.len() <= BLOCK && end * query.stride() <= self.codes.len()
    }
}

/// Rows to score that lie anywhere; at most [`BLOCK`], and their caller has asked for their memory.
#[derive(Clone, Copy)]
pub(super) struct Scattered<'a>(pub(super) &'a [&'a [u8]]);

/// One row's or query's side of integer products.
#[derive(Clone, Copy)]
pub(super) struct Factor<'a> {
    /// Codes without the offset, a multiple of [`LANE`] of them.
    pub(super) codes: &'a [i8],
    /// What the offset of the other side's codes adds to each product.
    pub(super) correction: i32,
}

impl Factor<'_> {
    fn stride(&self) -> usize {
        self.codes.len()
    }
}

/// Where the rows lie that a kernel scores.
pub(super) trait Picked: Copy {
    /// How many.
    fn count(self) -> usize;

    /// The codes of one of them.
    fn row(&self, place: usize, stride: usize) -> &[u8];

    /// Calls `score` for each group of four with its place in the output, the addresses of its rows and of what a later
    /// group will read.
    ///
    /// The last group repeats its last row until it is full. To be inlined, so that `score` runs with its caller's
    /// features.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    fn for_each_group(
        self,
        stride: usize,
        score: impl FnMut(usize, [*const u8; GROUP], [*const u8; GROUP]),
    );
}

impl Picked for Scattered<'_> {
    fn count(self) -> usize {
        self.0.len()
    }

    fn row(&self, place: usize, _stride: usize) -> &[u8] {
        self.0[place]
    }

    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    #[expect(
        clippy::inline_always,
        reason = "it must become part of a function with the SIMD features"
    )]
    #[inline(always)]
    fn for_each_group(
        self,
        _stride: usize,
        mut score: impl FnMut(usize, [*const u8; GROUP], [*const u8; GROUP]),
    ) {
        for (group, rows) in self.0.chunks(GROUP).enumerate() {
            let last = rows.len() - 1;
            let rows = [0, 1, 2, 3].map(|member: usize| rows[member.min(last)].as_ptr());
            score(group * GROUP, rows, rows);
        }
    }
}

impl Picked for Rows<'_> {
    fn count(self) -> usize {
        self.picks.len()
    }

    fn row(&self, place: usize, stride: usize) -> &[u8] {
        &self.codes[usize::from(self.picks[place]) * stride..][..stride]
    }

    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    #[expect(
        clippy::inline_always,
        reason = "it must become part of a function with the SIMD features"
    )]
    #[inline(always)]
    fn for_each_group(
        self,
        stride: usize,
        mut score: impl FnMut(usize, [*const u8; GROUP], [*const u8; GROUP]),
    ) {
        let base = self.codes.as_ptr();
        // Only compared and prefetched when it lies outside of the codes, hence wrapping.
        let row = |pick: u16| base.wrapping_add(usize::from(pick) * stride);
        let dense =
            self.picks.len() == BLOCK && self.picks[BLOCK - 1] - self.picks[0] == BLOCK as u16 - 1;
        for (group, picks) in self.picks.chunks(GROUP).enumerate() {
            let last = picks.len() - 1;
            let rows = [0, 1, 2, 3].map(|member: usize| row(picks[member.min(last)]));
            let ahead = if dense {
                rows.map(|row| row.wrapping_add(PREFETCH_BYTES))
            } else {
                let next = GROUP * (group + 2);
                [0, 1, 2, 3].map(|member| {
                    self.picks
                        .get(next + member)
                        .map_or(rows[member], |&pick| row(pick))
                })
            };
            score(group * GROUP, rows, ahead);
        }
    }
}

/// Writes `Σ (code - 128) * query` of each picked row to `out`, in the order of the picks; the rest of `out` is undefined.
///
/// # Safety
///
/// The CPU can run `path`. `rows.picks` are at most [`BLOCK`], and each names a whole row of the query's stride within
/// `rows.codes`.
pub(super) unsafe fn integer_dots(
    path: SimdPath,
    rows: Rows<'_>,
    query: &Query,
    out: &mut [i32; BLOCK],
) {
    debug_assert!(rows.are_within(query));
    let query = Factor {
        codes: query.codes(),
        correction: query.correction(),
    };
    // SAFETY: as the caller vouches.
    unsafe { products(path, rows, query, out) }
}

/// The same of rows that lie anywhere.
///
/// # Safety
///
/// The CPU can run `path`. There are at most [`BLOCK`] rows, each of the factor's stride.
pub(super) unsafe fn scattered_dots(
    path: SimdPath,
    rows: Scattered<'_>,
    factor: Factor<'_>,
    out: &mut [i32; BLOCK],
) {
    debug_assert!(rows.0.iter().all(|row| row.len() == factor.stride()));
    // SAFETY: as the caller vouches.
    unsafe { products(path, rows, factor, out) }
}

/// # Safety
///
/// The CPU can run `path`. There are at most [`BLOCK`] rows, each of the factor's stride.
unsafe fn products(path: SimdPath, rows: impl Picked, query: Factor<'_>, out: &mut [i32; BLOCK]) {
    debug_assert!(path.is_available());
    match path {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the caller vouches for the instructions and the rows.
        SimdPath::Avx512Vnni => unsafe { avx512::integer_dots(rows, query, out) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        SimdPath::Avx2 => unsafe { avx2::integer_dots(rows, query, out) },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: as above.
        SimdPath::Neon => unsafe { neon::integer_dots(rows, query, out) },
        _ => portable::integer_dots(rows, query, out),
    }
}

/// `Σ a * b`.
///
/// # Safety
///
/// The CPU can run `path`; the lengths are equal and a multiple of [`LANE`].
pub(super) unsafe fn dot(path: SimdPath, a: &[f32], b: &[f32]) -> f32 {
    debug_assert!(path.is_available() && a.len() == b.len() && a.len().is_multiple_of(LANE));
    match path {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the caller vouches for the instructions and the lengths.
        SimdPath::Avx512Vnni => unsafe { avx512::dot(a, b) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        SimdPath::Avx2 => unsafe { avx2::dot(a, b) },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: as above.
        SimdPath::Neon => unsafe { neon::dot(a, b) },
        _ => portable::dot(a, b),
    }
}

/// Turns integer products into scores; a bit for each says whether it reaches the threshold.
///
/// # Safety
///
/// The CPU can run `path`.
pub(super) unsafe fn scores(
    path: SimdPath,
    dots: &[i32; BLOCK],
    scales: &[f32; BLOCK],
    query_scale: f32,
    threshold: f32,
    out: &mut [f32; BLOCK],
) -> u64 {
    debug_assert!(path.is_available());
    match path {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the caller vouches for the instructions.
        SimdPath::Avx512Vnni => unsafe {
            avx512::scores(dots, scales, query_scale, threshold, out)
        },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        SimdPath::Avx2 => unsafe { avx2::scores(dots, scales, query_scale, threshold, out) },
        _ => {
            scores_of(dots, scales, query_scale, out);
            portable::reaching(out, threshold)
        }
    }
}

/// Inlined, so that it is compiled for its caller's features; no feature changes a result.
#[expect(
    clippy::inline_always,
    reason = "it must become part of a function with the SIMD features"
)]
#[inline(always)]
fn scores_of(dots: &[i32; BLOCK], scales: &[f32; BLOCK], query_scale: f32, out: &mut [f32; BLOCK]) {
    for ((score, &dot), &scale) in out.iter_mut().zip(dots).zip(scales) {
        *score = score_of(dot, scale, query_scale);
    }
}

/// The score of an integer product; the same operations in the same order everywhere.
#[inline]
pub(super) fn score_of(dot: i32, scale: f32, query_scale: f32) -> f32 {
    dot as f32 * query_scale * scale
}

/// How many rows lie side by side in a block of 1-bit codes: those whose words fill an AVX-512 register.
pub(super) const ROWS_ABREAST: usize = 8;

/// 1-bit codes, a block of [`BLOCK`] rows for each element.
#[derive(Clone, Copy)]
pub(super) struct BitBlocks<'a> {
    /// Groups of [`ROWS_ABREAST`] rows: the first word of each row, the second word of each, and so on.
    pub(super) codes: &'a [u64],
    pub(super) factors: &'a [[f32; BLOCK]],
    /// The same times the ones in each row's code.
    pub(super) counted_factors: &'a [[f32; BLOCK]],
    /// A bit for each row that takes part.
    pub(super) selected: &'a [u64],
}

impl BitBlocks<'_> {
    /// The first block of rows of so many words in which one that takes part reaches the threshold, and a bit for each
    /// such row; `estimate` writes a block's estimates and says which reach it.
    #[expect(
        clippy::inline_always,
        reason = "it must become part of a function with the SIMD features"
    )]
    #[inline(always)]
    fn next(
        self,
        words: usize,
        mut estimate: impl FnMut(&[u64], &[f32; BLOCK], &[f32; BLOCK]) -> u64,
    ) -> Option<(usize, u64)> {
        let codes = self.codes.chunks_exact(words * BLOCK);
        let factors = self.factors.iter().zip(self.counted_factors);
        let blocks = codes.zip(factors).zip(self.selected).enumerate();
        for (block, ((codes, (factors, counted_factors)), &selected)) in blocks {
            if selected == 0 {
                continue;
            }
            let reaching = estimate(codes, factors, counted_factors) & selected;
            if reaching != 0 {
                return Some((block, reaching));
            }
        }
        None
    }

    /// Without the first `count` blocks of rows of so many words.
    pub(super) fn after(self, count: usize, words: usize) -> Self {
        Self {
            codes: &self.codes[count * words * BLOCK..],
            factors: &self.factors[count..],
            counted_factors: &self.counted_factors[count..],
            selected: &self.selected[count..],
        }
    }
}

/// What turns the bits that a row shares with a query into an estimate of their product.
#[derive(Clone, Copy)]
pub(super) struct Estimate<'a> {
    /// [`PLANES`] words for each word of a row, that of the lowest plane first.
    pub(super) planes: &'a [u64],
    /// The query's product with the mean of the rows.
    pub(super) base: f32,
    /// What one unit of a sum stands for.
    pub(super) step: f32,
    /// What is taken off each product.
    pub(super) offset: f32,
    /// What each one in a code adds.
    pub(super) lowest: f32,
}

impl Estimate<'_> {
    /// How many words a row has.
    pub(super) fn words(&self) -> usize {
        self.planes.len() / PLANES
    }
}

/// Sums over the query's planes `p` `2^p` times the number of bits that a row shares with the plane, and estimates the
/// row's product with the query from that, for one block after another until a row that takes part reaches the threshold.
///
/// Returns the block, whose estimates are in `out` then, and a bit for each such row.
///
/// # Safety
///
/// The CPU can run `path`.
pub(super) unsafe fn next_estimates(
    path: SimdPath,
    blocks: BitBlocks<'_>,
    estimate: Estimate<'_>,
    threshold: f32,
    out: &mut [f32; BLOCK],
) -> Option<(usize, u64)> {
    debug_assert!(path.is_available());
    match path {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the caller vouches for AVX-512 but for the instruction that is asked for here.
        SimdPath::Avx512Vnni if is_x86_feature_detected!("avx512vpopcntdq") => unsafe {
            avx512::next_estimates(blocks, estimate, threshold, out)
        },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above; a CPU with AVX-512 has AVX2.
        SimdPath::Avx512Vnni | SimdPath::Avx2 => unsafe {
            avx2::next_estimates(blocks, estimate, threshold, out)
        },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: as above.
        SimdPath::Neon => unsafe { neon::next_estimates(blocks, estimate, threshold, out) },
        _ => portable::next_estimates(blocks, estimate, threshold, out),
    }
}

/// Inlined, so that it is compiled for its caller's features; no feature changes a result.
#[expect(
    clippy::inline_always,
    reason = "it must become part of a function with the SIMD features"
)]
#[inline(always)]
fn estimates_of(
    sums: &[u32; BLOCK],
    estimate: Estimate<'_>,
    factors: &[f32; BLOCK],
    counted_factors: &[f32; BLOCK],
    out: &mut [f32; BLOCK],
) {
    let factors = factors.iter().zip(counted_factors);
    for ((out, sum), (factor, counted)) in out.iter_mut().zip(sums).zip(factors) {
        // Sums are far below 2^24, so that a signed conversion, of which there is a vector instruction, is exact.
        let product = sum.cast_signed() as f32 * estimate.step - estimate.offset;
        *out = estimate.base + (factor * product + counted * estimate.lowest);
    }
}

/// Asks for a row's memory before it is read.
#[inline]
pub(super) fn prefetch<T>(row: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for offset in (0..size_of_val(row)).step_by(64) {
        // SAFETY: SSE belongs to x86-64, and a prefetch reads nothing.
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(
                row.as_ptr().cast::<i8>().wrapping_add(offset),
            );
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = row; // there is no stable intrinsic to do it
}
