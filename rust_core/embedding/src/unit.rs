//! Making any model's output into unit vectors.

use crate::Error;

/// Appends a row scaled to length 1, in float64 as `python/mnemic/embedding/vectors.py` once defined it: components
/// such as 1e30 are finite, but their squares are not in float32.
///
/// A row of zeros has no direction and becomes the first basis vector: the same for every such text, near no other.
///
/// # Errors
/// `None` when a component is not finite.
pub(crate) fn push_unit(row: &[f64], vectors: &mut Vec<f32>) -> Option<()> {
    let length = row.iter().map(|value| value * value).sum::<f64>().sqrt();
    if !length.is_finite() {
        return None;
    }
    if length == 0.0 {
        vectors.push(1.0);
        vectors.extend(std::iter::repeat_n(0.0, row.len().saturating_sub(1)));
    } else {
        vectors.extend(row.iter().map(|value| (value / length) as f32));
    }
    Some(())
}

pub(crate) fn not_finite(title: &str, position: usize, texts: usize) -> Error {
    Error::NotFinite {
        title: title.to_owned(),
        position,
        texts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(row: &[f64]) -> Option<Vec<f32>> {
        let mut vectors = Vec::new();
        push_unit(row, &mut vectors).map(|()| vectors)
    }

    #[test]
    fn a_row_gets_length_1() {
        assert_eq!(unit(&[3.0, 0.0, -4.0]), Some(vec![0.6, 0.0, -0.8]));
    }

    #[test]
    fn a_row_of_zeros_becomes_the_first_basis_vector() {
        assert_eq!(unit(&[0.0; 3]), Some(vec![1.0, 0.0, 0.0]));
    }

    #[test]
    fn components_whose_squares_leave_float32_are_taken() {
        assert_eq!(unit(&[1e30, 0.0]), Some(vec![1.0, 0.0]));
    }

    #[test]
    fn what_is_not_finite_is_refused() {
        assert_eq!(unit(&[f64::NAN, 1.0]), None);
        assert_eq!(unit(&[f64::INFINITY, 1.0]), None);
    }
}
