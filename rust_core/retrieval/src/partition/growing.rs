//! The rows of a segment that still grows: arrays that are appended to while readers use what is there.

use super::append_only::AppendOnly;
use super::record::Record;

/// The columns of rows that are still written.
pub(super) struct Growing {
    pub(super) codes: AppendOnly<u8>,
    pub(super) scales: AppendOnly<f32>,
    pub(super) units: AppendOnly<f32>,
    pub(super) has_vector: AppendOnly<bool>,
    pub(super) lengths: AppendOnly<u32>,
    pub(super) scope_slots: AppendOnly<u32>,
    pub(super) valid_from: AppendOnly<i64>,
    pub(super) planned_end: AppendOnly<i64>,
    pub(super) expire_time: AppendOnly<i64>,
    pub(super) recency_time: AppendOnly<i64>,
    pub(super) records: AppendOnly<Record>,
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

impl Growing {
    /// Without rows, with room for so many.
    pub(super) fn new(stride: usize, rows: usize) -> Self {
        Self {
            codes: AppendOnly::aligned(rows * stride, 64),
            scales: AppendOnly::with_capacity(rows),
            units: AppendOnly::aligned(rows * stride, 64),
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
    pub(super) fn copied(&self, rows: usize) -> Self {
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
    pub(super) fn push(&self, row: NewRow<'_>) -> usize {
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

    /// How many bytes were allocated.
    pub(super) fn bytes(&self) -> usize {
        let columns = self.codes.bytes()
            + self.scales.bytes()
            + self.units.bytes()
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
