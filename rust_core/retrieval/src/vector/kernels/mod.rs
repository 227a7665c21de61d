//! The inner loops, one module a path; all of them compute the same integers.
//!
//! A kernel takes rows in groups of four: the query is loaded once for all four, and their sums are reduced together.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

use super::{LANE, Query, SimdPath};

/// How many rows a kernel is given at a time: those of one word of a mask.
pub(super) const BLOCK: usize = 64;

/// How many rows a kernel scores side by side.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const GROUP: usize = 4;

/// How far ahead of the rows in hand a dense scan asks for memory: ten rows of 384. Runs with 2 and with 6 KB differed
/// from this by no more than runs of the same did.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const PREFETCH_BYTES: usize = 4096;

/// A block of rows to score: codes and which of the rows.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    /// The block's codes, rows of the query's stride one after another.
    pub(super) codes: &'a [u8],
    /// The rows to score, ascending; at most [`BLOCK`].
    pub(super) picks: &'a [u8],
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

/// The rows in groups of four with where in the output each group belongs and what to prefetch for a later one.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
impl Rows<'_> {
    /// Calls `score` for each group with the addresses of its rows and of what a later group will read.
    ///
    /// The last group repeats its last row until it is full. Inlined, so that `score` runs with its caller's features.
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
        let row = |pick: u8| base.wrapping_add(usize::from(pick) * stride);
        let dense = self.picks.len() == BLOCK;
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
    debug_assert!(path.is_available() && rows.are_within(query));
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
