//! The inner loops, one module a path; all of them compute the same integers.

mod portable;

use super::SimdPath;

/// How many rows a kernel is given at a time: those of one word of a mask.
pub(super) const BLOCK: usize = 64;

/// A block of rows to score: codes and which of the rows.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    /// The block's codes, rows of `stride` one after another.
    pub(super) codes: &'a [u8],
    /// The length of a row; a multiple of 64, that of the query's codes.
    pub(super) stride: usize,
    /// The rows to score, each below `codes.len() / stride`.
    pub(super) picks: &'a [u8],
}

impl Rows<'_> {
    /// What each kernel relies on.
    fn check(&self, query: &[i8], out: &[i32; BLOCK]) {
        let last = self.picks.iter().copied().max().unwrap_or(0);
        debug_assert!(self.stride.is_multiple_of(super::LANE) && query.len() == self.stride);
        debug_assert!(self.picks.len() <= out.len());
        debug_assert!(
            self.picks.is_empty() || (usize::from(last) + 1) * self.stride <= self.codes.len()
        );
    }
}

/// Writes `Σ code * query` of each picked row to `out`, in the order of the picks.
pub(super) fn integer_dots(path: SimdPath, rows: Rows<'_>, query: &[i8], out: &mut [i32; BLOCK]) {
    rows.check(query, out);
    match path {
        _ => portable::integer_dots(rows, query, out),
    }
}

/// `Σ a * b`; the lengths are equal and a multiple of 64.
pub(super) fn dot(path: SimdPath, a: &[f32], b: &[f32]) -> f32 {
    match path {
        _ => portable::dot(a, b),
    }
}
