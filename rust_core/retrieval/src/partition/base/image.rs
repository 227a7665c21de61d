//! The bytes of a base: allocated, or mapped from a file.

use std::ops::Deref;

use crate::vector::Aligned;

/// Bytes that never change; they begin on 64 bytes.
pub(crate) enum Image {
    /// In the memory of the process.
    Heap(Aligned<u8>),
}

impl Deref for Image {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Heap(bytes) => bytes,
        }
    }
}
