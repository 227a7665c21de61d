//! Rows in columns. A partition is a sequence of segments, each several times as large as the one before it, so that a
//! small partition is small and a growing one never moves a row.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use super::append_only::AppendOnly;
use super::record::Record;
use super::scopes::RowsBySlot;
use crate::vector::{BitCodes, padded};

/// Rows that the first segments hold; each later one holds [`LARGEST`].
const SMALL: [u32; 4] = [16, 64, 256, 1_024];
const LARGEST: u32 = 4_096;
/// Where the segments of [`LARGEST`] rows begin: after the small ones, each rounded up to whole mask words.
const SMALL_END: u32 = 64 + 64 + 256 + 1_024;
/// Segments of fewer rows are looked at row by row for those of a scope.
const LEAST_BY_SLOT: usize = 256;
/// No row can have this number, so that a batch that would reach it is refused in time.
pub(crate) const LAST_ROW: u32 = u32::MAX - 2 * LARGEST;

/// The number of a row: its place in its segment plus the segment's base, which is a multiple of 64, so that one bitmap
/// over row numbers has whole words for each segment. The first segment is shorter than its words: 16 to 63 stay unused.
pub(crate) type RowNumber = u32;

/// The end of validity and the time of expiry of a row that has none.
pub(crate) const NEVER: i64 = i64::MAX;

/// The segment that holds a row, and the row's place in it.
#[inline]
pub(crate) fn place_of(row: RowNumber) -> (usize, usize) {
    let (segment, base) = match row {
        0..64 => (0, 0),
        64..128 => (1, 64),
        128..384 => (2, 128),
        384..SMALL_END => (3, 384),
        _ => {
            return (
                4 + ((row - SMALL_END) / LARGEST) as usize,
                ((row - SMALL_END) % LARGEST) as usize,
            );
        }
    };
    (segment, (row - base) as usize)
}

fn base_of(segment: usize) -> RowNumber {
    match segment {
        0 => 0,
        1 => 64,
        2 => 128,
        3 => 384,
        _ => SMALL_END + (segment as u32 - 4) * LARGEST,
    }
}

/// A stretch of rows: one column for each thing that a search reads, so that it reads nothing else.
pub(crate) struct Segment {
    /// The number of its first row.
    pub(crate) base: RowNumber,
    /// int8 codes, `stride` a row.
    pub(crate) codes: AppendOnly<u8>,
    /// What a code of 1 stands for.
    pub(crate) scales: AppendOnly<f32>,
    /// Unit vectors, `stride` a row, zeros for a row without one.
    pub(crate) units: AppendOnly<f32>,
    /// 1-bit codes of all rows, once the segment is full and if it is one of the large ones.
    pub(crate) bits: OnceLock<BitCodes>,
    /// Whether the row has a vector.
    pub(crate) has_vector: AppendOnly<bool>,
    /// Terms in the indexed text.
    pub(crate) lengths: AppendOnly<u32>,
    /// Which of the partition's scopes.
    pub(crate) scope_slots: AppendOnly<u32>,
    /// The rows of each scope, once the segment is full and if it is not one of the smallest.
    pub(crate) by_slot: OnceLock<RowsBySlot>,
    /// From when it holds.
    pub(crate) valid_from: AppendOnly<i64>,
    /// The end of validity with which it came, or [`NEVER`].
    pub(crate) planned_end: AppendOnly<i64>,
    /// Until when it held; only meaningful once `ended`.
    pub(crate) valid_to: AppendOnly<AtomicI64>,
    /// After this it is no longer found, or [`NEVER`].
    pub(crate) expire_time: AppendOnly<i64>,
    /// When it happened or was heard.
    pub(crate) recency_time: AppendOnly<i64>,
    /// No row has a later `recency_time`.
    newest: AtomicI64,
    /// The sequence that superseded it, or 0.
    pub(crate) ended: AppendOnly<AtomicU32>,
    /// The cold part.
    pub(crate) records: AppendOnly<Record>,
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
    /// The empty segment at a place in the sequence of segments.
    pub(crate) fn new(index: usize, dimension: usize) -> Self {
        let rows = SMALL.get(index).copied().unwrap_or(LARGEST) as usize;
        let stride = padded(dimension);
        Self {
            base: base_of(index),
            codes: AppendOnly::aligned(rows * stride, 64),
            scales: AppendOnly::with_capacity(rows),
            units: AppendOnly::aligned(rows * stride, 64),
            bits: OnceLock::new(),
            has_vector: AppendOnly::with_capacity(rows),
            lengths: AppendOnly::with_capacity(rows),
            scope_slots: AppendOnly::with_capacity(rows),
            by_slot: OnceLock::new(),
            valid_from: AppendOnly::with_capacity(rows),
            planned_end: AppendOnly::with_capacity(rows),
            valid_to: AppendOnly::with_capacity(rows),
            expire_time: AppendOnly::with_capacity(rows),
            recency_time: AppendOnly::with_capacity(rows),
            newest: AtomicI64::new(i64::MIN),
            ended: AppendOnly::with_capacity(rows),
            records: AppendOnly::with_capacity(rows),
        }
    }

    /// Whether there is room for another row.
    pub(crate) fn is_full(&self) -> bool {
        self.records.len() == self.records.capacity()
    }

    /// Appends a row and returns its number. Readers ignore it until a view says that it is there.
    ///
    /// # Panics
    ///
    /// If the segment is full.
    pub(crate) fn push(&self, row: NewRow<'_>) -> RowNumber {
        let place = self.records.len();
        self.newest.fetch_max(row.recency_time, Ordering::Relaxed);
        let fits = self.codes.extend(row.codes)
            && self.units.extend(row.unit)
            && self.scales.push(row.scale).is_ok()
            && self.has_vector.push(row.has_vector).is_ok()
            && self.lengths.push(row.length).is_ok()
            && self.scope_slots.push(row.scope_slot).is_ok()
            && self.valid_from.push(row.valid_from).is_ok()
            && self.planned_end.push(row.planned_end).is_ok()
            && self.valid_to.push(AtomicI64::new(NEVER)).is_ok()
            && self.expire_time.push(row.expire_time).is_ok()
            && self.recency_time.push(row.recency_time).is_ok()
            && self.ended.push(AtomicU32::new(0)).is_ok()
            && self.records.push(row.record).is_ok();
        assert!(fits, "a row is pushed only into a segment with room");
        if self.is_full() {
            self.seal(row.unit.len());
        }
        self.base + place as u32
    }

    /// No row that a view shows happened or was heard later.
    pub(crate) fn newest(&self) -> i64 {
        self.newest.load(Ordering::Relaxed)
    }

    /// Makes what only a full segment has. A reader who finds it finds it whole, whatever the view says of the rows.
    fn seal(&self, stride: usize) {
        let rows = self.records.capacity();
        if rows < LEAST_BY_SLOT {
            return;
        }
        let slots = self.scope_slots.as_slice();
        self.by_slot.get_or_init(|| RowsBySlot::of(slots));
        if rows < LARGEST as usize {
            return;
        }
        let has_vector = self.has_vector.as_slice();
        if let Some(bits) = BitCodes::of(self.units.as_slice(), stride, has_vector) {
            self.bits.get_or_init(|| bits);
        }
    }

    /// How many of its rows are below a limit.
    pub(crate) fn rows_below(&self, limit: RowNumber) -> usize {
        (limit.saturating_sub(self.base) as usize).min(self.records.capacity())
    }

    /// When a later version ended the row at a place, for a reader at `sequence`.
    pub(crate) fn closed_at(&self, place: usize, sequence: u32) -> Option<i64> {
        let ended = self.ended.as_slice()[place].load(Ordering::Acquire);
        (ended != 0 && ended <= sequence)
            .then(|| self.valid_to.as_slice()[place].load(Ordering::Relaxed))
    }

    /// When the row at a place ends, whichever way, or [`NEVER`].
    pub(crate) fn end_at(&self, place: usize, sequence: u32) -> i64 {
        self.closed_at(place, sequence)
            .unwrap_or_else(|| self.planned_end.as_slice()[place])
    }

    /// How many bytes were allocated, the records included.
    pub(crate) fn bytes(&self) -> usize {
        let columns = self.codes.bytes()
            + self.scales.bytes()
            + self.units.bytes()
            + self.bits.get().map_or(0, BitCodes::bytes)
            + self.has_vector.bytes()
            + self.lengths.bytes()
            + self.scope_slots.bytes()
            + self.by_slot.get().map_or(0, RowsBySlot::bytes)
            + self.valid_from.bytes()
            + self.planned_end.bytes()
            + self.valid_to.bytes()
            + self.expire_time.bytes()
            + self.recency_time.bytes()
            + self.ended.bytes()
            + self.records.bytes();
        columns
            + self
                .records
                .as_slice()
                .iter()
                .map(Record::bytes)
                .sum::<usize>()
            + size_of::<Self>()
    }
}

#[cfg(test)]
mod tests {
    use super::{LARGEST, SMALL, Segment, place_of};

    #[test]
    fn every_place_has_one_number() {
        let capacities = SMALL.into_iter().chain([LARGEST; 3]);
        for (index, rows) in capacities.map(|rows| rows as usize).enumerate() {
            let segment = Segment::new(index, 1);
            assert_eq!(segment.records.capacity(), rows);
            assert_eq!(place_of(segment.base), (index, 0));
            assert_eq!(place_of(segment.base + rows as u32 - 1), (index, rows - 1));
            assert!(segment.base.is_multiple_of(64));
        }
    }
}
