//! Rows in columns. A partition is a sequence of segments, each a stretch of [`SEGMENT_ROWS`] row numbers.
//!
//! The segments of the base have the rows with which it was made. Those after it grow: a segment takes a few rows at
//! first, and when it is full a larger copy takes its place, while those who read the small one keep it. So a small
//! partition is small, and no reader sees a row move.

use std::sync::Arc;

use super::aside::Aside;
use super::base::{Base, RowPart};
use super::growing::Growing;
use super::record::{Record, RecordBytes};
use super::scopes::RowsBySlot;
use crate::filter::Facets;
use crate::sync::OnceLock;
use crate::sync::atomic::{AtomicI64, Ordering};
use crate::vector::{BitCodes, BitCodesRef, padded};

/// How many row numbers a segment has; a power of two.
pub(crate) const SEGMENT_ROWS: u32 = 4_096;
/// Up to so many rows a segment grows twofold, and fourfold from then on, when copies cost more than room.
const GENTLE: usize = 64;
/// The newest of so many rows is found by looking at each.
const FEW: usize = 64;
/// Segments of fewer rows are looked at row by row for those of a scope.
const LEAST_BY_SLOT: usize = 256;
/// Facets of a segment that still grows are made anew when more than one row of so many is not in them.
const FACETS_LAG: usize = 16;
/// No row can have this number, so that a batch that would reach it is refused in time.
pub(crate) const LAST_ROW: u32 = u32::MAX - 2 * SEGMENT_ROWS;

pub(crate) use super::growing::NewRow;

/// The number of a row: its place in its segment plus the segment's base, a multiple of [`SEGMENT_ROWS`].
pub(crate) type RowNumber = u32;

/// The end of validity and the time of expiry of a row that has none.
pub(crate) const NEVER: i64 = i64::MAX;

/// The segment that holds a row, and the row's place in it.
#[inline]
pub(crate) fn place_of(row: RowNumber) -> (usize, usize) {
    ((row / SEGMENT_ROWS) as usize, (row % SEGMENT_ROWS) as usize)
}

/// A stretch of rows: one column for each thing that a search reads, so that it reads nothing else.
#[derive(Clone, Copy)]
pub(crate) struct Segment<'a> {
    /// The number of its first row.
    pub(crate) base: RowNumber,
    rows: Rows<'a>,
}

#[derive(Clone, Copy)]
enum Rows<'a> {
    Growing(&'a GrowingSegment),
    /// The rows of a base from the segment's number on; so many.
    Sealed(&'a Base, u32),
}

/// A segment after those of the base.
pub(crate) struct GrowingSegment {
    base: RowNumber,
    /// No row has a later recency time.
    newest: AtomicI64,
    rows: Growing,
    /// 1-bit codes, once there is a whole segment of rows.
    bits: OnceLock<Box<BitCodes>>,
    aside: Aside,
}

impl GrowingSegment {
    /// An empty segment at a place in the sequence of segments, with room for so many rows.
    pub(crate) fn new(index: usize, dimension: usize, rows: usize) -> Self {
        Self {
            base: index as u32 * SEGMENT_ROWS,
            newest: AtomicI64::new(i64::MIN),
            rows: Growing::new(padded(dimension), rows),
            bits: OnceLock::new(),
            aside: Aside::new(),
        }
    }

    /// Whether there is room for another row.
    pub(crate) fn has_room(&self) -> bool {
        self.rows.records.len() < self.rows.records.capacity()
    }

    /// A copy with more room, for at least so many more rows if the segment may have them; None if it is as large as it
    /// may be.
    pub(crate) fn grown(&self, more: usize) -> Option<Self> {
        let length = self.rows.records.len();
        if length == SEGMENT_ROWS as usize {
            return None;
        }
        let capacity = larger(length).max(length + more).min(SEGMENT_ROWS as usize);
        Some(Self {
            base: self.base,
            newest: AtomicI64::new(self.newest.load(Ordering::Relaxed)),
            rows: self.rows.copied(capacity),
            bits: OnceLock::new(),
            aside: self.aside.copied(capacity),
        })
    }

    /// Appends a row and returns its number. Readers ignore it until a view says that it is there.
    ///
    /// # Panics
    ///
    /// If there is no room.
    pub(crate) fn push(&self, row: NewRow<'_>) -> RowNumber {
        self.newest.fetch_max(row.recency_time, Ordering::Relaxed);
        self.base + self.rows.push(row) as u32
    }

    /// Its rows, to be read.
    pub(crate) fn as_segment(&self) -> Segment<'_> {
        Segment {
            base: self.base,
            rows: Rows::Growing(self),
        }
    }

    /// What a hit keeps of the row at a place.
    pub(crate) fn kept_record(&self, place: usize) -> Record {
        self.rows.records.as_slice()[place].clone()
    }

    /// Makes the 1-bit codes if all rows are there and have none yet; whether it did. A reader who finds them finds them
    /// whole, whatever the view says of the rows.
    pub(crate) fn code_bits(&self) -> bool {
        let rows = &self.rows;
        if rows.records.len() < SEGMENT_ROWS as usize || self.bits.get().is_some() {
            return false;
        }
        let stride = rows.codes.len() / rows.records.len();
        let bits = BitCodes::of(rows.units.as_slice(), stride, rows.has_vector.as_slice());
        bits.map(|bits| self.bits.get_or_init(|| Box::new(bits)))
            .is_some()
    }

    /// How many bytes were allocated, the records included.
    pub(crate) fn bytes(&self) -> usize {
        let bits = self.bits.get();
        let bits = bits.map_or(0, |bits| bits.bytes() + size_of::<BitCodes>());
        let counts = 2 * size_of::<usize>();
        size_of::<Self>() + counts + self.rows.bytes() + bits + self.aside.bytes()
    }
}

impl<'a> Segment<'a> {
    /// The rows of a base from a multiple of [`SEGMENT_ROWS`] on.
    #[inline]
    pub(crate) fn sealed(base: &'a Base, index: usize) -> Self {
        let first = index * SEGMENT_ROWS as usize;
        let count = (base.rows() - first).min(SEGMENT_ROWS as usize);
        Self {
            base: first as u32,
            rows: Rows::Sealed(base, count as u32),
        }
    }

    fn aside(self) -> Option<&'a Aside> {
        match self.rows {
            Rows::Growing(segment) => Some(&segment.aside),
            Rows::Sealed(base, _) => Some(base.late()?.aside(self.index())),
        }
    }

    fn aside_or_new(self) -> &'a Aside {
        match self.rows {
            Rows::Growing(segment) => &segment.aside,
            Rows::Sealed(base, _) => base.late_or_new().aside(self.index()),
        }
    }

    fn index(self) -> usize {
        (self.base / SEGMENT_ROWS) as usize
    }

    /// The base's row at place 0.
    #[inline]
    fn first(self) -> usize {
        self.base as usize
    }

    /// No row that a view shows happened or was heard later.
    pub(crate) fn newest(self) -> i64 {
        match self.rows {
            Rows::Growing(segment) => segment.newest.load(Ordering::Relaxed),
            Rows::Sealed(base, _) => {
                let newest = || {
                    let times = self.recency_times().iter().copied();
                    times.max().unwrap_or(i64::MIN)
                };
                if self.recency_times().len() <= FEW {
                    return newest();
                }
                base.late_or_new().newest(self.index(), newest)
            }
        }
    }

    /// Whether one of its rows was ever closed.
    pub(crate) fn has_marks(self) -> bool {
        self.aside().is_some_and(Aside::has_marks)
    }

    /// How many rows it has below a limit.
    pub(crate) fn rows_below(self, limit: RowNumber) -> usize {
        let rows = match self.rows {
            Rows::Growing(_) => SEGMENT_ROWS,
            Rows::Sealed(_, count) => count,
        };
        limit.saturating_sub(self.base).min(rows) as usize
    }

    /// int8 codes, one row after another.
    pub(crate) fn codes(self) -> &'a [u8] {
        match self.rows {
            Rows::Growing(segment) => segment.rows.codes.as_slice(),
            Rows::Sealed(base, count) => base.codes(self.first(), count as usize),
        }
    }

    /// What a code of 1 stands for.
    pub(crate) fn scales(self) -> &'a [f32] {
        match self.rows {
            Rows::Growing(segment) => segment.rows.scales.as_slice(),
            Rows::Sealed(base, count) => base.scales(self.first(), count as usize),
        }
    }

    /// Unit vectors, one row after another, zeros for a row without one.
    pub(crate) fn units(self) -> &'a [f32] {
        match self.rows {
            Rows::Growing(segment) => segment.rows.units.as_slice(),
            Rows::Sealed(base, count) => base.units(self.first(), count as usize),
        }
    }

    /// 1-bit codes of all rows, if the segment has them.
    pub(crate) fn bits(self) -> Option<BitCodesRef<'a>> {
        match self.rows {
            Rows::Growing(segment) => segment.bits.get().map(|bits| bits.as_ref().as_ref()),
            Rows::Sealed(base, count) => (count == SEGMENT_ROWS).then(|| base.bits(self.index())),
        }
    }

    /// Whether the row at a place has a vector.
    pub(crate) fn has_vector(self, place: usize) -> bool {
        match self.rows {
            Rows::Growing(segment) => segment.rows.has_vector.as_slice()[place],
            Rows::Sealed(base, _) => base.has_vector(self.first() + place),
        }
    }

    /// Terms in the indexed texts.
    #[inline]
    pub(crate) fn lengths(self) -> &'a [u32] {
        match self.rows {
            Rows::Growing(segment) => segment.rows.lengths.as_slice(),
            Rows::Sealed(base, count) => base.lengths(self.first(), count as usize),
        }
    }

    /// Which of the partition's scopes.
    #[inline]
    pub(crate) fn scope_slots(self) -> &'a [u32] {
        match self.rows {
            Rows::Growing(segment) => segment.rows.scope_slots.as_slice(),
            Rows::Sealed(base, count) => base.scope_slots(self.first(), count as usize),
        }
    }

    /// The rows of each scope, if all rows are there and so many that looking at each would take longer.
    pub(crate) fn by_slot(self) -> Option<&'a RowsBySlot> {
        let slots = self.scope_slots();
        let is_whole = match self.rows {
            Rows::Growing(_) => slots.len() == SEGMENT_ROWS as usize,
            Rows::Sealed(..) => slots.len() >= LEAST_BY_SLOT,
        };
        is_whole.then(|| self.aside_or_new().by_slot(slots))
    }

    /// The rows by the values of their fields: of nearly all that are there. Made when the first filter asks, so that a
    /// partition that is never filtered does without.
    pub(crate) fn facets(self) -> Arc<Facets> {
        let (rows, lag) = match self.rows {
            Rows::Growing(segment) => match segment.rows.records.len() {
                whole if whole == SEGMENT_ROWS as usize => (whole, 0),
                part => (part, (part / FACETS_LAG).max(64)),
            },
            Rows::Sealed(_, count) => (count as usize, 0),
        };
        self.aside_or_new()
            .facets(rows, lag, |place| self.record(place))
    }

    /// From when they hold.
    pub(crate) fn valid_from(self) -> &'a [i64] {
        match self.rows {
            Rows::Growing(segment) => segment.rows.valid_from.as_slice(),
            Rows::Sealed(base, count) => base.valid_from(self.first(), count as usize),
        }
    }

    /// After this they are no longer found, or [`NEVER`].
    pub(crate) fn expire_times(self) -> &'a [i64] {
        match self.rows {
            Rows::Growing(segment) => segment.rows.expire_time.as_slice(),
            Rows::Sealed(base, count) => base.expire_times(self.first(), count as usize),
        }
    }

    /// When they happened or were heard.
    #[inline]
    pub(crate) fn recency_times(self) -> &'a [i64] {
        match self.rows {
            Rows::Growing(segment) => segment.rows.recency_time.as_slice(),
            Rows::Sealed(base, count) => base.recency_times(self.first(), count as usize),
        }
    }

    /// The cold part of the row at a place.
    pub(crate) fn record(self, place: usize) -> &'a RecordBytes {
        match self.rows {
            Rows::Growing(segment) => &segment.rows.records.as_slice()[place],
            Rows::Sealed(base, _) => base.record(self.first() + place),
        }
    }

    /// [`RecordBytes::asks`] of the row at a place.
    pub(crate) fn asks(self, place: usize) -> bool {
        match self.rows {
            Rows::Growing(segment) => segment.rows.records.as_slice()[place].asks(),
            Rows::Sealed(base, _) => base.asks(self.first() + place),
        }
    }

    /// Asks the system for a part of the row at a place; nothing for rows in allocated memory.
    pub(crate) fn will_need(self, place: usize, part: RowPart) {
        if let Rows::Sealed(base, _) = self.rows {
            base.will_need(self.first() + place, part);
        }
    }

    /// Where its [`RecordBytes::memory_id`] is, for a prefetch.
    pub(crate) fn identity(self, place: usize) -> &'a [u8] {
        match self.rows {
            Rows::Growing(segment) => segment.rows.records.as_slice()[place].identity(),
            Rows::Sealed(base, _) => base.identity(self.first() + place),
        }
    }

    /// The first bytes of its record, unread.
    pub(crate) fn beginning(self, place: usize) -> &'a [u8] {
        match self.rows {
            Rows::Growing(segment) => segment.rows.records.as_slice()[place].beginning(),
            Rows::Sealed(base, _) => base.beginning(self.first() + place),
        }
    }

    /// Ends the row at a place, for readers at `sequence` and later. The segment has all the room that it will have, or
    /// a later copy takes the mark along.
    pub(crate) fn close(self, place: usize, valid_to: i64, sequence: u32) {
        let room = match self.rows {
            Rows::Growing(segment) => segment.rows.records.capacity(),
            Rows::Sealed(_, count) => count as usize,
        };
        self.aside_or_new().close(place, valid_to, sequence, room);
    }

    /// When a later version ended the row at a place, for a reader at `sequence`.
    pub(crate) fn closed_at(self, place: usize, sequence: u32) -> Option<i64> {
        if let Rows::Sealed(base, _) = self.rows
            && base.is_closed(self.first() + place)
        {
            return Some(base.ends(self.first() + place, 1)[0]);
        }
        self.aside()?.closed_at(place, sequence)
    }

    /// The end of validity with which the row at a place came, or [`NEVER`]. Of a row that was closed before the base was
    /// made, that end.
    pub(crate) fn planned_end(self, place: usize) -> i64 {
        match self.rows {
            Rows::Growing(segment) => segment.rows.planned_end.as_slice()[place],
            Rows::Sealed(base, _) => base.ends(self.first() + place, 1)[0],
        }
    }

    /// When the row at a place ends, whichever way, or [`NEVER`].
    pub(crate) fn end_at(self, place: usize, sequence: u32) -> i64 {
        self.closed_at(place, sequence)
            .unwrap_or_else(|| self.planned_end(place))
    }

    /// The places of rows that were closed after one sequence and up to another.
    pub(crate) fn closed_between(self, after: u32, until: u32) -> impl Iterator<Item = usize> {
        let aside = self.aside().into_iter();
        aside.flat_map(move |aside| aside.closed_between(after, until))
    }
}

/// The next capacity of a segment that is full.
fn larger(capacity: usize) -> usize {
    if capacity < GENTLE {
        (2 * capacity).max(2)
    } else {
        4 * capacity
    }
}

#[cfg(test)]
mod tests {
    use super::{GrowingSegment, SEGMENT_ROWS, larger, place_of};

    #[test]
    fn every_place_has_one_number() {
        for index in 0..3 {
            let segment = GrowingSegment::new(index, 1, 2);
            assert_eq!(place_of(segment.base), (index, 0));
            let last = SEGMENT_ROWS as usize - 1;
            assert_eq!(place_of(segment.base + last as u32), (index, last));
        }
    }

    #[test]
    fn growth_ends_at_a_whole_segment() {
        let sizes: Vec<usize> = std::iter::successors(Some(2), |&size| Some(larger(size)))
            .take_while(|&size| size <= SEGMENT_ROWS as usize)
            .collect();
        assert_eq!(sizes, [2, 4, 8, 16, 32, 64, 256, 1_024, 4_096]);
    }
}
