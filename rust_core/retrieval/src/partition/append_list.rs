//! A list without a fixed capacity that grows while others read it: a chain of [`AppendOnly`] chunks.

use std::sync::Arc;

use super::append_only::AppendOnly;
use crate::sync::{Mutex, OnceLock};

/// Each chunk is this many times as long as the one before it.
const GROWTH: usize = 2;
/// A chunk is at most this long, so that the last one wastes little.
const LARGEST_CHUNK: usize = 4_096;

/// A list that one writer appends to while readers walk it; nothing in it ever moves.
pub(crate) struct AppendList<T> {
    head: Chunk<T>,
    /// The last chunk, unless that is the head: a push does not walk there.
    tail: Mutex<Option<Arc<Chunk<T>>>>,
}

struct Chunk<T> {
    items: AppendOnly<T>,
    next: OnceLock<Arc<Chunk<T>>>,
}

impl<T> AppendList<T> {
    /// An empty list whose first chunk takes `first` items.
    pub(crate) fn new(first: usize) -> Self {
        Self {
            head: Chunk::new(first),
            tail: Mutex::new(None),
        }
    }

    /// Appends an item; readers may see it at once.
    pub(crate) fn push(&self, value: T) {
        let mut tail = self.tail.lock();
        let last = tail.as_deref().unwrap_or(&self.head);
        let Err(value) = last.items.push(value) else {
            return;
        };
        let capacity = (last.items.capacity() * GROWTH).clamp(1, LARGEST_CHUNK);
        let chunk = Arc::new(Chunk::new(capacity));
        let fits = chunk.items.push(value).is_ok();
        let is_last = last.next.set(Arc::clone(&chunk)).is_ok();
        assert!(fits && is_last, "a new chunk has room and ends the chain");
        *tail = Some(chunk);
    }

    /// The chunks in order, as slices of what is there now.
    pub(crate) fn slices(&self) -> impl Iterator<Item = &[T]> {
        self.chunks().map(|chunk| chunk.items.as_slice())
    }

    /// The item at a place.
    pub(crate) fn get(&self, place: usize) -> Option<&T> {
        let mut place = place;
        for chunk in self.chunks() {
            if place < chunk.items.capacity() {
                return chunk.items.as_slice().get(place);
            }
            place -= chunk.items.capacity();
        }
        None
    }

    /// How many bytes the chunks take.
    pub(crate) fn bytes(&self) -> usize {
        let chunks = self
            .chunks()
            .map(|chunk| chunk.items.bytes() + size_of::<Chunk<T>>());
        size_of_val(&self.tail) + chunks.sum::<usize>()
    }

    fn chunks(&self) -> impl Iterator<Item = &Chunk<T>> {
        std::iter::successors(Some(&self.head), |chunk| chunk.next.get().map(Arc::as_ref))
    }
}

impl<T> Chunk<T> {
    fn new(capacity: usize) -> Self {
        Self {
            items: AppendOnly::with_capacity(capacity),
            next: OnceLock::new(),
        }
    }
}

impl<T> Drop for AppendList<T> {
    /// Unlinks the chunks one by one: the drop of a nested chain would recurse as deep as the list is long.
    fn drop(&mut self) {
        *self.tail.lock() = None;
        let mut next = self.head.next.take();
        while let Some(mut chunk) = next.and_then(Arc::into_inner) {
            next = chunk.next.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AppendList;

    #[test]
    fn items_come_back_in_order_over_many_chunks() {
        let list = AppendList::new(4);
        for item in 0..50_000_u32 {
            list.push(item);
        }
        let items: Vec<u32> = list.slices().flatten().copied().collect();
        assert_eq!(items, (0..50_000).collect::<Vec<u32>>());
        assert_eq!(list.get(0), Some(&0));
        assert_eq!(list.get(49_999), Some(&49_999));
        assert_eq!(list.get(50_000), None);
    }
}
