//! Rows in columns. A partition is a sequence of segments, each a stretch of [`SEGMENT_ROWS`] row numbers.
//!
//! The segments of the base have the rows with which it was made. Those after it grow: a segment takes a few rows at
//! first, and when it is full a larger copy takes its place, while those who read the small one keep it. So a small
//! partition is small, and no reader sees a row move.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::base::{Base, RowPart};
use super::growing::Growing;
use super::record::{Record, RecordBytes};
use super::scopes::RowsBySlot;
use crate::filter::Facets;
use crate::sync::OnceLock;
use crate::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use crate::vector::{BitCodes, BitCodesRef, padded};

/// How many row numbers a segment has; a power of two.
pub(crate) const SEGMENT_ROWS: u32 = 4_096;
/// Up to so many rows a segment grows twofold, and fourfold from then on, when copies cost more than room.
const GENTLE: usize = 64;
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
pub(crate) struct Segment {
    /// The number of its first row.
    pub(crate) base: RowNumber,
    /// No row has a later recency time.
    newest: AtomicI64,
    rows: Rows,
    /// 1-bit codes of rows that grew to a whole segment; a base has its own.
    bits: OnceLock<Box<BitCodes>>,
    /// The rows of each scope, once a search has asked for them.
    by_slot: OnceLock<Box<RowsBySlot>>,
    /// The ends that came after the rows, once there is one; one for each row that there is room for.
    marks: OnceLock<Box<[Mark]>>,
    /// Of the rows that were there when a filter asked last.
    facets: ArcSwapOption<Facets>,
}

enum Rows {
    Growing(Box<Growing>),
    Sealed {
        base: Arc<Base>,
        /// The base's row at place 0.
        first: u32,
        count: u32,
    },
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

impl Segment {
    /// An empty segment at a place in the sequence of segments, with room for so many rows.
    pub(crate) fn new(index: usize, dimension: usize, rows: usize) -> Self {
        Self {
            base: index as u32 * SEGMENT_ROWS,
            newest: AtomicI64::new(i64::MIN),
            rows: Rows::Growing(Box::new(Growing::new(padded(dimension), rows))),
            bits: OnceLock::new(),
            by_slot: OnceLock::new(),
            marks: OnceLock::new(),
            facets: ArcSwapOption::empty(),
        }
    }

    /// The segments of a base.
    pub(crate) fn of_base(base: &Arc<Base>) -> Vec<Arc<Self>> {
        let firsts = (0..base.rows()).step_by(SEGMENT_ROWS as usize);
        firsts
            .map(|first| {
                let count = (base.rows() - first).min(SEGMENT_ROWS as usize);
                let newest = base.recency_times(first, count).iter().copied().max();
                Arc::new(Self {
                    base: first as u32,
                    newest: AtomicI64::new(newest.unwrap_or(i64::MIN)),
                    rows: Rows::Sealed {
                        base: Arc::clone(base),
                        first: first as u32,
                        count: count as u32,
                    },
                    bits: OnceLock::new(),
                    by_slot: OnceLock::new(),
                    marks: OnceLock::new(),
                    facets: ArcSwapOption::empty(),
                })
            })
            .collect()
    }

    /// Whether there is room for another row.
    pub(crate) fn has_room(&self) -> bool {
        match &self.rows {
            Rows::Growing(rows) => rows.records.len() < rows.records.capacity(),
            Rows::Sealed { .. } => false,
        }
    }

    /// A copy with more room, for at least so many more rows if the segment may have them; None if it is as large as it
    /// may be, or sealed.
    pub(crate) fn grown(&self, more: usize) -> Option<Self> {
        let Rows::Growing(rows) = &self.rows else {
            return None;
        };
        let length = rows.records.len();
        if length == SEGMENT_ROWS as usize {
            return None;
        }
        let capacity = larger(length).max(length + more).min(SEGMENT_ROWS as usize);
        let marks = OnceLock::new();
        if let Some(known) = self.marks.get() {
            let copies = known.iter().map(Mark::copy);
            let fresh = (known.len()..capacity).map(|_| Mark::none());
            marks.get_or_init(|| copies.chain(fresh).collect());
        }
        Some(Self {
            base: self.base,
            newest: AtomicI64::new(self.newest()),
            rows: Rows::Growing(Box::new(rows.copied(capacity))),
            bits: OnceLock::new(),
            by_slot: OnceLock::new(),
            marks,
            facets: ArcSwapOption::empty(),
        })
    }

    /// Appends a row and returns its number. Readers ignore it until a view says that it is there.
    ///
    /// # Panics
    ///
    /// If there is no room.
    pub(crate) fn push(&self, row: NewRow<'_>) -> RowNumber {
        let Rows::Growing(rows) = &self.rows else {
            unreachable!("a sealed segment has no room");
        };
        self.newest.fetch_max(row.recency_time, Ordering::Relaxed);
        self.base + rows.push(row) as u32
    }

    /// No row that a view shows happened or was heard later.
    pub(crate) fn newest(&self) -> i64 {
        self.newest.load(Ordering::Relaxed)
    }

    /// Makes the 1-bit codes if all rows are there and have none yet; whether it did. A reader who finds them finds them
    /// whole, whatever the view says of the rows.
    pub(crate) fn code_bits(&self) -> bool {
        let Rows::Growing(rows) = &self.rows else {
            return false;
        };
        if rows.records.len() < SEGMENT_ROWS as usize || self.bits.get().is_some() {
            return false;
        }
        let stride = rows.codes.len() / rows.records.len();
        let bits = BitCodes::of(rows.units.as_slice(), stride, rows.has_vector.as_slice());
        bits.map(|bits| self.bits.get_or_init(|| Box::new(bits)))
            .is_some()
    }

    /// Whether one of its rows was ever closed.
    pub(crate) fn has_marks(&self) -> bool {
        self.marks.get().is_some()
    }

    /// How many rows it has below a limit.
    pub(crate) fn rows_below(&self, limit: RowNumber) -> usize {
        let rows = match &self.rows {
            Rows::Growing(_) => SEGMENT_ROWS,
            Rows::Sealed { count, .. } => *count,
        };
        limit.saturating_sub(self.base).min(rows) as usize
    }

    /// int8 codes, one row after another.
    pub(crate) fn codes(&self) -> &[u8] {
        match &self.rows {
            Rows::Growing(rows) => rows.codes.as_slice(),
            Rows::Sealed { base, first, count } => base.codes(*first as usize, *count as usize),
        }
    }

    /// What a code of 1 stands for.
    pub(crate) fn scales(&self) -> &[f32] {
        match &self.rows {
            Rows::Growing(rows) => rows.scales.as_slice(),
            Rows::Sealed { base, first, count } => base.scales(*first as usize, *count as usize),
        }
    }

    /// Unit vectors, one row after another, zeros for a row without one.
    pub(crate) fn units(&self) -> &[f32] {
        match &self.rows {
            Rows::Growing(rows) => rows.units.as_slice(),
            Rows::Sealed { base, first, count } => base.units(*first as usize, *count as usize),
        }
    }

    /// 1-bit codes of all rows, if the segment has them.
    pub(crate) fn bits(&self) -> Option<BitCodesRef<'_>> {
        match &self.rows {
            Rows::Growing(_) => self.bits.get().map(|bits| bits.as_ref().as_ref()),
            Rows::Sealed { base, first, count } => {
                (*count == SEGMENT_ROWS).then(|| base.bits((first / SEGMENT_ROWS) as usize))
            }
        }
    }

    /// Whether the row at a place has a vector.
    pub(crate) fn has_vector(&self, place: usize) -> bool {
        match &self.rows {
            Rows::Growing(rows) => rows.has_vector.as_slice()[place],
            Rows::Sealed { base, first, .. } => base.has_vector(*first as usize + place),
        }
    }

    /// Terms in the indexed texts.
    pub(crate) fn lengths(&self) -> &[u32] {
        match &self.rows {
            Rows::Growing(rows) => rows.lengths.as_slice(),
            Rows::Sealed { base, first, count } => base.lengths(*first as usize, *count as usize),
        }
    }

    /// Which of the partition's scopes.
    pub(crate) fn scope_slots(&self) -> &[u32] {
        match &self.rows {
            Rows::Growing(rows) => rows.scope_slots.as_slice(),
            Rows::Sealed { base, first, count } => {
                base.scope_slots(*first as usize, *count as usize)
            }
        }
    }

    /// The rows of each scope, if all rows are there and so many that looking at each would take longer.
    pub(crate) fn by_slot(&self) -> Option<&RowsBySlot> {
        let slots = self.scope_slots();
        let is_whole = match &self.rows {
            Rows::Growing(_) => slots.len() == SEGMENT_ROWS as usize,
            Rows::Sealed { .. } => slots.len() >= LEAST_BY_SLOT,
        };
        let made = || self.by_slot.get_or_init(|| Box::new(RowsBySlot::of(slots)));
        is_whole.then(|| made().as_ref())
    }

    /// The rows by the values of their fields: of nearly all that are there. Made when the first filter asks, so that a
    /// partition that is never filtered does without.
    pub(crate) fn facets(&self) -> Arc<Facets> {
        let (rows, lag) = match &self.rows {
            Rows::Growing(rows) => match rows.records.len() {
                whole if whole == SEGMENT_ROWS as usize => (whole, 0),
                part => (part, (part / FACETS_LAG).max(64)),
            },
            Rows::Sealed { count, .. } => (*count as usize, 0),
        };
        let known = self.facets.load_full();
        if let Some(known) = known.filter(|known| known.rows() + lag >= rows) {
            return known;
        }
        let records: Vec<&RecordBytes> = (0..rows).map(|place| self.record(place)).collect();
        let facets = Arc::new(Facets::of(&records));
        self.facets.store(Some(Arc::clone(&facets)));
        facets
    }

    /// From when they hold.
    pub(crate) fn valid_from(&self) -> &[i64] {
        match &self.rows {
            Rows::Growing(rows) => rows.valid_from.as_slice(),
            Rows::Sealed { base, first, count } => {
                base.valid_from(*first as usize, *count as usize)
            }
        }
    }

    /// After this they are no longer found, or [`NEVER`].
    pub(crate) fn expire_times(&self) -> &[i64] {
        match &self.rows {
            Rows::Growing(rows) => rows.expire_time.as_slice(),
            Rows::Sealed { base, first, count } => {
                base.expire_times(*first as usize, *count as usize)
            }
        }
    }

    /// When they happened or were heard.
    pub(crate) fn recency_times(&self) -> &[i64] {
        match &self.rows {
            Rows::Growing(rows) => rows.recency_time.as_slice(),
            Rows::Sealed { base, first, count } => {
                base.recency_times(*first as usize, *count as usize)
            }
        }
    }

    /// The cold part of the row at a place.
    pub(crate) fn record(&self, place: usize) -> &RecordBytes {
        match &self.rows {
            Rows::Growing(rows) => &rows.records.as_slice()[place],
            Rows::Sealed { base, first, .. } => base.record(*first as usize + place),
        }
    }

    /// Asks the system for a part of the row at a place; nothing for rows in allocated memory.
    pub(crate) fn will_need(&self, place: usize, part: RowPart) {
        if let Rows::Sealed { base, first, .. } = &self.rows {
            base.will_need(*first as usize + place, part);
        }
    }

    /// Where its [`RecordBytes::memory_id`] is, for a prefetch.
    pub(crate) fn identity(&self, place: usize) -> &[u8] {
        match &self.rows {
            Rows::Growing(rows) => rows.records.as_slice()[place].identity(),
            Rows::Sealed { base, first, .. } => base.identity(*first as usize + place),
        }
    }

    /// The same, to keep.
    pub(crate) fn kept_record(&self, place: usize) -> Record {
        match &self.rows {
            Rows::Growing(rows) => rows.records.as_slice()[place].clone(),
            Rows::Sealed { base, first, .. } => {
                Record::sealed(Arc::clone(base), *first as usize + place)
            }
        }
    }

    /// Ends the row at a place, for readers at `sequence` and later. The segment has all the room that it will have, or
    /// a later copy takes the mark along.
    pub(crate) fn close(&self, place: usize, valid_to: i64, sequence: u32) {
        let room = match &self.rows {
            Rows::Growing(rows) => rows.records.capacity(),
            Rows::Sealed { count, .. } => *count as usize,
        };
        let marks = self
            .marks
            .get_or_init(|| (0..room).map(|_| Mark::none()).collect());
        marks[place].valid_to.store(valid_to, Ordering::Relaxed);
        marks[place].ended.store(sequence, Ordering::Release);
    }

    /// When a later version ended the row at a place, for a reader at `sequence`.
    pub(crate) fn closed_at(&self, place: usize, sequence: u32) -> Option<i64> {
        if let Rows::Sealed { base, first, .. } = &self.rows
            && base.is_closed(*first as usize + place)
        {
            return Some(base.ends(*first as usize + place, 1)[0]);
        }
        let mark = &self.marks.get()?[place];
        let ended = mark.ended.load(Ordering::Acquire);
        (ended != 0 && ended <= sequence).then(|| mark.valid_to.load(Ordering::Relaxed))
    }

    /// The end of validity with which the row at a place came, or [`NEVER`]. Of a row that was closed before the base was
    /// made, that end.
    pub(crate) fn planned_end(&self, place: usize) -> i64 {
        match &self.rows {
            Rows::Growing(rows) => rows.planned_end.as_slice()[place],
            Rows::Sealed { base, first, .. } => base.ends(*first as usize + place, 1)[0],
        }
    }

    /// When the row at a place ends, whichever way, or [`NEVER`].
    pub(crate) fn end_at(&self, place: usize, sequence: u32) -> i64 {
        self.closed_at(place, sequence)
            .unwrap_or_else(|| self.planned_end(place))
    }

    /// The places of rows that were closed after one sequence and up to another.
    pub(crate) fn closed_between(&self, after: u32, until: u32) -> impl Iterator<Item = usize> {
        let marks = self.marks.get().into_iter().flatten().enumerate();
        marks.filter_map(move |(place, mark)| {
            let ended = mark.ended.load(Ordering::Acquire);
            (ended > after && ended <= until).then_some(place)
        })
    }

    /// How many bytes were allocated, the records included; those of a base are counted there.
    pub(crate) fn bytes(&self) -> usize {
        let marks = self.marks.get().map_or(0, |marks| size_of_val(&**marks));
        let rows = match &self.rows {
            Rows::Growing(rows) => rows.bytes(),
            Rows::Sealed { .. } => 0,
        };
        let bits = self.bits.get();
        let bits = bits.map_or(0, |bits| bits.bytes() + size_of::<BitCodes>());
        let by_slot = self.by_slot.get();
        let by_slot = by_slot.map_or(0, |by_slot| by_slot.bytes() + size_of::<RowsBySlot>());
        let facets = self.facets.load();
        let facets = facets.as_ref().map_or(0, |facets| facets.bytes());
        size_of::<Self>() + 2 * size_of::<usize>() + marks + rows + bits + by_slot + facets
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
    use super::{SEGMENT_ROWS, Segment, larger, place_of};

    #[test]
    fn every_place_has_one_number() {
        for index in 0..3 {
            let segment = Segment::new(index, 1, 2);
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
