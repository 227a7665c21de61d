//! Buffers that begin on a cache line, so that no 64-byte load straddles two.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

/// One cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

mod sealed {
    /// Plain numbers: any bit pattern is a value, zero bytes are zero, and 64 is a multiple of the size.
    pub trait Number: Copy + 'static {}
    impl Number for u8 {}
    impl Number for i8 {}
    impl Number for f32 {}
    impl Number for u64 {}
}

/// A buffer of `u8`, `i8`, `f32` or `u64` of fixed length whose first element lies on a 64-byte boundary.
///
/// A `Vec` of codes begins 16 bytes after such a boundary as allocators place it, and every load of a kernel then
/// touches two cache lines.
#[derive(Clone)]
pub struct Aligned<T> {
    lines: Vec<Line>,
    length: usize,
    element: PhantomData<T>,
}

impl<T: sealed::Number> Aligned<T> {
    /// A buffer of `length` zeros.
    #[must_use]
    pub fn zeroed(length: usize) -> Self {
        let lines = (length * size_of::<T>()).div_ceil(size_of::<Line>());
        Self {
            lines: vec![Line([0; 64]); lines],
            length,
            element: PhantomData,
        }
    }

    /// Makes it a buffer of `length` zeros, in the same memory if that is large enough.
    pub fn reset(&mut self, length: usize) {
        let lines = (length * size_of::<T>()).div_ceil(size_of::<Line>());
        self.lines.clear();
        self.lines.resize(lines, Line([0; 64]));
        self.length = length;
    }

    /// A copy of a slice.
    #[must_use]
    pub fn copied(from: &[T]) -> Self {
        let mut buffer = Self::zeroed(from.len());
        buffer.copy_from_slice(from);
        buffer
    }
}

impl<T> Default for Aligned<T> {
    /// Without elements.
    fn default() -> Self {
        Self {
            lines: Vec::new(),
            length: 0,
            element: PhantomData,
        }
    }
}

impl<T: sealed::Number> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the lines hold at least `length` elements of T (see `zeroed`), begin on 64 bytes, which satisfies the
        // alignment of each `Number`, are initialised, and every bit pattern is a T.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.length) }
    }
}

impl<T: sealed::Number> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`; the borrow is exclusive, and every T is a valid pattern of bytes.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.length) }
    }
}

impl<T: sealed::Number + fmt::Debug> fmt::Debug for Aligned<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.iter()).finish()
    }
}
