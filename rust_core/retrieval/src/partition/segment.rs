//! Rows in columns. A partition is a sequence of segments, each a stretch of [`SEGMENT_ROWS`] row numbers.
//!
//! The segments of the base have the rows with which it was made. Those after it grow: a segment takes a few rows at
//! first, and when it is full a larger copy takes its place, while those who read the small one keep it. So a small
//! partition is small, and no reader sees a row move.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use super::append_only::AppendOnly;
use super::base::Base;
use super::record::{Record, RecordBytes};
use crate::vector::{BitCodes, BitCodesRef, padded};

/// How many row numbers a segment has; a power of two.
pub(crate) const SEGMENT_ROWS: u32 = 4_096;
/// Up to so many rows a segment grows twofold, and fourfold from then on, when copies cost more than room.
const GENTLE: usize = 64;
/// No row can have this number, so that a batch that would reach it is refused in time.
pub(crate) const LAST_ROW: u32 = u32::MAX - 2 * SEGMENT_ROWS;

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
    /// The ends that came after the rows, once there is one; one for each row that there is room for.
    marks: OnceLock<Box<[Mark]>>,
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

struct Growing {
    codes: AppendOnly<u8>,
    scales: AppendOnly<f32>,
    units: AppendOnly<f32>,
    /// Once all rows are there and somebody has found the time.
    bits: OnceLock<BitCodes>,
    has_vector: AppendOnly<bool>,
    lengths: AppendOnly<u32>,
    scope_slots: AppendOnly<u32>,
    valid_from: AppendOnly<i64>,
    planned_end: AppendOnly<i64>,
    expire_time: AppendOnly<i64>,
    recency_time: AppendOnly<i64>,
    records: AppendOnly<Record>,
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

/// One row on its way into a segment.
pub(crate) struct NewRow<'a> {
    pub(crate) codes: &'a [u8],
    pub(crate) scale: f32,
    pub(crate) unit: &'a [f32],
    pub(crate) has_vector: bool,
    pub(crate) length: u32,
    pub(crate) scope_slot: u32,
    pub(crate) valid_from: i64,
    pub(crate) planned_end: i64,
    pub(crate) expire_time: i64,
    pub(crate) recency_time: i64,
    pub(crate) record: Record,
}

impl Segment {
    /// An empty segment at a place in the sequence of segments, with room for so many rows.
    pub(crate) fn new(index: usize, dimension: usize, rows: usize) -> Self {
        Self {
            base: index as u32 * SEGMENT_ROWS,
            newest: AtomicI64::new(i64::MIN),
            rows: Rows::Growing(Box::new(Growing::new(padded(dimension), rows))),
            marks: OnceLock::new(),
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
                    marks: OnceLock::new(),
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
            marks,
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

    /// Makes the 1-bit codes if all rows are there and have none yet. A reader who finds them finds them whole, whatever
    /// the view says of the rows.
    pub(crate) fn code_bits(&self) -> bool {
        let Rows::Growing(rows) = &self.rows else {
            return false;
        };
        if rows.records.len() < SEGMENT_ROWS as usize || rows.bits.get().is_some() {
            return false;
        }
        let stride = rows.codes.len() / rows.records.len();
        let has_vector = rows.has_vector.as_slice();
        match BitCodes::of(rows.units.as_slice(), stride, has_vector) {
            Some(bits) => rows.bits.set(bits).is_ok(),
            None => false,
        }
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
            Rows::Growing(rows) => rows.bits.get().map(BitCodes::as_ref),
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
        size_of::<Self>() + 2 * size_of::<usize>() + marks + rows
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

impl Growing {
    fn new(stride: usize, rows: usize) -> Self {
        Self {
            codes: AppendOnly::aligned(rows * stride, 64),
            scales: AppendOnly::with_capacity(rows),
            units: AppendOnly::aligned(rows * stride, 64),
            bits: OnceLock::new(),
            has_vector: AppendOnly::with_capacity(rows),
            lengths: AppendOnly::with_capacity(rows),
            scope_slots: AppendOnly::with_capacity(rows),
            valid_from: AppendOnly::with_capacity(rows),
            planned_end: AppendOnly::with_capacity(rows),
            expire_time: AppendOnly::with_capacity(rows),
            recency_time: AppendOnly::with_capacity(rows),
            records: AppendOnly::with_capacity(rows),
        }
    }

    /// The same rows with more room.
    fn copied(&self, rows: usize) -> Self {
        let stride = self.codes.len() / self.records.len().max(1);
        let copy = Self::new(stride, rows);
        let fits = copy.codes.extend(self.codes.as_slice())
            && copy.scales.extend(self.scales.as_slice())
            && copy.units.extend(self.units.as_slice())
            && copy.has_vector.extend(self.has_vector.as_slice())
            && copy.lengths.extend(self.lengths.as_slice())
            && copy.scope_slots.extend(self.scope_slots.as_slice())
            && copy.valid_from.extend(self.valid_from.as_slice())
            && copy.planned_end.extend(self.planned_end.as_slice())
            && copy.expire_time.extend(self.expire_time.as_slice())
            && copy.recency_time.extend(self.recency_time.as_slice());
        let mut records = self.records.as_slice().iter().cloned();
        let fits = fits && records.all(|record| copy.records.push(record).is_ok());
        assert!(fits, "a copy has more room");
        copy
    }

    /// The place of the new row.
    fn push(&self, row: NewRow<'_>) -> usize {
        let place = self.records.len();
        let fits = self.codes.extend(row.codes)
            && self.units.extend(row.unit)
            && self.scales.push(row.scale).is_ok()
            && self.has_vector.push(row.has_vector).is_ok()
            && self.lengths.push(row.length).is_ok()
            && self.scope_slots.push(row.scope_slot).is_ok()
            && self.valid_from.push(row.valid_from).is_ok()
            && self.planned_end.push(row.planned_end).is_ok()
            && self.expire_time.push(row.expire_time).is_ok()
            && self.recency_time.push(row.recency_time).is_ok()
            && self.records.push(row.record).is_ok();
        assert!(fits, "a row is pushed only into a segment with room");
        place
    }

    fn bytes(&self) -> usize {
        let columns = self.codes.bytes()
            + self.scales.bytes()
            + self.units.bytes()
            + self.bits.get().map_or(0, BitCodes::bytes)
            + self.has_vector.bytes()
            + self.lengths.bytes()
            + self.scope_slots.bytes()
            + self.valid_from.bytes()
            + self.planned_end.bytes()
            + self.expire_time.bytes()
            + self.recency_time.bytes()
            + self.records.bytes();
        let records = self.records.as_slice().iter().map(Record::bytes);
        size_of::<Self>() + columns + records.sum::<usize>()
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
