//! A list without a fixed capacity that grows while others read it: a chain of [`AppendOnly`] chunks.

use super::append_only::AppendOnly;
use crate::sync::OnceLock;

/// Each chunk is this many times as long as the one before it.
const GROWTH: usize = 2;
/// A chunk is at most this long, so that the last one wastes little.
const LARGEST_CHUNK: usize = 4_096;

/// A list that one writer appends to while readers walk it; nothing in it ever moves.
pub(crate) struct AppendList<T> {
    head: Chunk<T>,
}

struct Chunk<T> {
    items: AppendOnly<T>,
    next: OnceLock<Box<Chunk<T>>>,
}

impl<T> AppendList<T> {
    /// An empty list whose first chunk takes `first` items.
    pub(crate) fn new(first: usize) -> Self {
        Self {
            head: Chunk::new(first),
        }
    }

    /// Appends an item; readers may see it at once.
    pub(crate) fn push(&self, value: T) {
        let mut chunk = &self.head;
        let mut value = value;
        loop {
            // Earlier chunks are full, so only the last one is tried for room.
            if let Some(next) = chunk.next.get() {
                chunk = next;
                continue;
            }
            match chunk.items.push(value) {
                Ok(()) => return,
                Err(refused) => value = refused,
            }
            let capacity = (chunk.items.capacity() * GROWTH).clamp(1, LARGEST_CHUNK);
            chunk = chunk.next.get_or_init(|| Box::new(Chunk::new(capacity)));
        }
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
        self.chunks()
            .map(|chunk| chunk.items.bytes() + size_of::<Chunk<T>>())
            .sum()
    }

    fn chunks(&self) -> impl Iterator<Item = &Chunk<T>> {
        std::iter::successors(Some(&self.head), |chunk| chunk.next.get().map(Box::as_ref))
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
        let mut next = self.head.next.take();
        while let Some(mut chunk) = next {
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
