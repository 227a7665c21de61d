//! What a reader sees of a partition: the state after one batch, for as long as it holds on to it.

use std::sync::Arc;

use crate::Error;

use super::base::Base;
use super::dictionary::Dictionary;
use super::graph::Links;
use super::memory::ScopeIds;
use super::record::{Record, RecordBytes};
use super::scopes::Scopes;
use super::segment::{NEVER, RowNumber, Segment, place_of};

/// The parts of a partition that grow in place. A load makes new ones.
pub(crate) struct Storage {
    /// Terms of the indexed texts.
    pub(crate) terms: Dictionary,
    /// Normalised names.
    pub(crate) entities: Dictionary,
    /// The distinct scopes; rows name them by place.
    pub(crate) scopes: Scopes,
    /// Links between rows that are near each other, by the row numbers that go with this storage.
    pub(crate) graph: Links,
}

/// How many rows of each sort a view has.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// All that the segments hold.
    pub(crate) written: u32,
    /// Those of them that were not deleted or replaced.
    pub(crate) live: u32,
    /// Those of them that have no end.
    pub(crate) current: u32,
    /// Live rows that expire.
    pub(crate) expiring: u32,
    /// Live rows with a vector.
    pub(crate) vectors: u32,
    /// Terms of the current rows, repeats counted.
    pub(crate) total_length: u64,
}

/// What a search wants to know of all rows at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extremes {
    /// The largest scale of a vector's codes.
    pub(crate) scale: f32,
    /// The last end of validity with which a row came: from then on, only rows without an end hold.
    pub(crate) planned_end: i64,
}

impl Default for Extremes {
    fn default() -> Self {
        Self {
            scale: 0.0,
            planned_end: i64::MIN,
        }
    }
}

/// An immutable state of a partition; the writer publishes a new one after each batch.
pub(crate) struct View {
    pub(crate) storage: Arc<Storage>,
    /// The rows of the first segments.
    pub(crate) base: Option<Arc<Base>>,
    pub(crate) segments: Arc<[Arc<Segment>]>,
    /// The number of the batch that made it: marks of later batches do not hold yet.
    pub(crate) sequence: u32,
    /// Rows from here on are not there yet.
    pub(crate) limit: RowNumber,
    pub(crate) counts: Counts,
    /// Over all rows.
    pub(crate) extremes: Extremes,
    /// The rows that are neither deleted nor replaced, as a bitmap over row numbers.
    pub(crate) live: Arc<[u64]>,
    /// Those of them that have no end.
    pub(crate) current: Arc<[u64]>,
}

impl View {
    /// Whether every row that was ever written is there and has no end.
    pub(crate) fn is_all_current(&self) -> bool {
        self.counts.written == self.counts.current
    }

    /// Whether bytes of its base were found to be other than those that were written.
    pub(crate) fn check_damage(&self) -> Result<(), Error> {
        let is_damaged = |base: &Arc<Base>| base.is_damaged();
        if self.base.as_ref().is_some_and(is_damaged) {
            return Err(damaged());
        }
        Ok(())
    }

    /// Whether its base is in a file that has not been read yet as a whole.
    pub(crate) fn is_cold(&self) -> bool {
        self.base.as_ref().is_some_and(|base| base.is_cold())
    }

    /// Reads what has not been checked yet of its base.
    pub(crate) fn verify(&self) -> Result<(), Error> {
        if self.base.as_ref().is_some_and(|base| !base.verify()) {
            return Err(damaged());
        }
        Ok(())
    }

    /// The segment of a row and the row's place in it.
    #[inline]
    pub(crate) fn locate(&self, row: RowNumber) -> (&Segment, usize) {
        let (segment, place) = place_of(row);
        (&self.segments[segment], place)
    }

    /// The cold part of a row.
    pub(crate) fn record(&self, row: RowNumber) -> &RecordBytes {
        let (segment, place) = self.locate(row);
        segment.record(place)
    }

    /// The same, to keep.
    pub(crate) fn kept_record(&self, row: RowNumber) -> Record {
        let (segment, place) = self.locate(row);
        segment.kept_record(place)
    }

    /// The end of a row's validity, if it has one.
    pub(crate) fn end(&self, row: RowNumber) -> Option<i64> {
        let (segment, place) = self.locate(row);
        let end = segment.end_at(place, self.sequence);
        (end != NEVER).then_some(end)
    }

    /// The scope of a row.
    pub(crate) fn scope(&self, row: RowNumber) -> Arc<ScopeIds> {
        let (segment, place) = self.locate(row);
        let slot = segment.scope_slots()[place];
        Arc::clone(
            self.storage
                .scopes
                .get(slot)
                .expect("a scope is interned before a row names it"),
        )
    }
}

fn damaged() -> Error {
    Error::Snapshot("the file behind a partition is damaged".to_owned())
}

/// Whether a bitmap has a row.
#[inline]
pub(crate) fn has_row(words: &[u64], row: RowNumber) -> bool {
    words
        .get(row as usize / 64)
        .is_some_and(|word| word >> (row % 64) & 1 == 1)
}

/// The rows of a bitmap, ascending.
pub(crate) fn rows_of(words: &[u64]) -> impl Iterator<Item = RowNumber> {
    words.iter().enumerate().flat_map(|(index, &word)| {
        std::iter::successors((word != 0).then_some(word), |&word| {
            let rest = word & (word - 1);
            (rest != 0).then_some(rest)
        })
        .map(move |word| index as u32 * 64 + word.trailing_zeros())
    })
}

/// A bitmap with so many rows.
pub(crate) fn first_rows(count: usize) -> Vec<u64> {
    let mut words = vec![u64::MAX; count.div_ceil(64)];
    if let Some(last) = words.last_mut().filter(|_| !count.is_multiple_of(64)) {
        *last = (1 << (count % 64)) - 1;
    }
    words
}
