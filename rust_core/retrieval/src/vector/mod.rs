//! Vectors: quantisation, SIMD kernels and the exact scan.
//!
//! A partition keeps every vector twice: as unit length `f32` for exact scores, and as int8 codes with one scale a row
//! for the scan, which reads a quarter of the bytes. Rows lie one after another at a stride of [`padded`]`(dimension)`
//! elements; the padding contributes nothing to any product.
//!
//! # Exactness
//!
//! A search for the best `k` scans the codes for a [`Shortlist`] with a margin of twice the [`score_error_bound`]: it has
//! the exact top `k`, whatever the errors of the int8 scores within that bound. Those of its rows that can still be
//! among the best once some have been rescored from their `f32` rows are rescored too. Where that would read more than
//! [`plan::BITS_FROM_BYTES`], the rows to scan are first narrowed by their [`BitCodes`]; that is exact for nearly every
//! query, and not for all.
//!
//! Every path computes the same integer products and the same float operations after them, so that [`scan`] and
//! [`score_codes`] give bit-identical scores whichever path runs.

mod aligned;
mod aligned_bytes;
mod bits;
pub mod graph;
mod kernels;
mod path;
pub mod plan;
mod quantize;
mod query;
mod scan;
mod shortlist;
mod top_k;

pub use aligned::Aligned;
pub(crate) use aligned_bytes::AlignedBytes;
pub use bits::{BitCodes, BitCodesRef, BitQuery};
pub use path::SimdPath;
pub use quantize::{VectorError, decode_f32_le, decode_f32_le_into, normalize, quantize};
pub use query::{Query, score_error_bound};
pub use scan::{RowScan, dot, prefetch, scan, scan_rows, score_codes};
pub use shortlist::Shortlist;
pub use top_k::{Candidate, Collector, TopK};

/// How many elements a row's length is a multiple of: one cache line of codes, four AVX-512 registers of `f32`.
pub const LANE: usize = 64;

/// The longest row that the integer kernels sum without overflow: 65,536 * 255 * 127 < 2^31.
pub const MAX_STRIDE: usize = 65_536;

/// The code of zero, and so of the padding.
pub const ZERO_CODE: u8 = 128;

/// The row stride, in elements, of codes and `f32` rows of a dimension: the next multiple of 64.
///
/// ```
/// assert_eq!(mnemic_retrieval::vector::padded(384), 384);
/// assert_eq!(mnemic_retrieval::vector::padded(385), 448);
/// ```
#[must_use]
pub const fn padded(dimension: usize) -> usize {
    dimension.next_multiple_of(LANE)
}
