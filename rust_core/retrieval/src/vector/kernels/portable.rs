//! Plain loops that the compiler can vectorise for any target.

use super::{BLOCK, Query, Rows};

pub(super) fn integer_dots(rows: Rows<'_>, query: &Query, out: &mut [i32; BLOCK]) {
    let stride = query.stride();
    for (product, &pick) in out.iter_mut().zip(rows.picks) {
        let row = &rows.codes[usize::from(pick) * stride..][..stride];
        // Both factors fit 16 bits, which lets the compiler use a multiply-add of 16-bit pairs.
        let raw: i32 = row
            .iter()
            .zip(query.codes())
            .map(|(&code, &element)| i32::from(i16::from(code)) * i32::from(i16::from(element)))
            .sum();
        *product = raw - query.correction();
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
