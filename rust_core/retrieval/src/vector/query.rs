//! The query's side of a score, and how far an int8 score can be from the exact one.

use super::quantize::{quantize_signed, sum};
use super::{Aligned, LANE, MAX_STRIDE, padded};

/// The largest error of a code in units of the scale: half for the rounding, the rest for `x * (127 / max)` in `f32`,
/// which is off by at most three roundings of a value up to 127 (127 * 3 * 2^-24 < 3e-5).
const MAX_CODE_ERROR: f64 = 0.500_1;

/// A unit row's length in `f32` differs from 1 by less than this.
const NORM_SLACK: f64 = 1e-4;

/// A query prepared once: the unit row for exact scores, its codes for the scan, both padded and aligned.
#[derive(Clone, Debug, Default)]
pub struct Query {
    row: Aligned<f32>,
    codes: Aligned<i8>,
    scale: f32,
    correction: i32,
    residual_norm: f64,
    decoded_l1: f64,
}

impl Query {
    /// Prepares a vector of unit length (see [`normalize`](super::normalize)), padded or not.
    ///
    /// # Panics
    ///
    /// If it is longer than [`MAX_STRIDE`].
    #[must_use]
    pub fn new(unit: &[f32]) -> Self {
        let mut query = Self::default();
        query.prepare(unit.len(), |row| row.copy_from_slice(unit));
        query
    }

    /// Prepares another vector in the memory of the one before: `write` gets `dimension` zeros to make a unit vector of.
    ///
    /// # Panics
    ///
    /// As [`Query::new`].
    pub fn prepare<T>(&mut self, dimension: usize, write: impl FnOnce(&mut [f32]) -> T) -> T {
        let stride = padded(dimension);
        assert!(
            stride <= MAX_STRIDE,
            "a query of {dimension} elements is longer than {MAX_STRIDE}"
        );
        self.row.reset(stride);
        self.codes.reset(stride);
        let written = write(&mut self.row[..dimension]);
        self.scale = quantize_signed(&self.row[..dimension], &mut self.codes);
        self.correction = 128 * self.codes.iter().map(|&code| i32::from(code)).sum::<i32>();
        let magnitudes = self
            .codes
            .iter()
            .map(|&code| i32::from(code.unsigned_abs()));
        self.decoded_l1 = f64::from(magnitudes.sum::<i32>()) * f64::from(self.scale);
        let mut residual = 0.0;
        let codes = self.codes.as_chunks::<LANE>().0;
        for (elements, codes) in self.row.as_chunks::<LANE>().0.iter().zip(codes) {
            let mut rests = [0.0; LANE];
            for ((rest, element), &code) in rests.iter_mut().zip(elements).zip(codes) {
                // Exact but for the product's rounding, 127 * 2^-24 of the scale.
                *rest = element - f32::from(code) * self.scale;
            }
            residual += sum(&rests, |rest| f64::from(rest) * f64::from(rest));
        }
        self.residual_norm = residual.sqrt();
        written
    }

    /// The unit vector, padded with zeros.
    pub fn row(&self) -> &[f32] {
        &self.row
    }

    /// The row stride that it scores: its padded length.
    pub fn stride(&self) -> usize {
        self.row.len()
    }

    /// The codes, -127 to 127, padded with zeros.
    pub(super) fn codes(&self) -> &[i8] {
        &self.codes
    }

    /// What a code of 1 stands for.
    pub(super) fn scale(&self) -> f32 {
        self.scale
    }

    /// What the offset of 128 in the rows' codes adds to each integer product.
    pub(super) fn correction(&self) -> i32 {
        self.correction
    }
}

/// The largest possible difference between the int8 score and the exact score of a unit row with at most this scale.
///
/// `exact` may be the true product or the one that [`dot`](super::dot) computes in `f32`, in any order of summation.
///
/// Proof. Write the query as `u = û + e` and the row as `v = v̂ + f`, where the hatted are what the codes stand for. Then
/// `<û, v̂> = <u, v> - <e, v> - <û, f>`, so that the error is at most `|<e, v>| + |<û, f>|`. By Cauchy-Schwarz
/// `|<e, v>| <= |e|₂ |v|₂`, and `|e|₂` is known, for it is the query's own. By Hölder `|<û, f>| <= |û|₁ max |fᵢ|`, where
/// `|û|₁` is known and `|fᵢ|` is at most half the row's scale, but for the rounding of the codes' own computation.
/// Floats add: the int8 score is one conversion and two products, 4 * 2^-24 of a value below 2; a sum of `d` products
/// in `f32` is off by at most `d` * 2^-24 * Σ|uᵢ vᵢ| <= `d` * 2^-24 (1 + slack) (Higham, Accuracy and Stability of
/// Numerical Algorithms, §3.1, to first order; doubled here to cover the higher ones). The elements of `e` are computed in
/// `f32` and off by at most 127 * 2^-24 of the query's scale, which is at most 1/127: `|e|₂` by less than `d` * 2^-24.
#[must_use]
pub fn score_error_bound(query: &Query, scale_max: f32, dimension: usize) -> f32 {
    let unit_roundoff = f64::from(f32::EPSILON) / 2.0;
    let of_query = query.residual_norm * (1.0 + NORM_SLACK);
    let of_row = query.decoded_l1 * f64::from(scale_max) * MAX_CODE_ERROR;
    let of_floats = (3.0 * dimension as f64 + 8.0) * unit_roundoff * (1.0 + NORM_SLACK);
    (of_query + of_row + of_floats) as f32 * (1.0 + f32::EPSILON)
}
