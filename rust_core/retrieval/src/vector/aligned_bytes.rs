//! A block of bytes that begins on a cache line and is exactly as long as it says.
//!
//! [`Aligned`](super::Aligned) is whole cache lines behind a `Vec` and a length; a hundred thousand small partitions have an
//! image each, and this is half the size and wastes none of the last line.
//!
//! # Why it is sound
//!
//! It is a boxed slice but for the alignment: `start` is the beginning of `length` zeroed, hence initialised, bytes that the
//! value alone owns, allocated with the layout with which they are freed. An empty one allocates nothing, and its `start`
//! is aligned and never read.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::slice;

/// One cache line.
#[repr(align(64))]
struct Line;

/// Bytes whose first lies on a 64-byte boundary.
pub(crate) struct AlignedBytes {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: it owns its bytes, as a boxed slice does.
unsafe impl Send for AlignedBytes {}
// SAFETY: a shared one gives out shared slices and nothing else.
unsafe impl Sync for AlignedBytes {}

impl AlignedBytes {
    /// So many zeros.
    ///
    /// # Panics
    ///
    /// If they do not fit the address space.
    pub(crate) fn zeroed(length: usize) -> Self {
        let layout = layout_of(length);
        let start = if length == 0 {
            NonNull::<Line>::dangling().cast()
        } else {
            // SAFETY: the layout's size is not zero.
            let raw = unsafe { alloc_zeroed(layout) };
            NonNull::new(raw).unwrap_or_else(|| handle_alloc_error(layout))
        };
        Self { start, length }
    }
}

fn layout_of(length: usize) -> Layout {
    let layout = Layout::from_size_align(length, align_of::<Line>());
    layout.expect("what is allocated fits the address space")
}

impl Deref for AlignedBytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: so many bytes are initialised, and who borrows them keeps their owner from changing or freeing them.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl DerefMut for AlignedBytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`; the borrow is exclusive.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl Drop for AlignedBytes {
    fn drop(&mut self) {
        if self.length > 0 {
            // SAFETY: it was allocated with this layout, and nobody uses it any more.
            unsafe { dealloc(self.start.as_ptr(), layout_of(self.length)) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AlignedBytes;

    #[test]
    fn they_are_aligned_zeroed_and_as_many_as_asked_for() {
        for length in [0, 1, 63, 64, 65, 10_000] {
            let mut bytes = AlignedBytes::zeroed(length);
            assert_eq!(*bytes, vec![0; length]);
            assert_eq!(bytes.as_ptr().align_offset(64), 0);
            bytes.fill(7);
            assert_eq!(*bytes, vec![7; length]);
        }
    }

    #[test]
    fn an_option_of_them_takes_no_more() {
        assert_eq!(size_of::<Option<AlignedBytes>>(), 2 * size_of::<usize>());
    }
}
