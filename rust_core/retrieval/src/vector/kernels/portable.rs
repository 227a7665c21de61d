//! Plain loops that the compiler can vectorise for any target.

use super::{BLOCK, Rows};

pub(super) fn integer_dots(rows: Rows<'_>, query: &[i8], out: &mut [i32; BLOCK]) {
    for (product, &pick) in out.iter_mut().zip(rows.picks) {
        let row = &rows.codes[usize::from(pick) * rows.stride..][..rows.stride];
        *product = row
            .iter()
            .zip(query)
            .map(|(&code, &element)| i32::from(code) * i32::from(element))
            .sum();
    }
}

/// Sixteen sums side by side: the order of additions that a compiler may not choose on its own.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    for (a, b) in a.as_chunks::<16>().0.iter().zip(b.as_chunks::<16>().0) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}
