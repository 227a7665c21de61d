//! The bytes of a base: allocated, or mapped from a file.

use std::ops::Deref;

use super::mapped::Mapped;
use super::units::Checks;
use crate::vector::AlignedBytes;

/// Bytes that never change; they begin on 64 bytes.
pub(crate) enum Image {
    /// In the memory of the process.
    Heap(AlignedBytes),
    /// In a file, of which the system keeps in memory what is used. In a box, for most images are small and have none.
    File(Box<FromFile>),
}

/// A file with what is known of its bytes.
pub(crate) struct FromFile {
    pub(super) bytes: Mapped,
    pub(super) checks: Checks,
}

impl Image {
    /// Of a file, which is to be checked.
    pub(crate) fn of_file(bytes: Mapped, checks: Checks) -> Self {
        Self::File(Box::new(FromFile { bytes, checks }))
    }

    /// The checks that it needs if it is not of our own making.
    #[inline]
    pub(super) fn checks(&self) -> Option<&Checks> {
        match self {
            Self::Heap(_) => None,
            Self::File(file) => Some(&file.checks),
        }
    }

    /// Asks the system for a stretch before it is read.
    pub(crate) fn will_need(&self, start: usize, length: usize) {
        if let Self::File(file) = self {
            file.bytes.will_need(start, length);
        }
    }

    /// Tells the system that all is read in order.
    pub(crate) fn in_order(&self) {
        if let Self::File(file) = self {
            file.bytes.in_order();
        }
    }

    /// How many bytes were allocated.
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Self::Heap(bytes) => bytes.len(),
            Self::File(file) => size_of::<FromFile>() + file.checks.bytes(),
        }
    }

    /// How many bytes of a file it maps.
    pub(crate) fn mapped_bytes(&self) -> usize {
        match self {
            Self::Heap(_) => 0,
            Self::File(file) => file.bytes.len(),
        }
    }
}

impl Deref for Image {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Heap(bytes) => bytes,
            Self::File(file) => &file.bytes,
        }
    }
}
