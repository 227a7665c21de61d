//! Buffers of the writer that live from row to row.

use super::term_counts::TermCounts;
use crate::vector::{VectorError, ZERO_CODE, decode_f32_le_into, normalize, padded, quantize};

/// What a row becomes on its way into a partition.
#[derive(Default)]
pub(super) struct Scratch {
    /// A vector as it came.
    vector: Vec<f32>,
    pub(super) unit: Vec<f32>,
    /// Which row of the batch the unit vector is of.
    pub(super) unit_of: Option<usize>,
    pub(super) codes: Vec<u8>,
    pub(super) terms: TermCounts,
}

impl Scratch {
    /// Makes the unit vector of a row of the batch. That of a row on its own is there from the check.
    pub(super) fn read_vector(
        &mut self,
        index: usize,
        bytes: &[u8],
        dimension: usize,
    ) -> Result<(), VectorError> {
        if self.unit_of == Some(index) {
            return Ok(());
        }
        // Whatever is refused halfway is no row's.
        self.unit_of = None;
        decode_f32_le_into(bytes, dimension, &mut self.vector)?;
        self.unit.resize(padded(dimension), 0.0);
        normalize(&self.vector, &mut self.unit)?;
        self.unit_of = Some(index);
        Ok(())
    }

    /// Makes the codes of the unit vector, or those of no vector, and returns their scale.
    pub(super) fn quantize(&mut self, has_vector: bool, dimension: usize) -> f32 {
        let stride = padded(dimension);
        self.unit.resize(stride, 0.0);
        self.codes.resize(stride, ZERO_CODE);
        if !has_vector {
            self.unit_of = None;
            self.unit.fill(0.0);
        }
        quantize(&self.unit[..dimension], &mut self.codes)
    }
}
