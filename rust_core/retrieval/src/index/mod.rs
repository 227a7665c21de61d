//! The index: all partitions of a node that are in memory, and the searches over them.

mod actor;
mod candidates;
mod choose;
mod context;
mod graph;
mod graph_use;
mod hits;
mod nearest;
mod partitions;
mod postings;
mod residency;
mod search;
mod select;
mod sources;
mod support;
mod time;
mod understanding;
mod widening;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use partitions::Partitions;
use residency::Residency;

pub use residency::Residents;
pub use support::{ABSTAIN_BELOW, Calibration, Support};

use crate::Error;
use crate::filter::Filter;
use crate::fusion::{Parts, Weights};
use crate::partition::view::View;
use crate::partition::{
    Close, HeldVersion, Partition, PartitionKey, PartitionStats, Record, Row, ScopeIds, ScopeMatch,
};
use crate::recalls::Recalls;
use crate::snapshot::{self, CHECKED_AT_ONCE, Snapshot};
use crate::understanding::Understanding;
use crate::vector::SimdPath;

/// The longest vector that an index takes.
pub const MAX_DIMENSION: usize = 8_192;
/// The most hits that a search gives.
pub const MAX_TOP_K: usize = 1_000;
/// How many candidates each retriever gives at least, unless a search says otherwise.
pub const DEFAULT_CANDIDATES: usize = 50;
/// The most that a search may say.
pub const MAX_CANDIDATES: usize = 4_000;
/// The most neighbours of a hit, on each side.
pub const MAX_CONTEXT_WINDOW: usize = 10;

/// All partitions in memory.
pub struct Index {
    dimension: usize,
    path: SimdPath,
    /// The width of [`GraphUse::Always`](crate::vector::plan::GraphUse), or 0.
    graph_width: AtomicUsize,
    partitions: Partitions,
    residency: Residency,
    recalls: Recalls,
}

/// What to search for, and where.
#[derive(Clone, Debug)]
pub struct SearchRequest<'a> {
    /// Partitions of one tenant; those that are not in memory count as empty.
    pub partitions: &'a [PartitionKey],
    /// The ids asked for.
    pub scope: &'a ScopeIds,
    /// How they select.
    pub scope_match: ScopeMatch,
    /// The query in words; empty leaves out the signals that go by them.
    pub text: &'a str,
    /// What [`Index::understand`] has made of the text in these partitions, if it was asked: it is not done again.
    pub understood: Option<&'a Understanding<'a>>,
    /// The embedding of the text as [`Index::understand`] gives it, as little-endian `f32`; None leaves the vector signal out.
    pub vector: Option<&'a [u8]>,
    /// Narrows further.
    pub filter: Option<&'a Filter>,
    /// The time against which expiry, ends and recency are judged, in microseconds since 1970-01-01 UTC.
    pub now_micros: i64,
    /// What "now" and "today" in the text are, in microseconds since 1970-01-01 UTC; `now_micros` unless said. Days are those
    /// of UTC.
    pub reference_micros: Option<i64>,
    /// Versions that held at this time instead of those that hold; expiry is judged then too.
    pub as_of_micros: Option<i64>,
    /// Also versions that have ended by supersession (with `as_of_micros`: those that had begun by then).
    pub include_superseded: bool,
    /// How many hits at most.
    pub top_k: usize,
    /// How much each signal counts.
    pub weights: Weights,
    /// How many candidates each retriever gives at least, [`DEFAULT_CANDIDATES`] unless there is a reason; four for each hit
    /// if that is more.
    pub candidates: usize,
    /// Hits below are left out.
    pub min_score: f64,
    /// Whether each hit takes a rank of its own, also where several say the same; else these come with the best of them.
    pub separate: bool,
    /// How the support of an answer becomes a confidence; without it there is none.
    pub calibration: Option<Calibration>,
    /// With a confidence below there are no hits.
    pub min_confidence: f64,
    /// Whether hits say what their scores are made of.
    pub explain: bool,
    /// How many messages before and after each hit come with it, at most.
    pub context_window: usize,
}

/// One memory found.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The version as it was written.
    pub record: Record,
    /// The ids that it carries.
    pub scope: Arc<ScopeIds>,
    /// The end of its validity, if it has one.
    pub valid_to_micros: Option<i64>,
    /// 0 to 1.
    pub score: f64,
    /// What the score is made of, if the request asked.
    pub parts: Option<Parts>,
    /// Messages of its conversation before it, oldest first; as many as the request asked for and there are.
    pub before: Vec<Record>,
    /// Those after it, oldest first.
    pub after: Vec<Record>,
    /// The memory of the best hit that says the same, which may be this one; None for a hit alone.
    pub group: Option<u128>,
    /// Further hits of its group, best first; they have neither of their own nor neighbours.
    pub grouped: Vec<Hit>,
}

/// What a search found.
#[derive(Clone, Debug, Default)]
pub struct SearchOutcome {
    /// Best first; of equal ones the newer first. At most one version of a memory, and unless asked otherwise one hit of a
    /// group.
    pub hits: Vec<Hit>,
    /// How many rows scope, time and filter let through.
    pub considered: u64,
    /// What speaks for an answer, where both words and vector take part.
    pub support: Option<Support>,
    /// How likely the scope has an answer, 0 to 1, where there is support and a calibration.
    pub confidence: Option<f64>,
}

impl Index {
    /// An empty index for vectors of a dimension.
    ///
    /// # Errors
    ///
    /// The dimension is not between 1 and [`MAX_DIMENSION`].
    pub fn new(dimension: usize, path: SimdPath) -> Result<Self, Error> {
        if !(1..=MAX_DIMENSION).contains(&dimension) {
            let message = format!("{dimension} is not between 1 and {MAX_DIMENSION}");
            return Err(Error::field_of("dimension", message));
        }
        Ok(Self {
            dimension,
            path,
            graph_width: AtomicUsize::new(0),
            partitions: Partitions::new(),
            residency: Residency::new(),
            recalls: Recalls::default(),
        })
    }

    /// Which memories its searches gave: those who answer with them note it here.
    pub fn recalls(&self) -> &Recalls {
        &self.recalls
    }

    /// The dimension of its vectors.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The instructions that its scans use.
    pub fn simd_path(&self) -> SimdPath {
        self.path
    }

    /// Makes the partition from rows in the order in which they were written, replacing what was there. Until it is done,
    /// searches see what was there before.
    ///
    /// # Errors
    ///
    /// A vector cannot be taken; what was there is still there then.
    pub fn load<B: AsRef<[u8]>>(&self, key: &PartitionKey, rows: &[Row<B>]) -> Result<(), Error> {
        if let Some(partition) = self.partition(key) {
            return partition.load(self.dimension, rows);
        }
        // Made before it is put in: nobody sees it empty.
        let fresh = Arc::new(Partition::new(key, self.dimension));
        fresh.load(self.dimension, rows)?;
        let held = self.partitions.insert(key, || Arc::clone(&fresh));
        if Arc::ptr_eq(&held, &fresh) {
            return Ok(());
        }
        // Somebody else made one meanwhile.
        held.load(self.dimension, rows)
    }

    /// Adds rows and then ends versions, at one moment: a search sees all of it or nothing. A row whose id and version
    /// are there replaces that row. The partition is made if it is not there.
    ///
    /// # Errors
    ///
    /// A vector cannot be taken; nothing has changed then.
    pub fn apply<B: AsRef<[u8]>>(
        &self,
        key: &PartitionKey,
        rows: &[Row<B>],
        closes: &[Close],
    ) -> Result<(), Error> {
        let partition = self.partition_or_new(key);
        partition.apply(self.dimension, rows, closes)
    }

    /// Makes the partition's memory exactly as large as its live rows need. Searches are not disturbed; writers wait for its
    /// last moments only.
    ///
    /// # Errors
    ///
    /// The partition is too large to be sealed.
    pub fn compact(&self, key: &PartitionKey) -> Result<(), Error> {
        let partition = self.partition(key);
        partition.map_or(Ok(()), |partition| partition.compact(self.dimension))
    }

    /// Does one step of what is due for the partition: a compaction when many rows are dead or new, the 1-bit codes of a
    /// full segment. Searches are not disturbed; writers wait for the last moments of a compaction only.
    ///
    /// Returns whether it did something, so that more may be due.
    ///
    /// # Errors
    ///
    /// The partition is too large to be sealed.
    pub fn upkeep(&self, key: &PartitionKey) -> Result<bool, Error> {
        self.partition(key).map_or(Ok(false), |partition| {
            partition.upkeep(self.dimension, self.path, self.graph_use())
        })
    }

    /// The partition's state now, to be written to a file; None if it is not in memory.
    pub fn freeze(&self, key: &PartitionKey) -> Option<Snapshot> {
        let partition = self.partition(key)?;
        Some(partition.freeze(key, self.dimension))
    }

    /// Makes the partition from a file that a [`Snapshot`] wrote, replacing what was there, and returns the revision with
    /// which it was written. The file is mapped: only what is used of it takes memory.
    ///
    /// # Errors
    ///
    /// [`Error::Snapshot`]: the file cannot be read, is damaged, or is of another format, partition, model or dimension. What
    /// was there is still there then.
    pub fn open(&self, key: &PartitionKey, path: &Path, model: &str) -> Result<i64, Error> {
        let (base, revision) = snapshot::open(path, key, self.dimension, model, CHECKED_AT_ONCE)?;
        self.partition_or_new(key).settle_on(base);
        Ok(revision)
    }

    /// Reads what has not been checked yet of the file behind the partition, which may take seconds.
    ///
    /// # Errors
    ///
    /// [`Error::Snapshot`]: it is damaged. The partition is to be dropped then.
    pub fn verify(&self, key: &PartitionKey) -> Result<(), Error> {
        let partition = self.partition(key);
        partition.map_or(Ok(()), |partition| partition.view().verify())
    }

    /// Takes the partition out of memory; whether it was there. Searches that have begun still see it.
    pub fn drop_partition(&self, key: &PartitionKey) -> bool {
        self.partitions.remove(key)
    }

    /// Whether the partition is in memory.
    pub fn contains(&self, key: &PartitionKey) -> bool {
        self.partitions.with(key, |_| ()).is_some()
    }

    /// The versions that the partition holds, in no particular order; none if it is not in memory.
    pub fn versions(&self, key: &PartitionKey) -> Vec<HeldVersion> {
        self.partition(key)
            .map(|partition| partition.versions())
            .unwrap_or_default()
    }

    /// What one partition holds; all zeros if it is not in memory.
    pub fn stats_of(&self, key: &PartitionKey) -> PartitionStats {
        self.partition(key)
            .map(|partition| partition.stats())
            .unwrap_or_default()
    }

    /// What all partitions hold. A term counts once for each partition that has it.
    pub fn stats(&self) -> PartitionStats {
        let mut sum = PartitionStats::default();
        for stats in self.partitions.all().map(|held| held.stats()) {
            sum.partitions += stats.partitions;
            sum.rows += stats.rows;
            sum.dead += stats.dead;
            sum.current += stats.current;
            sum.vectors += stats.vectors;
            sum.terms += stats.terms;
            sum.entities += stats.entities;
            sum.graph_rows += stats.graph_rows;
            sum.graph_bytes += stats.graph_bytes;
            sum.bytes += stats.bytes;
            sum.mapped_bytes += stats.mapped_bytes;
        }
        sum
    }

    pub(crate) fn partition(&self, key: &PartitionKey) -> Option<Arc<Partition>> {
        self.partitions.with(key, Arc::clone)
    }

    fn partition_or_new(&self, key: &PartitionKey) -> Arc<Partition> {
        let new = || Arc::new(Partition::new(key, self.dimension));
        self.partition(key)
            .unwrap_or_else(|| self.partitions.insert(key, new))
    }

    /// The state of a partition after its last batch.
    fn view(&self, key: &PartitionKey) -> Option<Arc<View>> {
        self.partitions.with(key, |held| held.view())
    }
}
