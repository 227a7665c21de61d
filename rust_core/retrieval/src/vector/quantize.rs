//! From the bytes of a caller to unit vectors to int8 codes.

use thiserror::Error;

use super::ZERO_CODE;

/// Why a vector cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VectorError {
    /// The bytes are not `dimension` little-endian `f32`.
    #[error(
        "the vector has {actual} bytes; a vector of dimension {dimension} has {expected} (little-endian float32)",
        expected = dimension * 4
    )]
    WrongLength {
        /// What the index holds.
        dimension: usize,
        /// How many bytes there were.
        actual: usize,
    },
    /// An element is NaN or infinite.
    #[error("element {index} of the vector is not finite")]
    NotFinite {
        /// The first such element.
        index: usize,
    },
    /// All elements are zero, so that the vector has no direction.
    #[error("the vector is all zeros and has no direction")]
    Zero,
}

/// How many partial results a reduction keeps side by side.
const LANES: usize = 16;

/// Reads `dimension` little-endian `f32`; their values are not looked at.
///
/// # Errors
///
/// [`VectorError::WrongLength`] with both lengths.
pub fn decode_f32_le(bytes: &[u8], dimension: usize) -> Result<Vec<f32>, VectorError> {
    let mut vector = Vec::new();
    decode_f32_le_into(bytes, dimension, &mut vector)?;
    Ok(vector)
}

/// The same into a list that is there already; what it holds is replaced.
///
/// # Errors
///
/// As [`decode_f32_le`].
pub fn decode_f32_le_into(
    bytes: &[u8],
    dimension: usize,
    vector: &mut Vec<f32>,
) -> Result<(), VectorError> {
    let (elements, rest) = bytes.as_chunks::<4>();
    if elements.len() != dimension || !rest.is_empty() {
        return Err(VectorError::WrongLength {
            dimension,
            actual: bytes.len(),
        });
    }
    vector.clear();
    vector.extend(elements.iter().map(|element| f32::from_le_bytes(*element)));
    Ok(())
}

/// Writes a vector at unit length into `out`, which may be longer (its row is padded): the tail becomes zero.
///
/// The norm is taken in `f64`, where no finite `f32` overflows or vanishes when squared.
///
/// # Errors
///
/// [`VectorError::NotFinite`] and [`VectorError::Zero`]; `out` is untouched then.
///
/// # Panics
///
/// If `out` is shorter than `vector`.
pub fn normalize(vector: &[f32], out: &mut [f32]) -> Result<(), VectorError> {
    assert!(
        out.len() >= vector.len(),
        "a row of {} cannot hold {} elements",
        out.len(),
        vector.len()
    );
    let squares = sum(vector, |element| f64::from(element) * f64::from(element));
    if !squares.is_finite() {
        let index = vector
            .iter()
            .position(|element| !element.is_finite())
            .unwrap_or(0);
        return Err(VectorError::NotFinite { index });
    }
    if squares == 0.0 {
        return Err(VectorError::Zero);
    }
    let inverse = squares.sqrt().recip();
    let (head, tail) = out.split_at_mut(vector.len());
    for (unit, &element) in head.iter_mut().zip(vector) {
        *unit = (f64::from(element) * inverse) as f32;
    }
    tail.fill(0.0);
    Ok(())
}

/// Writes the codes of a row and returns its scale, `max |x| / 127`: `x` is about `(code - 128) * scale`.
///
/// Symmetric, so that zero is exact; stored with an offset of 128 because the dot product instructions multiply an
/// unsigned by a signed byte. Codes are 1 to 255, and 128 wherever `out` is longer than `unit`. The error is at most
/// half a scale in each element, plus less than 1e-4 of a scale for the rounding of the computation itself.
///
/// # Panics
///
/// If `codes` is shorter than `unit`.
pub fn quantize(unit: &[f32], codes: &mut [u8]) -> f32 {
    assert!(
        codes.len() >= unit.len(),
        "a row of {} cannot hold {} codes",
        codes.len(),
        unit.len()
    );
    let (scale, inverse) = scale_of(unit);
    let (head, tail) = codes.split_at_mut(unit.len());
    for (code, &element) in head.iter_mut().zip(unit) {
        *code = (round(element * inverse) + i32::from(ZERO_CODE)) as u8;
    }
    tail.fill(ZERO_CODE);
    scale
}

/// The same codes without the offset, -127 to 127, for the query's side of the product.
pub(super) fn quantize_signed(unit: &[f32], codes: &mut [i8]) -> f32 {
    let (scale, inverse) = scale_of(unit);
    for (code, &element) in codes.iter_mut().zip(unit) {
        *code = round(element * inverse) as i8;
    }
    scale
}

/// The sum of a function of the elements, in as many parts as a CPU adds at once: one float is added to another only
/// after several cycles, and a compiler may not change the order on its own.
#[inline]
pub(super) fn sum(elements: &[f32], part: impl Fn(f32) -> f64) -> f64 {
    let (chunks, rest) = elements.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in chunks.iter().map(<[f32; LANES]>::as_slice).chain([rest]) {
        for (sum, &element) in lanes.iter_mut().zip(chunk) {
            *sum += part(element);
        }
    }
    lanes.iter().sum()
}

/// The scale of a row and its inverse; both 0 for a row of zeros or of elements so small that the inverse overflows.
fn scale_of(unit: &[f32]) -> (f32, f32) {
    let (chunks, rest) = unit.as_chunks::<LANES>();
    let mut lanes = [0.0_f32; LANES];
    for chunk in chunks.iter().map(<[f32; LANES]>::as_slice).chain([rest]) {
        for (largest, element) in lanes.iter_mut().zip(chunk) {
            let magnitude = element.abs();
            // What `max` does with NaN is more than one instruction.
            *largest = if magnitude > *largest {
                magnitude
            } else {
                *largest
            };
        }
    }
    let largest = lanes.into_iter().fold(0.0, f32::max);
    let inverse = 127.0 / largest;
    if inverse.is_finite() {
        (largest / 127.0, inverse)
    } else {
        (0.0, 0.0)
    }
}

/// To the nearest integer, ties to even, for |value| < 2^22.
///
/// Adding 1.5 * 2^23 leaves a float whose last mantissa bit is the unit, so that the addition itself rounds; unlike
/// `round_ties_even` this needs no instruction beyond the x86-64 baseline and is vectorised.
fn round(value: f32) -> i32 {
    const SHIFT: f32 = 12_582_912.0;
    (value + SHIFT).to_bits().cast_signed() - SHIFT.to_bits().cast_signed()
}
