//! The stretches of an image that have a checksum each, and what of them has been checked.
//!
//! The vectors are three units, checked in the background: no value of theirs can do more harm than a wrong score. All that says
//! where something lies is one unit and checked before the image is used. Postings and records are most of the rest; they
//! are many small units, each checked when it is first used.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::layout::Layout;

/// Bytes of a unit of postings: a multiple of a posting.
const POSTING_UNIT: usize = 32_768;
/// Rows whose records are a unit.
const RECORD_UNIT: usize = 64;

/// The unit of the structure; codes, `f32` rows and 1-bit codes are before it.
pub(crate) const STRUCTURE: usize = 3;
const FIRST_POSTINGS: usize = 4;

/// Which unit is where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Units {
    layout: Layout,
    postings: usize,
    records: usize,
}

impl Units {
    pub(crate) fn of(layout: &Layout) -> Self {
        let posting_bytes = layout.records() - layout.first_postings();
        Self {
            layout: *layout,
            postings: posting_bytes.div_ceil(POSTING_UNIT),
            records: layout.rows().div_ceil(RECORD_UNIT),
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        FIRST_POSTINGS + self.postings + self.records
    }

    /// Where the units before the records end, in order.
    pub(crate) fn ends_before_records(&self) -> impl Iterator<Item = usize> + use<> {
        let layout = self.layout;
        let start = layout.first_postings();
        let postings = (1..=self.postings)
            .map(move |unit| (start + unit * POSTING_UNIT).min(layout.records()));
        [layout.units(), layout.bits(), layout.tombstone_ids(), start]
            .into_iter()
            .chain(postings)
    }

    /// Where the unit of records ends of which the row is the last, if it is the last of one.
    pub(crate) fn is_last_of_records(&self, row: usize) -> bool {
        (row + 1).is_multiple_of(RECORD_UNIT) || row + 1 == self.layout.rows()
    }

    /// The units of postings that a stretch of bytes of the image touches.
    pub(crate) fn of_postings(&self, start: usize, end: usize) -> std::ops::Range<usize> {
        let first = self.layout.first_postings();
        if start == end {
            return 0..0;
        }
        let unit = |byte: usize| FIRST_POSTINGS + (byte - first) / POSTING_UNIT;
        unit(start)..unit(end - 1) + 1
    }

    /// The unit of a row's record.
    pub(crate) fn of_record(&self, row: usize) -> usize {
        FIRST_POSTINGS + self.postings + row / RECORD_UNIT
    }

    /// What a unit is, if it is one that is checked when it is first used.
    pub(crate) fn lazy(&self, unit: usize) -> Option<Lazy> {
        let posting = unit.checked_sub(FIRST_POSTINGS)?;
        let Some(record) = posting.checked_sub(self.postings) else {
            let start = self.layout.first_postings() + posting * POSTING_UNIT;
            let end = (start + POSTING_UNIT).min(self.layout.records());
            return Some(Lazy::Postings { start, end });
        };
        let first = record * RECORD_UNIT;
        let end = (first + RECORD_UNIT).min(self.layout.rows());
        Some(Lazy::Records { first, end })
    }
}

/// A unit that is checked when it is first used.
pub(crate) enum Lazy {
    /// Bytes of the image.
    Postings { start: usize, end: usize },
    /// Rows.
    Records { first: usize, end: usize },
}

/// What has been checked of an image that came from a file.
pub(crate) struct Checks {
    pub(crate) units: Units,
    checksums: Box<[u32]>,
    /// One bit for each unit.
    passed: Box<[AtomicU64]>,
    damaged: AtomicBool,
    /// Everything has been read once.
    complete: AtomicBool,
}

impl Checks {
    /// With the checksum of each unit.
    pub(crate) fn new(units: Units, checksums: Vec<u32>) -> Self {
        debug_assert_eq!(units.count(), checksums.len());
        Self {
            passed: (0..units.count().div_ceil(64))
                .map(|_| AtomicU64::new(0))
                .collect(),
            units,
            checksums: checksums.into(),
            damaged: AtomicBool::new(false),
            complete: AtomicBool::new(false),
        }
    }

    /// Whether something was found that is not as it was written.
    pub(crate) fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Whether all of it has been read, so that the system probably has it in memory.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Relaxed)
    }

    /// Everything has been checked.
    pub(crate) fn complete(&self) {
        self.complete.store(true, Ordering::Relaxed);
    }

    /// Whether a unit was found to be as it was written.
    #[inline]
    pub(crate) fn has_passed(&self, unit: usize) -> bool {
        // Whoever sees the bit needs to see nothing else that was written with it: the bytes never change.
        self.passed[unit / 64].load(Ordering::Relaxed) >> (unit % 64) & 1 == 1
    }

    /// Whether a unit is as it was written, once `holds` has said of its bytes what the checksum cannot.
    pub(crate) fn pass<'a>(
        &self,
        unit: usize,
        bytes: impl FnOnce() -> &'a [u8],
        holds: impl FnOnce() -> bool,
    ) -> bool {
        let passes = crc32c::crc32c(bytes()) == self.checksums[unit] && holds();
        if passes {
            self.passed[unit / 64].fetch_or(1 << (unit % 64), Ordering::Relaxed);
        } else {
            self.damaged.store(true, Ordering::Relaxed);
        }
        passes
    }

    /// How many bytes it takes beyond its own size.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.checksums) + size_of_val(&*self.passed)
    }
}
