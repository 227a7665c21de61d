//! The bytes of a base: allocated, or mapped from a file.

use std::ops::Deref;

use super::mapped::Mapped;
use crate::vector::Aligned;

/// Bytes that never change; they begin on 64 bytes.
pub(crate) enum Image {
    /// In the memory of the process.
    Heap(Aligned<u8>),
    /// In a file, of which the system keeps in memory what is used.
    Mapped(Mapped),
}

impl Image {
    /// Asks the system for a stretch before it is read.
    pub(crate) fn will_need(&self, start: usize, length: usize) {
        if let Self::Mapped(bytes) = self {
            bytes.will_need(start, length);
        }
    }

    /// Tells the system that all is read in order.
    pub(crate) fn in_order(&self) {
        if let Self::Mapped(bytes) = self {
            bytes.in_order();
        }
    }

    /// How many of its bytes are allocated.
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Self::Heap(bytes) => bytes.len(),
            Self::Mapped(_) => 0,
        }
    }
}

impl Deref for Image {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Heap(bytes) => bytes,
            Self::Mapped(bytes) => bytes,
        }
    }
}
