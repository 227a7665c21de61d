//! `mnemic._core.Index` and what its methods take.

use std::path::PathBuf;
use std::sync::Arc;

use mnemic_retrieval::index::{Calibration, DEFAULT_CANDIDATES};
use mnemic_retrieval::partition::{format_memory_id, parse_memory_id};
use mnemic_retrieval::understanding::Understanding;
use mnemic_retrieval::vector::SimdPath;
use mnemic_retrieval::vector::plan::GraphUse;
use mnemic_retrieval::{Error, ScopeMatch, SearchRequest, fusion, partition};
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};

use crate::filter::Filter;
use crate::hit::SearchOutcome;
use crate::memory::{PartitionKey, Row, Scope, rows_into_core};
use crate::refusal;

/// What a query means in some partitions.
#[pyclass(frozen, module = "mnemic._core")]
pub(crate) struct UnderstoodQuery(Understanding<'static>);

#[pymethods]
impl UnderstoodQuery {
    /// What is to be embedded.
    #[getter]
    fn text(&self) -> &str {
        &self.0.text
    }
}

/// How much each signal counts, 0 to 1; not all 0.
#[pyclass(frozen, module = "mnemic._core")]
pub(crate) struct Weights(fusion::Weights);

#[pymethods]
impl Weights {
    #[new]
    #[pyo3(signature = (*, vector, lexical, entity, recency, time = 0.0, actor = 0.0, context = 0.0))]
    fn new(
        vector: f64,
        lexical: f64,
        entity: f64,
        recency: f64,
        time: f64,
        actor: f64,
        context: f64,
    ) -> PyResult<Self> {
        let weights =
            fusion::Weights::new([vector, lexical, entity, time, actor, recency, context]);
        weights.map(Self).map_err(|error| refusal(&error))
    }
}

/// Ends a version of a memory within `Index.apply`.
#[pyclass(frozen, module = "mnemic._core")]
pub(crate) struct Close(partition::Close);

#[pymethods]
impl Close {
    /// `valid_to_micros` None takes every version of the memory out of the index (a deletion).
    #[new]
    fn new(memory_id: &str, version: u32, valid_to_micros: Option<i64>) -> PyResult<Self> {
        let memory_id = parse_memory_id(memory_id).map_err(|error| refusal(&error))?;
        Ok(Self(partition::Close {
            memory_id,
            version,
            valid_to_micros,
        }))
    }
}

/// What one partition (or all of them) holds. Sizes in bytes.
#[pyclass(frozen, get_all, module = "mnemic._core")]
pub(crate) struct PartitionStats {
    partitions: u64,
    /// All rows, ended ones included.
    rows: u64,
    /// Rows that were deleted or replaced and still take memory.
    dead: u64,
    /// Rows that are neither deleted nor superseded.
    current: u64,
    vectors: u64,
    terms: u64,
    entities: u64,
    /// Rows that have links in a graph.
    graph_rows: u64,
    graph_bytes: u64,
    /// Allocated.
    bytes: u64,
    /// Mapped from files; the system keeps in memory what is used.
    mapped_bytes: u64,
}

/// The state of a partition at one moment, to be written at leisure.
#[pyclass(frozen, module = "mnemic._core")]
pub(crate) struct Snapshot(mnemic_retrieval::Snapshot);

#[pymethods]
impl Snapshot {
    /// Writes the live rows to a file, which it replaces; how many bytes it has.
    #[pyo3(signature = (path, *, revision, model))]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "arguments of a binding are owned"
    )]
    fn write(&self, py: Python<'_>, path: PathBuf, revision: i64, model: &str) -> PyResult<u64> {
        py.detach(|| self.0.write(&path, revision, model))
            .map_err(|error| refusal(&error))
    }
}

/// All partitions of a node that are in memory.
#[pyclass(frozen, module = "mnemic._core")]
pub(crate) struct Index(pub(crate) Arc<mnemic_retrieval::Index>);

#[pymethods]
impl Index {
    /// An empty index for vectors of `dimension` (1 to 8,192). `simd` forces a path of `simd_paths` (for tests).
    #[new]
    #[pyo3(signature = (dimension, *, simd = None))]
    fn new(dimension: usize, simd: Option<&str>) -> PyResult<Self> {
        let path = match simd {
            None => SimdPath::best(),
            Some(name) => SimdPath::from_name(name).ok_or_else(|| unknown_path(name))?,
        };
        mnemic_retrieval::Index::new(dimension, path)
            .map(|index| Self(Arc::new(index)))
            .map_err(|error| refusal(&error))
    }

    #[getter]
    fn dimension(&self) -> usize {
        self.0.dimension()
    }

    /// Makes the partition from these rows, replacing what was there.
    fn load(&self, py: Python<'_>, key: PartitionKey, rows: Vec<Row>) -> PyResult<()> {
        let (key, rows) = (key.into(), rows_into_core(rows)?);
        py.detach(|| self.0.load(&key, &rows))
            .map_err(|error| refusal(&error))
    }

    /// Adds rows and ends versions at one moment: a search sees all of it or nothing.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "arguments of a binding are owned"
    )]
    fn apply(
        &self,
        py: Python<'_>,
        key: PartitionKey,
        rows: Vec<Row>,
        closes: Vec<Bound<'_, Close>>,
    ) -> PyResult<()> {
        let (key, rows) = (key.into(), rows_into_core(rows)?);
        let closes: Vec<partition::Close> = closes.iter().map(|close| close.get().0).collect();
        py.detach(|| self.0.apply(&key, &rows, &closes))
            .map_err(|error| refusal(&error))
    }

    /// Graphs everywhere, searched with this width (for measurements); None: where they are faster than a scan.
    fn set_graph_width(&self, width: Option<usize>) {
        let graph_use = width.map_or(GraphUse::WhereFaster, GraphUse::Always);
        self.0.set_graph_use(graph_use);
    }

    /// Makes the partition's memory exactly as large as its live rows need.
    fn compact(&self, py: Python<'_>, key: PartitionKey) -> PyResult<()> {
        let key = key.into();
        py.detach(|| self.0.compact(&key))
            .map_err(|error| refusal(&error))
    }

    /// Does one step of what is due for the partition; whether it did something, so that more may be due.
    fn upkeep(&self, py: Python<'_>, key: PartitionKey) -> PyResult<bool> {
        let key = key.into();
        py.detach(|| self.0.upkeep(&key))
            .map_err(|error| refusal(&error))
    }

    /// The partition's state now, to be written to a file; None if it is not in memory.
    fn freeze(&self, py: Python<'_>, key: PartitionKey) -> Option<Snapshot> {
        let key = key.into();
        py.detach(|| self.0.freeze(&key)).map(Snapshot)
    }

    /// Makes the partition from a file that `Snapshot.write` wrote; the revision with which it was written.
    #[pyo3(signature = (key, path, *, model))]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "arguments of a binding are owned"
    )]
    fn open(&self, py: Python<'_>, key: PartitionKey, path: PathBuf, model: &str) -> PyResult<i64> {
        let key = key.into();
        py.detach(|| self.0.open(&key, &path, model))
            .map_err(|error| refusal(&error))
    }

    /// Reads what has not been checked yet of the file behind the partition.
    fn verify(&self, py: Python<'_>, key: PartitionKey) -> PyResult<()> {
        let key = key.into();
        py.detach(|| self.0.verify(&key))
            .map_err(|error| refusal(&error))
    }

    /// Takes the partition out of memory; whether it was there.
    fn drop(&self, py: Python<'_>, key: PartitionKey) -> bool {
        let key = key.into();
        py.detach(|| self.0.drop_partition(&key))
    }

    /// Whether the partition is in memory.
    fn contains(&self, key: PartitionKey) -> bool {
        self.0.contains(&key.into())
    }

    /// Lets the front search the partition: from here on it has every row that was committed.
    fn set_resident(&self, key: PartitionKey) {
        self.0.set_resident(&key.into());
    }

    /// Notes that an owner has no memories.
    fn note_empty(&self, key: PartitionKey) {
        self.0.note_empty(&key.into());
    }

    /// Says that an owner may have memories.
    fn forget_empty(&self, key: PartitionKey) {
        self.0.forget_empty(&key.into());
    }

    /// Says that everything up to a commit was applied.
    fn set_revision(&self, revision: i64) {
        self.0.set_revision(revision);
    }

    /// Whether the front used the partition since the last call.
    fn take_used(&self, key: PartitionKey) -> bool {
        self.0.take_used(&key.into())
    }

    /// Says whether it is noted which memories were given to callers.
    #[pyo3(signature = (*, is_on))]
    fn count_recalls(&self, is_on: bool) {
        self.0.recalls().turn(is_on);
    }

    /// Notes memories that were given; what is no id is passed over.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "arguments of a binding are owned"
    )]
    fn note_recalls(&self, memory_ids: Vec<PyBackedStr>) {
        let ids = memory_ids.iter().filter_map(|id| parse_memory_id(id).ok());
        self.0.recalls().note(ids);
    }

    /// How often each memory was given since the last call, also by the front, and how many recalls found no room.
    fn take_recalls(&self, py: Python<'_>) -> (Vec<(String, u64)>, u64) {
        let taken = py.detach(|| self.0.recalls().take());
        let counts = taken.counts.into_iter();
        let named = counts.map(|(id, count)| (format_memory_id(id), count));
        (named.collect(), taken.dropped)
    }

    /// What the partition holds, for checks against the store: (memory id, version, ended, has a vector).
    fn versions(&self, py: Python<'_>, key: PartitionKey) -> Vec<(String, u32, bool, bool)> {
        let key = key.into();
        let held = py.detach(|| self.0.versions(&key));
        held.into_iter()
            .map(|held| {
                (
                    format_memory_id(held.memory_id),
                    held.version,
                    held.ended,
                    held.has_vector,
                )
            })
            .collect()
    }

    /// What a query means in a search of these partitions: spelt as they spell it, and without the names that most of
    /// their memories share. Those that are not in memory count as empty.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "arguments of a binding are owned"
    )]
    fn understand(
        &self,
        py: Python<'_>,
        partitions: Vec<PartitionKey>,
        query: String,
    ) -> UnderstoodQuery {
        let partitions: Vec<partition::PartitionKey> =
            partitions.into_iter().map(Into::into).collect();
        UnderstoodQuery(py.detach(|| self.0.understand(&partitions, &query).into_owned()))
    }

    /// Searches partitions of one tenant; those that are not in memory count as empty.
    #[pyo3(signature = (
        partitions, scope, r#match, *, text, understood = None, vector, filter, now_micros, reference_micros = None, as_of_micros,
        include_superseded, top_k, weights, candidates = DEFAULT_CANDIDATES, min_score, separate = false,
        calibration = None, min_confidence = 0.0, explain, context_window = 0
    ))]
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the fields of a search, by keyword"
    )]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "arguments of a binding are owned"
    )]
    fn search(
        &self,
        py: Python<'_>,
        partitions: Vec<PartitionKey>,
        scope: Scope,
        r#match: i64,
        text: &str,
        understood: Option<&Bound<'_, UnderstoodQuery>>,
        vector: Option<PyBackedBytes>,
        filter: Option<&Bound<'_, Filter>>,
        now_micros: i64,
        reference_micros: Option<i64>,
        as_of_micros: Option<i64>,
        include_superseded: bool,
        top_k: usize,
        weights: &Bound<'_, Weights>,
        candidates: usize,
        min_score: f64,
        separate: bool,
        calibration: Option<(f64, f64, f64)>,
        min_confidence: f64,
        explain: bool,
        context_window: usize,
    ) -> PyResult<SearchOutcome> {
        let partitions: Vec<partition::PartitionKey> =
            partitions.into_iter().map(Into::into).collect();
        let request = SearchRequest {
            partitions: &partitions,
            scope: &scope.into(),
            scope_match: ScopeMatch::from_number(r#match).map_err(|error| refusal(&error))?,
            text,
            understood: understood.map(|understood| &understood.get().0),
            vector: vector.as_deref(),
            filter: filter.map(|filter| &filter.get().0),
            now_micros,
            reference_micros,
            as_of_micros,
            include_superseded,
            top_k,
            weights: weights.get().0,
            candidates,
            min_score,
            separate,
            calibration: calibration.map(calibration_of),
            min_confidence,
            explain,
            context_window,
        };
        let outcome = py
            .detach(|| self.0.search(&request))
            .map_err(|error| refusal(&error))?;
        SearchOutcome::new(py, outcome)
    }

    /// Of one partition, or of all.
    #[pyo3(signature = (key = None))]
    fn stats(&self, py: Python<'_>, key: Option<PartitionKey>) -> PartitionStats {
        let key = key.map(partition::PartitionKey::from);
        let stats = py.detach(|| key.map_or_else(|| self.0.stats(), |key| self.0.stats_of(&key)));
        PartitionStats {
            partitions: stats.partitions,
            rows: stats.rows,
            dead: stats.dead,
            current: stats.current,
            vectors: stats.vectors,
            terms: stats.terms,
            entities: stats.entities,
            graph_rows: stats.graph_rows,
            graph_bytes: stats.graph_bytes,
            bytes: stats.bytes,
            mapped_bytes: stats.mapped_bytes,
        }
    }
}

/// The weights of cosine and coverage, and the bias.
pub(crate) fn calibration_of((cosine, coverage, bias): (f64, f64, f64)) -> Calibration {
    Calibration {
        cosine,
        coverage,
        bias,
    }
}

fn unknown_path(name: &str) -> PyErr {
    let known: Vec<&str> = SimdPath::available()
        .into_iter()
        .map(SimdPath::name)
        .collect();
    let message = format!("{name:?} is no path of this CPU; {} are", known.join(", "));
    refusal(&Error::Field {
        field: "simd".to_owned(),
        message,
    })
}
