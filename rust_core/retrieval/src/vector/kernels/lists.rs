//! What lists of scores are asked, in the instructions of a path.

use super::BLOCK;
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
use crate::vector::SimdPath;

/// How many partial results a reduction keeps side by side.
const LANES: usize = 16;

/// Appends the scores whose bit is set, and their rows: row `i` as `first_row + i`. How many they are; what lies behind
/// them is undefined.
///
/// # Safety
///
/// The CPU can run `path`, and each list has room for a block.
pub(in super::super) unsafe fn append(
    path: SimdPath,
    scores: &[f32; BLOCK],
    reaching: u64,
    first_row: u32,
    to: (&mut [f32], &mut [u32]),
) -> usize {
    debug_assert!(path.is_available() && to.0.len() >= BLOCK && to.1.len() >= BLOCK);
    match path {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the caller vouches for the instructions and the room.
        SimdPath::Avx512Vnni => unsafe { avx512::append(scores, reaching, first_row, to) },
        _ => append_each(scores, reaching, first_row, to),
    }
}

fn append_each(
    scores: &[f32; BLOCK],
    mut reaching: u64,
    first_row: u32,
    (to_scores, to_rows): (&mut [f32], &mut [u32]),
) -> usize {
    let mut count = 0;
    while reaching != 0 {
        let place = reaching.trailing_zeros();
        to_scores[count] = scores[place as usize];
        to_rows[count] = first_row + place;
        count += 1;
        reaching &= reaching - 1;
    }
    count
}

/// Moves the scores that reach a floor, and their rows, to the front in their order; how many they are.
///
/// # Safety
///
/// The CPU can run `path`; the lists are of one length.
pub(in super::super) unsafe fn keep(
    path: SimdPath,
    scores: &mut [f32],
    rows: &mut [u32],
    floor: f32,
) -> usize {
    debug_assert!(path.is_available() && scores.len() == rows.len());
    match path {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the caller vouches for the instructions and the lengths.
        SimdPath::Avx512Vnni => unsafe { avx512::keep(scores, rows, floor) },
        _ => keep_from(scores, rows, floor, 0, 0),
    }
}

/// The same from a place on, behind those that have been kept already.
#[inline]
pub(super) fn keep_from(
    scores: &mut [f32],
    rows: &mut [u32],
    floor: f32,
    from: usize,
    mut kept: usize,
) -> usize {
    // Without a branch, because which rows stay is a matter of chance.
    for place in from..scores.len().min(rows.len()) {
        let score = scores[place];
        scores[kept] = score;
        rows[kept] = rows[place];
        kept += usize::from(score >= floor);
    }
    kept
}

/// How many scores reach a floor.
///
/// # Safety
///
/// The CPU can run `path`.
pub(in super::super) unsafe fn count(path: SimdPath, scores: &[f32], floor: f32) -> usize {
    debug_assert!(path.is_available());
    match path {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the caller vouches for the instructions.
        SimdPath::Avx512Vnni => unsafe { avx512::count(scores, floor) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        SimdPath::Avx2 => unsafe { avx2::count(scores, floor) },
        _ => count_of(scores, floor),
    }
}

/// Inlined, so that it is compiled for its caller's features.
#[expect(
    clippy::inline_always,
    reason = "it must become part of a function with the SIMD features"
)]
#[inline(always)]
pub(super) fn count_of(scores: &[f32], floor: f32) -> usize {
    let reaches = scores.iter().map(|&score| u32::from(score >= floor));
    reaches.sum::<u32>() as usize
}

/// The least and the greatest score.
///
/// # Safety
///
/// The CPU can run `path`.
pub(in super::super) unsafe fn range(path: SimdPath, scores: &[f32]) -> (f32, f32) {
    debug_assert!(path.is_available());
    match path {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the caller vouches for the instructions.
        SimdPath::Avx512Vnni => unsafe { avx512::range(scores) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        SimdPath::Avx2 => unsafe { avx2::range(scores) },
        _ => range_of(scores),
    }
}

/// Inlined, so that it is compiled for its caller's features.
#[expect(
    clippy::inline_always,
    reason = "it must become part of a function with the SIMD features"
)]
#[inline(always)]
pub(super) fn range_of(scores: &[f32]) -> (f32, f32) {
    // Side by side and by comparison: `min` and `max` one after another wait for each other and look for NaN.
    let mut least = [f32::INFINITY; LANES];
    let mut greatest = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = scores.as_chunks::<LANES>();
    for chunk in chunks.iter().map(<[f32; LANES]>::as_slice).chain([rest]) {
        for ((least, greatest), &score) in least.iter_mut().zip(&mut greatest).zip(chunk) {
            *least = if score < *least { score } else { *least };
            *greatest = if score > *greatest { score } else { *greatest };
        }
    }
    (
        least.into_iter().fold(f32::INFINITY, f32::min),
        greatest.into_iter().fold(f32::NEG_INFINITY, f32::max),
    )
}
