//! From a term or a name to the rows that hold it.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::append_list::AppendList;
use super::segment::RowNumber;
use super::view::{View, has_row};
use crate::sync::RwLock;
use crate::sync::atomic::{AtomicU64, Ordering};

/// Most terms of a partition occur in a few rows only.
const FIRST_POSTINGS: usize = 4;

/// One row that holds a term, with what its score needs, so that the scan of a list reads nothing else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Posting {
    pub(crate) row: RowNumber,
    /// How often; a text that repeats the term more than 65,535 times counts as so many.
    pub(crate) frequency: u16,
    /// How many terms the row has, or [`Posting::LONG`] if the row's own column must be asked.
    pub(crate) length: u16,
}

impl Posting {
    /// The length of rows that have so many terms or more.
    pub(crate) const LONG: u16 = u16::MAX;

    /// Of a row of `length` terms that holds the term `frequency` times.
    pub(crate) fn new(row: RowNumber, frequency: u32, length: u32) -> Self {
        let narrow = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
        Self {
            row,
            frequency: narrow(frequency),
            length: narrow(length),
        }
    }
}

/// The rows that hold a term, ascending. It may run ahead of a reader's view: rows from its limit on are to be ignored.
pub(crate) struct PostingList {
    postings: AppendList<Posting>,
    /// [`Extent`] of all postings, packed.
    extent: AtomicU64,
    /// How many of its rows are current for one view, and that view's sequence above, so that they are counted once.
    current: AtomicU64,
}

/// Bounds of what the postings of a list say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) largest_frequency: u16,
    pub(crate) smallest_length: u16,
    /// Whether one of the lengths is [`Posting::LONG`].
    pub(crate) has_long: bool,
}

impl Extent {
    const NONE: Self = Self {
        largest_frequency: 0,
        smallest_length: u16::MAX,
        has_long: false,
    };

    fn with(self, posting: Posting) -> Self {
        Self {
            largest_frequency: self.largest_frequency.max(posting.frequency),
            smallest_length: self.smallest_length.min(posting.length),
            has_long: self.has_long || posting.length == Posting::LONG,
        }
    }

    fn packed(self) -> u64 {
        u64::from(self.largest_frequency)
            | u64::from(self.smallest_length) << 16
            | u64::from(self.has_long) << 32
    }

    fn unpacked(bits: u64) -> Self {
        Self {
            largest_frequency: bits as u16,
            smallest_length: (bits >> 16) as u16,
            has_long: bits >> 32 != 0,
        }
    }
}

impl PostingList {
    fn new() -> Self {
        Self {
            postings: AppendList::new(FIRST_POSTINGS),
            extent: AtomicU64::new(Extent::NONE.packed()),
            current: AtomicU64::new(0),
        }
    }

    /// Appends a posting; there is one writer at a time.
    fn push(&self, posting: Posting) {
        let extent = Extent::unpacked(self.extent.load(Ordering::Relaxed)).with(posting);
        // The append publishes it: whoever sees the posting sees bounds that cover it.
        self.extent.store(extent.packed(), Ordering::Relaxed);
        self.postings.push(posting);
    }

    /// Bounds of all postings that were seen before the call.
    pub(crate) fn extent(&self) -> Extent {
        Extent::unpacked(self.extent.load(Ordering::Relaxed))
    }

    /// The postings below a limit, slice by slice.
    pub(crate) fn slices(&self, limit: RowNumber) -> impl Iterator<Item = &[Posting]> {
        self.postings.slices().map(move |slice| {
            let is_below = |posting: &Posting| posting.row < limit;
            if slice.last().is_none_or(is_below) {
                return slice;
            }
            &slice[..slice.partition_point(is_below)]
        })
    }

    /// How many of its rows have no end in a view.
    pub(crate) fn current_in(&self, view: &View) -> u32 {
        if view.is_all_current() {
            return self.slices(view.limit).map(<[_]>::len).sum::<usize>() as u32;
        }
        let known = self.current.load(Ordering::Relaxed);
        if (known >> 32) as u32 == view.sequence {
            return known as u32;
        }
        let postings = self.slices(view.limit).flatten();
        let count = postings
            .map(|posting| u32::from(has_row(&view.current, posting.row)))
            .sum::<u32>();
        let known = u64::from(view.sequence) << 32 | u64::from(count);
        self.current.store(known, Ordering::Relaxed);
        count
    }
}

/// A map that grows only. Its lock is held for look-ups and for the insertion of one new key, never while postings are
/// read or written.
#[derive(Default)]
pub(crate) struct Dictionary {
    lists: RwLock<HashMap<Box<str>, Arc<PostingList>, RandomState>>,
}

impl Dictionary {
    /// The posting lists of some keys, in their order.
    pub(crate) fn lists(&self, keys: &[&str]) -> Vec<Option<Arc<PostingList>>> {
        let lists = self.lists.read();
        keys.iter().map(|&key| lists.get(key).cloned()).collect()
    }

    /// Adds a row to the list of a key.
    pub(crate) fn push(&self, key: &str, posting: Posting) {
        let known = self.lists.read().get(key).cloned();
        let list = known.unwrap_or_else(|| {
            let list = Arc::new(PostingList::new());
            self.lists.write().insert(key.into(), Arc::clone(&list));
            list
        });
        list.push(posting);
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.lists.read().len()
    }

    /// How many bytes it takes, about: the map's own slots are counted at their nominal size.
    pub(crate) fn bytes(&self) -> usize {
        const OVERHEAD: usize = size_of::<(Box<str>, Arc<PostingList>)>()
            + 1
            + 2 * size_of::<usize>()
            + 2 * size_of::<AtomicU64>();
        let lists = self.lists.read();
        lists
            .iter()
            .map(|(key, list)| key.len() + list.postings.bytes() + OVERHEAD)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::{Extent, Posting};

    #[test]
    fn an_extent_covers_its_postings_and_survives_packing() {
        let postings = [
            Posting::new(1, 3, 20),
            Posting::new(2, 70_000, 80_000),
            Posting::new(3, 1, 5),
        ];
        let extent = postings.into_iter().fold(Extent::NONE, Extent::with);
        let expected = Extent {
            largest_frequency: 65_535,
            smallest_length: 5,
            has_long: true,
        };
        assert_eq!(extent, expected);
        assert_eq!(Extent::unpacked(extent.packed()), extent);
    }
}
