//! The one unsafe abstraction of the index: an array that grows while others read it.
//!
//! # Why it is sound
//!
//! The memory is allocated once at full capacity and never moves, so a reference into it stays valid as long as the
//! array does. `published` only grows. An element at an index below `published` is initialised and never written again
//! but through its own interior mutability; an element at or beyond it is touched by the writer alone, and there is one
//! writer at a time because it holds `writer`. The writer initialises an element and then stores the new length with
//! `Release`; a reader loads the length with `Acquire` before it makes a reference, so it sees the element whole.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::{self, NonNull};
use std::slice;

use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Accesses, Mutex};

/// An array of fixed capacity that is appended to while readers use what has been appended before.
pub(crate) struct AppendOnly<T> {
    start: NonNull<T>,
    layout: Layout,
    capacity: usize,
    published: AtomicUsize,
    writer: Mutex<()>,
    accesses: Accesses,
}

// SAFETY: it owns its elements, as a Vec does; sending it sends them.
unsafe impl<T: Send> Send for AppendOnly<T> {}
// SAFETY: sharing it gives out `&T` on several threads (hence T: Sync) and lets any of them move a T in, which another
// drops (hence T: Send). The module's comment says why reading and appending do not race.
unsafe impl<T: Send + Sync> Sync for AppendOnly<T> {}

impl<T> AppendOnly<T> {
    /// An empty array that can take `capacity` elements.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self::aligned(capacity, align_of::<T>())
    }

    /// The same, its first element aligned to at least `alignment` bytes (a power of two).
    ///
    /// # Panics
    ///
    /// If the size overflows the address space.
    pub(crate) fn aligned(capacity: usize, alignment: usize) -> Self {
        let layout = Layout::array::<T>(capacity)
            .and_then(|layout| layout.align_to(alignment))
            .expect("the capacities of an index fit the address space");
        let start = if layout.size() == 0 {
            NonNull::dangling()
        } else {
            // SAFETY: the layout's size is not zero.
            let raw = unsafe { alloc(layout) };
            NonNull::new(raw.cast()).unwrap_or_else(|| handle_alloc_error(layout))
        };
        Self {
            start,
            layout,
            capacity,
            published: AtomicUsize::new(0),
            writer: Mutex::new(()),
            accesses: Accesses::new(),
        }
    }

    /// How many elements it can take in all.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many bytes were allocated.
    pub(crate) fn bytes(&self) -> usize {
        self.layout.size()
    }

    /// How many elements a reader may see now.
    pub(crate) fn len(&self) -> usize {
        self.published.load(Ordering::Acquire)
    }

    /// The elements appended so far. Later ones do not appear in a slice that was taken before.
    pub(crate) fn as_slice(&self) -> &[T] {
        let length = self.published.load(Ordering::Acquire);
        self.accesses.read_below(length);
        // SAFETY: the first `length` elements are initialised and no longer written; see the module's comment.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), length) }
    }

    /// Appends one element and publishes it.
    ///
    /// # Errors
    ///
    /// The element itself if the array is full.
    pub(crate) fn push(&self, value: T) -> Result<(), T> {
        let _writing = self.writer.lock();
        let length = self.published.load(Ordering::Relaxed);
        if length == self.capacity {
            return Err(value);
        }
        self.accesses.write(length, length + 1);
        // SAFETY: `length` is below the capacity, and this thread is the only writer (it holds the lock) of an element
        // that no reader looks at before `published` exceeds it.
        unsafe { self.start.as_ptr().add(length).write(value) };
        self.published.store(length + 1, Ordering::Release);
        Ok(())
    }

    /// Appends all of `values` and publishes them at once; whether there was room.
    pub(crate) fn extend(&self, values: &[T]) -> bool
    where
        T: Copy,
    {
        let _writing = self.writer.lock();
        let length = self.published.load(Ordering::Relaxed);
        if values.len() > self.capacity - length {
            return false;
        }
        self.accesses.write(length, length + values.len());
        // SAFETY: as in `push`; the ranges cannot overlap because the target was never given out.
        unsafe {
            ptr::copy_nonoverlapping(
                values.as_ptr(),
                self.start.as_ptr().add(length),
                values.len(),
            );
        };
        self.published
            .store(length + values.len(), Ordering::Release);
        true
    }
}

impl<T> Drop for AppendOnly<T> {
    fn drop(&mut self) {
        let length = self.published.load(Ordering::Relaxed);
        let initialised = ptr::slice_from_raw_parts_mut(self.start.as_ptr(), length);
        // SAFETY: exactly these elements are initialised, and `&mut self` says that nobody uses them.
        unsafe { ptr::drop_in_place(initialised) };
        if self.layout.size() != 0 {
            // SAFETY: it was allocated with this layout.
            unsafe { dealloc(self.start.as_ptr().cast(), self.layout) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AppendOnly;
    use std::sync::Arc;

    #[test]
    fn it_takes_what_fits_and_gives_back_the_rest() {
        let array = AppendOnly::with_capacity(2);
        assert_eq!(array.push("a".to_owned()), Ok(()));
        assert_eq!(array.push("b".to_owned()), Ok(()));
        assert_eq!(array.push("c".to_owned()), Err("c".to_owned()));
        assert_eq!(array.as_slice(), ["a", "b"]);
    }

    #[test]
    fn a_slice_stays_as_it_was_taken() {
        let array = AppendOnly::aligned(8, 64);
        assert!(array.extend(&[1, 2, 3]));
        let before = array.as_slice();
        assert!(array.extend(&[4, 5]));
        assert!(!array.extend(&[0; 4]));
        assert_eq!(before, [1, 2, 3]);
        assert_eq!(array.as_slice(), [1, 2, 3, 4, 5]);
        assert_eq!(array.as_slice().as_ptr().align_offset(64), 0);
    }

    #[test]
    fn it_drops_each_element_once() {
        let witness = Arc::new(());
        let array = AppendOnly::with_capacity(10);
        for _ in 0..7 {
            array.push(Arc::clone(&witness)).expect("there is room");
        }
        assert_eq!(Arc::strong_count(&witness), 8);
        drop(array);
        assert_eq!(Arc::strong_count(&witness), 1);
    }

    #[test]
    fn elements_without_a_size_are_counted() {
        let array = AppendOnly::with_capacity(3);
        assert!(array.extend(&[(), ()]));
        assert_eq!(array.len(), 2);
    }

    #[test]
    fn readers_see_whole_elements_while_a_writer_appends() {
        let array = AppendOnly::with_capacity(2_000);
        std::thread::scope(|threads| {
            let read = || {
                while array.len() < array.capacity() {
                    for (place, element) in array.as_slice().iter().enumerate() {
                        assert_eq!(*element, Box::new((place, !place)));
                    }
                }
            };
            let readers = [threads.spawn(read), threads.spawn(read)];
            for place in 0..array.capacity() {
                array
                    .push(Box::new((place, !place)))
                    .expect("there is room");
            }
            // ThreadSanitizer sees a join, but not the end of a scope.
            for reader in readers {
                reader.join().expect("every element is whole");
            }
        });
    }
}
