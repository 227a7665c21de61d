//! What is kept beside the rows of a segment: made when it is first wanted, so that most segments have none of it.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::record::RecordBytes;
use super::scopes::RowsBySlot;
use super::segment::NEVER;
use crate::filter::Facets;
use crate::sync::OnceLock;
use crate::sync::atomic::{AtomicI64, AtomicU32, Ordering};

/// Beside the rows of one segment.
pub(super) struct Aside {
    /// The rows of each scope, once a search has asked for them.
    by_slot: OnceLock<Box<RowsBySlot>>,
    /// The ends that came after the rows, once there is one; one for each row that there is room for.
    marks: OnceLock<Box<[Mark]>>,
    /// Of the rows that were there when a filter asked last.
    facets: ArcSwapOption<Facets>,
}

/// The end of a row by a later version.
struct Mark {
    /// The sequence that ended it, or 0.
    ended: AtomicU32,
    /// Until when it held; only meaningful once `ended`.
    valid_to: AtomicI64,
}

impl Mark {
    fn none() -> Self {
        Self {
            ended: AtomicU32::new(0),
            valid_to: AtomicI64::new(NEVER),
        }
    }

    fn copy(&self) -> Self {
        Self {
            ended: AtomicU32::new(self.ended.load(Ordering::Relaxed)),
            valid_to: AtomicI64::new(self.valid_to.load(Ordering::Relaxed)),
        }
    }
}

impl Aside {
    pub(super) fn new() -> Self {
        Self {
            by_slot: OnceLock::new(),
            marks: OnceLock::new(),
            facets: ArcSwapOption::empty(),
        }
    }

    /// The marks alone, for a copy of the segment with room for so many rows.
    pub(super) fn copied(&self, rows: usize) -> Self {
        let copy = Self::new();
        if let Some(known) = self.marks.get() {
            let copies = known.iter().map(Mark::copy);
            let fresh = (known.len()..rows).map(|_| Mark::none());
            copy.marks.get_or_init(|| copies.chain(fresh).collect());
        }
        copy
    }

    /// Whether one of the rows was ever closed.
    pub(super) fn has_marks(&self) -> bool {
        self.marks.get().is_some()
    }

    /// Ends the row at a place, for readers at `sequence` and later. There is room for so many rows.
    pub(super) fn close(&self, place: usize, valid_to: i64, sequence: u32, room: usize) {
        let fresh = || (0..room).map(|_| Mark::none()).collect();
        let mark = &self.marks.get_or_init(fresh)[place];
        mark.valid_to.store(valid_to, Ordering::Relaxed);
        mark.ended.store(sequence, Ordering::Release);
    }

    /// When a later version ended the row at a place, for a reader at `sequence`.
    pub(super) fn closed_at(&self, place: usize, sequence: u32) -> Option<i64> {
        let mark = &self.marks.get()?[place];
        let ended = mark.ended.load(Ordering::Acquire);
        (ended != 0 && ended <= sequence).then(|| mark.valid_to.load(Ordering::Relaxed))
    }

    /// The places of rows that were closed after one sequence and up to another.
    pub(super) fn closed_between(
        &self,
        after: u32,
        until: u32,
    ) -> impl Iterator<Item = usize> + use<'_> {
        let marks = self.marks.get().into_iter().flatten().enumerate();
        marks.filter_map(move |(place, mark)| {
            let ended = mark.ended.load(Ordering::Acquire);
            (ended > after && ended <= until).then_some(place)
        })
    }

    /// The rows of each scope.
    pub(super) fn by_slot(&self, slots: &[u32]) -> &RowsBySlot {
        self.by_slot.get_or_init(|| Box::new(RowsBySlot::of(slots)))
    }

    /// The rows by the values of their fields: of `rows` rows, or of at most `lag` fewer.
    pub(super) fn facets<'a>(
        &self,
        rows: usize,
        lag: usize,
        record: impl Fn(usize) -> &'a RecordBytes,
    ) -> Arc<Facets> {
        let known = self.facets.load_full();
        if let Some(known) = known.filter(|known| known.rows() + lag >= rows) {
            return known;
        }
        let records: Vec<&RecordBytes> = (0..rows).map(record).collect();
        let facets = Arc::new(Facets::of(&records));
        self.facets.store(Some(Arc::clone(&facets)));
        facets
    }

    /// How many bytes were allocated for it beyond its own size.
    pub(super) fn bytes(&self) -> usize {
        let marks = self.marks.get().map_or(0, |marks| size_of_val(&**marks));
        let by_slot = self.by_slot.get();
        let by_slot = by_slot.map_or(0, |by_slot| by_slot.bytes() + size_of::<RowsBySlot>());
        let facets = self.facets.load();
        let facets = facets.as_ref().map_or(0, |facets| facets.bytes());
        marks + by_slot + facets
    }
}
