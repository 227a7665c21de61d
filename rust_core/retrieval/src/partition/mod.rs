//! Partitions: the memories of one owner, written by one and read by many.
//!
//! A reader takes the [`View`](view::View) that was published last and works on it for as long as it likes. A writer
//! puts rows beyond the view's limit, marks the rows that it ends with the number of its batch, and publishes the next
//! view with one atomic store, so that a reader sees a batch entirely or not at all, and neither waits for the other.

mod append_list;
mod append_only;
mod aside;
pub(crate) mod base;
pub(crate) mod bitmap;
mod compaction;
pub(crate) mod conversations;
pub(crate) mod dictionary;
pub(crate) mod graph;
mod graph_width;
mod growing;
#[cfg(all(loom, test))]
mod interleavings;
mod key;
mod latest;
mod marks;
mod memory;
mod record;
mod record_check;
pub(crate) mod scopes;
mod scratch;
pub(crate) mod segment;
mod term_counts;
pub(crate) mod view;
mod writer;

use std::sync::Arc;

use crate::Error;
use crate::snapshot::Snapshot;
use crate::sync::{ArcSwap, Mutex};
use crate::vector::plan::GraphUse;
use crate::vector::{SimdPath, padded};
use base::Base;
use base::layout::Lexicon;
use compaction::Compaction;
use graph::GraphSlot;
use marks::Marks;
use segment::NEVER;
use view::{BaseRef, View, rows_of};
use writer::Writer;

pub(crate) use key::KeyParts;
pub use latest::LatestVersion;
pub use memory::{
    Close, Memory, MetadataValue, PartitionKey, Row, ScopeIds, ScopeMatch, format_memory_id,
    parse_memory_id,
};
pub use record::{Record, RecordBytes, Texts, ValueRef};

/// What partitions hold. Sizes in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionStats {
    /// How many partitions.
    pub partitions: u64,
    /// All rows that were not deleted or replaced, ended ones included.
    pub rows: u64,
    /// Rows that were, and still take memory.
    pub dead: u64,
    /// Those of them that have no end.
    pub current: u64,
    /// Those of them that have a vector.
    pub vectors: u64,
    /// Distinct terms.
    pub terms: u64,
    /// Distinct names.
    pub entities: u64,
    /// Rows that have links in a graph.
    pub graph_rows: u64,
    /// What was allocated for the links.
    pub graph_bytes: u64,
    /// What was allocated for rows, postings, dictionaries and links.
    pub bytes: u64,
    /// What is mapped from files, of which the system keeps in memory what is used.
    pub mapped_bytes: u64,
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
    writer: Mutex<Option<Box<Writer>>>,
    /// One compaction at a time.
    compacting: Mutex<()>,
    pub(crate) marks: Marks,
    /// The parts of its key: the tenant and the owner's id in one text, without what a structure of their own would be
    /// padded with.
    owner_kind: u8,
    tenant_bytes: u32,
    tenant_and_owner: Box<str>,
}

/// A partition is compacted when one row in so many is dead, or has come since the base was made.
const DEAD_SHARE: u32 = 5;
const TAIL_SHARE: u32 = 3;
/// Up to so many rows a partition is compacted whatever the share, because that takes microseconds.
const FEW_ROWS: u32 = 64;

impl Partition {
    /// Without rows.
    pub(crate) fn new(key: &PartitionKey, dimension: usize) -> Self {
        let mut writer = Writer::new(dimension);
        Self {
            view: ArcSwap::from_pointee(writer.view()),
            writer: Mutex::new(Some(Box::new(writer))),
            compacting: Mutex::new(()),
            marks: Marks::default(),
            owner_kind: key.owner_kind,
            tenant_bytes: key.tenant.len() as u32,
            tenant_and_owner: [key.tenant.as_str(), &key.owner_id].concat().into(),
        }
    }

    /// Whose rows they are.
    pub(crate) fn key(&self) -> KeyParts<'_> {
        KeyParts::split(self.owner_kind, &self.tenant_and_owner, self.tenant_bytes)
    }

    /// The state after the last batch.
    pub(crate) fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// Adds rows and ends versions at one moment.
    pub(crate) fn apply<B: AsRef<[u8]>>(
        &self,
        dimension: usize,
        rows: &[Row<B>],
        closes: &[Close],
    ) -> Result<(), Error> {
        let mut writer = self.writer.lock();
        let writer = writer.get_or_insert_with(|| Box::new(self.writer_of_base(dimension)));
        writer.write(rows, closes)?;
        let view = writer.view();
        // A row that could not be read may have been the one that a close was meant for.
        view.check_damage()?;
        self.view.store(Arc::new(view));
        Ok(())
    }

    /// A writer to take over from one that left nothing but a base.
    fn writer_of_base(&self, dimension: usize) -> Writer {
        let base = self.view().base_ref();
        base.map_or_else(
            || Writer::new(dimension),
            |base| Writer::over(dimension, &base),
        )
    }

    /// Replaces all that is there by these rows. Readers keep the old state until it is done.
    pub(crate) fn load<B: AsRef<[u8]>>(
        &self,
        dimension: usize,
        rows: &[Row<B>],
    ) -> Result<(), Error> {
        let mut fresh = Writer::new(dimension);
        fresh.write(rows, &[])?;
        let view = Arc::new(fresh.view());
        let base = compaction::base_of(dimension, &view, fresh.tombstones())?;
        let mut writer = self.writer.lock();
        self.rest(&base, &mut writer);
        Ok(())
    }

    /// Replaces all that is there by a base.
    pub(crate) fn settle_on(&self, base: Base) {
        let mut writer = self.writer.lock();
        let base = BaseRef::new(base, self.view().sequence + 1);
        self.rest(&base, &mut writer);
    }

    /// The state now, to be written to a file.
    pub(crate) fn freeze(&self, key: &PartitionKey, dimension: usize) -> Snapshot {
        let writer = self.writer.lock();
        Snapshot {
            key: key.clone(),
            dimension,
            view: self.view(),
            tombstones: self.tombstones(writer.as_deref()),
        }
    }

    /// Publishes a base and nothing else; who writes next begins with that.
    fn rest(&self, base: &BaseRef, writer: &mut Option<Box<Writer>>) {
        self.view.store(Arc::clone(base.view()));
        *writer = None;
    }

    /// Publishes the state of a new writer and keeps the writer if it has more than the base.
    fn settle(&self, mut fresh: Writer, writer: &mut Option<Box<Writer>>) {
        if let Some(base) = fresh.base().filter(|_| !fresh.has_written()) {
            self.rest(base, writer);
        } else {
            self.view.store(Arc::new(fresh.view()));
            *writer = Some(Box::new(fresh));
        }
    }

    /// Makes a new base of the live rows. Readers are not disturbed, and writers wait only for its last moments.
    pub(crate) fn compact(&self, dimension: usize) -> Result<(), Error> {
        let _alone = self.compacting.lock();
        self.view().verify()?;
        let (view, tombstones) = {
            let writer = self.writer.lock();
            (self.view(), self.tombstones(writer.as_deref()))
        };
        let mut compaction = Compaction::of(dimension, view, tombstones)?;
        compaction.catch_up(|| self.view());
        let mut writer = self.writer.lock();
        let last = self.view();
        if compaction.is_of(&last) {
            let since = writer.as_ref().map(|writer| writer.deleted());
            let fresh = compaction.finish(last, since.unwrap_or_default());
            self.settle(fresh, &mut writer);
        }
        Ok(())
    }

    /// The last version of every deleted memory.
    fn tombstones(&self, writer: Option<&Writer>) -> Vec<(u128, u32)> {
        match (writer, self.view().base()) {
            (Some(writer), _) => writer.tombstones(),
            (None, Some(base)) => base.tombstones().collect(),
            (None, None) => Vec::new(),
        }
    }

    /// Does one step of the upkeep that is due; whether there was one, or more of it is.
    pub(crate) fn upkeep(
        &self,
        dimension: usize,
        path: SimdPath,
        graph_use: GraphUse,
    ) -> Result<bool, Error> {
        let view = self.view();
        if is_due(&view) {
            self.compact(dimension)?;
            return Ok(true);
        }
        if view
            .growing_segments()
            .iter()
            .any(|segment| segment.code_bits())
        {
            return Ok(true);
        }
        let stride = padded(dimension);
        let has_graph = view.graph().is_some_and(GraphSlot::is_there);
        let graph = if has_graph || GraphSlot::is_wanted(&view, graph_use) {
            view.graph_or_new()
        } else {
            None
        };
        Ok(graph.is_some_and(|graph| graph.step(&view, path, stride, graph_use)))
    }

    /// The versions that it holds, in no particular order.
    pub(crate) fn versions(&self) -> Vec<HeldVersion> {
        let view = self.view();
        let held = |row| {
            let (segment, place) = view.locate(row);
            let record = segment.record(place);
            HeldVersion {
                memory_id: record.memory_id(),
                version: record.version(),
                ended: segment.end_at(place, view.sequence) != NEVER,
                has_vector: segment.has_vector(place),
            }
        };
        rows_of(&view.live).map(held).collect()
    }

    /// What it holds.
    pub(crate) fn stats(&self) -> PartitionStats {
        let view = self.view();
        let graph = view.graph();
        let graph_bytes = graph.map_or(0, GraphSlot::bytes);
        PartitionStats {
            partitions: 1,
            rows: view.counts.live.into(),
            dead: (view.counts.written - view.counts.live).into(),
            current: view.counts.current.into(),
            vectors: view.counts.vectors.into(),
            terms: view.vocabulary(Lexicon::Terms).len() as u64,
            entities: view.vocabulary(Lexicon::Names).len() as u64,
            graph_rows: graph.map_or(0, GraphSlot::rows),
            graph_bytes: graph_bytes as u64,
            bytes: (size_of::<Self>() + self.tenant_and_owner.len() + view.bytes() + graph_bytes)
                as u64,
            mapped_bytes: view.base().map_or(0, Base::mapped_bytes) as u64,
        }
    }
}

/// Whether so many rows are dead, or came after the base, that a new base is worth its price.
fn is_due(view: &View) -> bool {
    let written = view.counts.written;
    let sealed = view.base().map_or(0, |base| base.rows() as u32);
    let (dead, tail) = (written - view.counts.live, written - sealed);
    if written <= FEW_ROWS {
        return dead + tail > 0;
    }
    dead > written / DEAD_SHARE || tail > written / TAIL_SHARE
}
