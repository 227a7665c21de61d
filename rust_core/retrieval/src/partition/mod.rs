//! Partitions: the memories of one owner, written by one and read by many.
//!
//! A reader takes the [`View`](view::View) that was published last and works on it for as long as it likes. A writer
//! puts rows beyond the view's limit, marks the rows that it ends with the number of its batch, and publishes the next
//! view with one atomic store, so that a reader sees a batch entirely or not at all, and neither waits for the other.

mod append_list;
mod append_only;
pub(crate) mod dictionary;
mod memory;
mod record;
pub(crate) mod scopes;
pub(crate) mod segment;
pub(crate) mod view;
mod writer;

use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::Error;
use segment::NEVER;
use view::{View, rows_of};
use writer::Writer;

pub use memory::{
    Close, Memory, MetadataValue, PartitionKey, Row, ScopeIds, ScopeMatch, format_memory_id,
    parse_memory_id,
};
pub use record::{Record, Texts, ValueRef};

/// What partitions hold. Sizes in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionStats {
    /// How many partitions.
    pub partitions: u64,
    /// All rows that were not deleted or replaced, ended ones included.
    pub rows: u64,
    /// Those of them that have no end.
    pub current: u64,
    /// Those of them that have a vector.
    pub vectors: u64,
    /// Distinct terms.
    pub terms: u64,
    /// Distinct names.
    pub entities: u64,
    /// What was allocated for rows, postings and dictionaries.
    pub bytes: u64,
}

/// One version that a partition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldVersion {
    /// Whose.
    pub memory_id: u128,
    /// Which.
    pub version: u32,
    /// Whether it has an end of validity.
    pub ended: bool,
    /// Whether it has a vector.
    pub has_vector: bool,
}

/// All memories of one owner.
pub(crate) struct Partition {
    view: ArcSwap<View>,
    writer: Mutex<Writer>,
}

impl Partition {
    /// Without rows.
    pub(crate) fn new(dimension: usize) -> Self {
        let writer = Writer::new(dimension);
        Self {
            view: ArcSwap::from_pointee(writer.view()),
            writer: Mutex::new(writer),
        }
    }

    /// The state after the last batch.
    pub(crate) fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// Adds rows and ends versions at one moment.
    pub(crate) fn apply<B: AsRef<[u8]>>(
        &self,
        rows: &[Row<B>],
        closes: &[Close],
    ) -> Result<(), Error> {
        let mut writer = self.writer.lock();
        writer.write(rows, closes)?;
        self.view.store(Arc::new(writer.view()));
        Ok(())
    }

    /// Replaces all that is there by these rows. Readers keep the old state until it is done.
    pub(crate) fn load<B: AsRef<[u8]>>(
        &self,
        dimension: usize,
        rows: &[Row<B>],
    ) -> Result<(), Error> {
        let mut writer = self.writer.lock();
        let mut fresh = Writer::new(dimension);
        fresh.write(rows, &[])?;
        self.view.store(Arc::new(fresh.view()));
        *writer = fresh;
        Ok(())
    }

    /// The versions that it holds, in the order of writing.
    pub(crate) fn versions(&self) -> Vec<HeldVersion> {
        let view = self.view();
        let held = |row| {
            let (segment, place) = view.locate(row);
            let record = &segment.records.as_slice()[place];
            HeldVersion {
                memory_id: record.memory_id(),
                version: record.version(),
                ended: segment.end_at(place, view.sequence) != NEVER,
                has_vector: segment.has_vector.as_slice()[place],
            }
        };
        rows_of(&view.live).map(held).collect()
    }

    /// What it holds.
    pub(crate) fn stats(&self) -> PartitionStats {
        let view = self.view();
        let segments: usize = view.segments.iter().map(|segment| segment.bytes()).sum();
        let storage = &view.storage;
        PartitionStats {
            partitions: 1,
            rows: view.counts.live.into(),
            current: view.counts.current.into(),
            vectors: view.counts.vectors.into(),
            terms: storage.terms.len() as u64,
            entities: storage.entities.len() as u64,
            bytes: (segments
                + storage.terms.bytes()
                + storage.entities.bytes()
                + storage.scopes.bytes()) as u64,
        }
    }
}
