//! From a term or a name to the rows that hold it: those of the base, then those that came later.

use std::collections::HashMap;
use std::sync::Arc;

use bytemuck::{Pod, Zeroable};
use foldhash::fast::RandomState;

use super::append_list::AppendList;
use super::base::layout::Lexicon;
use super::segment::RowNumber;
use super::view::{BaseRef, View, has_row};
use crate::sync::RwLock;
use crate::sync::atomic::{AtomicU64, Ordering};

/// Most terms of a partition occur in a few rows only.
const FIRST_POSTINGS: usize = 4;
/// Of so many postings of a base the current ones are counted each time: to remember the number would cost more.
const FEW_POSTINGS: usize = 64;

/// One row that holds a term, with what its score needs, so that the scan of a list reads nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
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

/// The rows that hold a term, ascending.
pub(crate) struct Postings {
    sealed: Option<Sealed>,
    growing: Option<Arc<PostingList>>,
}

/// A key of a base.
struct Sealed {
    base: BaseRef,
    lexicon: Lexicon,
    place: usize,
}

impl Postings {
    /// Bounds of all postings that were seen before the call.
    pub(crate) fn extent(&self) -> Extent {
        let sealed = self.sealed.iter().map(Sealed::extent);
        let growing = self.growing.iter().map(|list| list.extent());
        sealed.chain(growing).fold(Extent::NONE, Extent::and)
    }

    /// The postings below a limit, slice by slice.
    pub(crate) fn slices(&self, limit: RowNumber) -> impl Iterator<Item = &[Posting]> {
        let sealed = self.sealed.iter().map(Sealed::postings);
        let growing = self.growing.iter();
        sealed.chain(growing.flat_map(move |list| list.slices(limit)))
    }

    /// How many of its rows have no end in a view.
    pub(crate) fn current_in(&self, view: &View) -> u32 {
        let sealed = self.sealed.as_ref();
        let growing = self.growing.as_ref();
        sealed.map_or(0, |sealed| sealed.current_in(view))
            + growing.map_or(0, |list| list.current_in(view))
    }
}

impl Sealed {
    fn postings(&self) -> &[Posting] {
        self.base.postings(self.lexicon, self.place)
    }

    fn extent(&self) -> Extent {
        self.base.extent(self.lexicon, self.place)
    }

    fn current_in(&self, view: &View) -> u32 {
        let postings = self.postings();
        if view.is_all_current() {
            return postings.len() as u32;
        }
        if postings.len() <= FEW_POSTINGS {
            return count(view, postings.iter());
        }
        let known = self.base.counted(self.lexicon, self.place);
        counted(known, view, || postings.iter())
    }
}

/// How many postings are of rows that have no end in a view. `known` keeps the number of one view, and that view's
/// sequence above, so that it is counted once.
fn counted<'a, I: Iterator<Item = &'a Posting>>(
    known: &AtomicU64,
    view: &View,
    postings: impl FnOnce() -> I,
) -> u32 {
    let last = known.load(Ordering::Relaxed);
    if (last >> 32) as u32 == view.sequence {
        return last as u32;
    }
    let count = count(view, postings());
    let last = u64::from(view.sequence) << 32 | u64::from(count);
    known.store(last, Ordering::Relaxed);
    count
}

fn count<'a>(view: &View, postings: impl Iterator<Item = &'a Posting>) -> u32 {
    let is_current = |posting: &Posting| u32::from(has_row(&view.current, posting.row));
    postings.map(is_current).sum()
}

/// The rows after the base that hold a term, ascending. It may run ahead of a reader's view: rows from its limit on are to be ignored.
pub(crate) struct PostingList {
    postings: AppendList<Posting>,
    /// [`Extent`] of all postings, packed.
    extent: AtomicU64,
    /// See [`counted`].
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
    pub(crate) const NONE: Self = Self {
        largest_frequency: 0,
        smallest_length: u16::MAX,
        has_long: false,
    };

    /// Covers what either covers.
    fn and(self, other: Self) -> Self {
        Self {
            largest_frequency: self.largest_frequency.max(other.largest_frequency),
            smallest_length: self.smallest_length.min(other.smallest_length),
            has_long: self.has_long || other.has_long,
        }
    }

    pub(crate) fn with(self, posting: Posting) -> Self {
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
        counted(&self.current, view, || self.slices(view.limit).flatten())
    }
}

/// A map of the keys that came after the base, which grows only. Its lock is held for look-ups and for the insertion of one
/// new key, never while postings are read.
#[derive(Default)]
pub(crate) struct Dictionary(RwLock<HashMap<Box<str>, Arc<PostingList>, RandomState>>);

impl Dictionary {
    /// Adds a row to the list of a key.
    pub(crate) fn push(&self, key: &str, posting: Posting) {
        if let Some(list) = self.0.read().get(key) {
            return list.push(posting);
        }
        let list = PostingList::new();
        list.push(posting);
        self.0.write().insert(key.into(), Arc::new(list));
    }

    /// How many bytes it takes, about: the map's own slots are counted at their nominal size.
    pub(crate) fn bytes(&self) -> usize {
        const OVERHEAD: usize = size_of::<(Box<str>, Arc<PostingList>)>()
            + 1
            + 2 * size_of::<usize>()
            + 2 * size_of::<AtomicU64>();
        let growing = self.0.read();
        growing
            .iter()
            .map(|(key, list)| key.len() + list.postings.bytes() + OVERHEAD)
            .sum()
    }
}

/// All keys of a view: those of its base, and those that came later.
pub(crate) struct Vocabulary<'a> {
    sealed: Option<BaseRef>,
    growing: Option<&'a Dictionary>,
    lexicon: Lexicon,
}

impl<'a> Vocabulary<'a> {
    pub(super) fn new(
        sealed: Option<BaseRef>,
        growing: Option<&'a Dictionary>,
        lexicon: Lexicon,
    ) -> Self {
        Self {
            sealed,
            growing,
            lexicon,
        }
    }

    /// The postings of some keys, in their order.
    pub(crate) fn lists(&self, keys: &[&str]) -> Vec<Option<Postings>> {
        let growing = self.growing.map(|growing| growing.0.read());
        let lists = keys.iter().map(|&key| {
            let postings = Postings {
                sealed: self.sealed_of(key),
                growing: growing
                    .as_ref()
                    .and_then(|growing| growing.get(key).cloned()),
            };
            (postings.sealed.is_some() || postings.growing.is_some()).then_some(postings)
        });
        lists.collect()
    }

    fn sealed_of(&self, key: &str) -> Option<Sealed> {
        let base = self.sealed.as_ref()?;
        let place = base.find(self.lexicon, key)?;
        Some(self.sealed_at(base, place))
    }

    fn sealed_at(&self, base: &BaseRef, place: usize) -> Sealed {
        Sealed {
            base: base.clone(),
            lexicon: self.lexicon,
            place,
        }
    }

    /// Every key with its postings, in no order.
    pub(crate) fn all(&self) -> Vec<(Box<[u8]>, Postings)> {
        let growing = self.growing.map(|growing| growing.0.read());
        let mut all = Vec::new();
        for (key, list) in growing.iter().flat_map(|growing| growing.iter()) {
            let postings = Postings {
                sealed: self.sealed_of(key),
                growing: Some(Arc::clone(list)),
            };
            all.push((key.as_bytes().into(), postings));
        }
        let is_growing = |key: &str| {
            let growing = growing.as_ref();
            growing.is_some_and(|growing| growing.contains_key(key))
        };
        if let Some(base) = &self.sealed {
            for place in 0..base.keys(self.lexicon) {
                let key = base.key(self.lexicon, place);
                // A key that is in both has been taken above.
                if std::str::from_utf8(key).is_ok_and(|key| !is_growing(key)) {
                    let postings = Postings {
                        sealed: Some(self.sealed_at(base, place)),
                        growing: None,
                    };
                    all.push((key.into(), postings));
                }
            }
        }
        all
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        let sealed = self.sealed.as_ref();
        let growing = self.growing.map_or(0, |growing| {
            let growing = growing.0.read();
            let is_sealed =
                |key: &str| sealed.is_some_and(|base| base.find(self.lexicon, key).is_some());
            growing.keys().filter(|key| !is_sealed(key)).count()
        });
        sealed.map_or(0, |base| base.keys(self.lexicon)) + growing
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
