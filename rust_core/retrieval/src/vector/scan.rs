//! The exhaustive scan over int8 codes, and single scores.

use super::kernels::{self, BLOCK, Rows};
use super::{LANE, Query, SimdPath, TopK};

/// The picks of a block without a mask: all of it.
const EVERY_ROW: [u8; BLOCK] = {
    let mut rows = [0; BLOCK];
    let mut row = 0;
    while row < BLOCK {
        rows[row] = row as u8;
        row += 1;
    }
    rows
};

/// Offers the int8 score of every row of one contiguous block to `best`, as row `base_row + i`.
///
/// # Arguments
///
/// * `codes`: `scales.len()` rows of `stride` codes (see [`quantize`](super::quantize)).
/// * `stride`: [`padded`](super::padded)`(dimension)`, as the query's.
/// * `mask`: bit `i % 64` of word `i / 64` lets row `i` of the block take part; None lets all. Bits beyond the rows are
///   ignored. A row that is left out is not read.
///
/// The scores are about `<query, row>`; [`score_error_bound`](super::score_error_bound) says how far off they can be.
/// Does not allocate, but for what `best` may have left to reserve.
///
/// # Panics
///
/// If the lengths do not agree as said, or the CPU cannot run `path`.
#[expect(
    clippy::too_many_arguments,
    reason = "the parts of a segment; a struct would be built for every call only to be taken apart"
)]
pub fn scan(
    path: SimdPath,
    codes: &[u8],
    scales: &[f32],
    stride: usize,
    mask: Option<&[u64]>,
    base_row: u32,
    query: &Query,
    best: &mut TopK,
) {
    assert_runs(path);
    assert_eq!(
        stride,
        query.stride(),
        "the rows' stride is not the query's"
    );
    assert_eq!(
        codes.len(),
        scales.len() * stride,
        "codes and scales disagree on the number of rows"
    );
    assert!(
        mask.is_none_or(|mask| mask.len() * BLOCK >= scales.len()),
        "the mask has fewer bits than there are rows"
    );
    if stride == 0 {
        return;
    }
    let mut dots = [0_i32; BLOCK];
    let mut picked = [0_u8; BLOCK];
    for (block, scales) in scales.chunks(BLOCK).enumerate() {
        let picks = match mask {
            None => &EVERY_ROW[..scales.len()],
            Some(mask) => pick(mask[block], scales.len(), &mut picked),
        };
        let codes = &codes[block * BLOCK * stride..][..scales.len() * stride];
        // SAFETY: the path runs here, `codes` are whole rows of the query's stride, one a scale, and the picks lie below
        // the number of scales.
        unsafe { kernels::integer_dots(path, Rows { codes, picks }, query, &mut dots) };
        let first = base_row + (block * BLOCK) as u32;
        offer(picks, &dots, scales, query, first, best);
    }
}

/// The rows whose bit is set, ascending.
fn pick(word: u64, rows: usize, picked: &mut [u8; BLOCK]) -> &[u8] {
    let mut left = if rows < BLOCK {
        word & ((1 << rows) - 1)
    } else {
        word
    };
    if left == u64::MAX {
        return &EVERY_ROW;
    }
    let count = left.count_ones() as usize;
    for slot in &mut picked[..count] {
        *slot = left.trailing_zeros() as u8;
        left &= left - 1;
    }
    &picked[..count]
}

/// Turns the products of a block into scores and offers those that the list may take.
///
/// Sixteen scores are compared at once, for a list that has filled takes few of them.
fn offer(
    picks: &[u8],
    dots: &[i32; BLOCK],
    scales: &[f32],
    query: &Query,
    first: u32,
    best: &mut TopK,
) {
    let mut scores = [0.0; BLOCK];
    if picks.len() == scales.len() {
        for ((score, &dot), &scale) in scores.iter_mut().zip(dots).zip(scales) {
            *score = score_of(dot, scale, query.scale());
        }
    } else {
        for ((score, &dot), &pick) in scores.iter_mut().zip(dots).zip(picks) {
            *score = score_of(dot, scales[usize::from(pick)], query.scale());
        }
    }
    for (picks, scores) in picks.chunks(16).zip(scores.as_chunks::<16>().0) {
        let threshold = best.threshold();
        let taken: u32 = scores
            .iter()
            .map(|&score| u32::from(score >= threshold))
            .sum();
        if taken > 0 {
            for (&pick, &score) in picks.iter().zip(scores) {
                best.push(score, first + u32::from(pick));
            }
        }
    }
}

/// The score of an integer product; the same operations in the same order everywhere.
#[inline]
fn score_of(dot: i32, scale: f32, query_scale: f32) -> f32 {
    dot as f32 * query_scale * scale
}

/// The int8 score of one row, bit for bit that of [`scan`].
///
/// # Panics
///
/// If the row's length is not the query's stride, or the CPU cannot run `path`.
#[must_use]
pub fn score_codes(path: SimdPath, codes_row: &[u8], scale: f32, query: &Query) -> f32 {
    assert_runs(path);
    assert_eq!(
        codes_row.len(),
        query.stride(),
        "the row's length is not the query's stride"
    );
    if codes_row.is_empty() {
        return 0.0;
    }
    let mut dots = [0; BLOCK];
    let rows = Rows {
        codes: codes_row,
        picks: &EVERY_ROW[..1],
    };
    // SAFETY: the path runs here, and the one row has the query's stride.
    unsafe { kernels::integer_dots(path, rows, query, &mut dots) };
    score_of(dots[0], scale, query.scale())
}

/// The product of two padded `f32` rows, for rescoring; paths differ in the order of the sum only.
///
/// # Panics
///
/// If the lengths differ or are not a multiple of 64, or the CPU cannot run `path`.
#[must_use]
pub fn dot(path: SimdPath, a: &[f32], b: &[f32]) -> f32 {
    assert_runs(path);
    assert!(
        a.len() == b.len() && a.len().is_multiple_of(LANE),
        "rows of {} and {} elements",
        a.len(),
        b.len()
    );
    // SAFETY: the path runs here, and the lengths are as the kernels need them.
    unsafe { kernels::dot(path, a, b) }
}

/// The kernels trust that their instructions exist.
fn assert_runs(path: SimdPath) {
    assert!(
        path.is_available(),
        "this CPU cannot run the path {}",
        path.name()
    );
}
