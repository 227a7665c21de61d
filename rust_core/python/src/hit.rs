//! What a search gives back: Python objects are made of a hit only when it is asked.

use mnemic_retrieval::Record;
use mnemic_retrieval::fusion::{self, SIGNAL_NAMES};
use mnemic_retrieval::partition::{Texts, ValueRef, format_memory_id};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::model::Model;

/// One signal of one hit; see `mnemic.v1.SignalScore`.
#[pyclass(frozen, module = "mnemic._core")]
pub(crate) struct SignalScore(fusion::SignalScore);

#[pymethods]
impl SignalScore {
    #[getter]
    fn raw(&self) -> f64 {
        self.0.raw
    }

    #[getter]
    fn normalized(&self) -> f64 {
        self.0.normalized
    }

    #[getter]
    fn weight(&self) -> f64 {
        self.0.weight
    }

    #[getter]
    fn rank(&self) -> u32 {
        self.0.rank
    }
}

/// One memory found.
#[pyclass(frozen, module = "mnemic._core")]
pub(crate) struct Hit(mnemic_retrieval::Hit);

#[pymethods]
impl Hit {
    #[getter]
    fn memory_id(&self) -> String {
        format_memory_id(self.0.record.memory_id())
    }

    #[getter]
    fn score(&self) -> f64 {
        self.0.score
    }

    /// By signal; empty unless the search asked to explain. A signal that took no part is absent.
    #[getter]
    fn parts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let parts = PyDict::new(py);
        for (name, part) in SIGNAL_NAMES
            .into_iter()
            .zip(self.0.parts.into_iter().flatten())
        {
            if let Some(part) = part {
                parts.set_item(name, SignalScore(part))?;
            }
        }
        Ok(parts)
    }

    /// Messages of its conversation before it, oldest first; empty unless the search asked for them.
    #[getter]
    fn before(&self) -> Vec<ContextMessage> {
        context_messages(&self.0.before)
    }

    /// Those after it, oldest first.
    #[getter]
    fn after(&self) -> Vec<ContextMessage> {
        context_messages(&self.0.after)
    }

    /// The best hit that says the same, which may be this one; None for a hit alone.
    #[getter]
    fn group_id(&self) -> Option<String> {
        self.0.group.map(format_memory_id)
    }

    /// Further hits of its group, best first.
    #[getter]
    fn grouped(&self) -> Vec<Hit> {
        self.0.grouped.iter().cloned().map(Hit).collect()
    }

    /// The memory, without vector and model.
    fn memory<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (record, model) = (&self.0.record, Model::get(py)?);
        let metadata = PyDict::new(py);
        for (key, value) in record.metadata() {
            metadata.set_item(key, metadata_value(py, value)?)?;
        }
        // In the order of the dataclass.
        let fields = [
            format_memory_id(record.memory_id()).into_bound_py_any(py)?,
            self.scope(py, model)?,
            model.kind.member(py, record.kind())?,
            record.body().into_bound_py_any(py)?,
            model.role.member(py, record.role())?,
            record.name().into_bound_py_any(py)?,
            record.event_time_micros().into_bound_py_any(py)?,
            record.event_time_end_micros().into_bound_py_any(py)?,
            model
                .event_time_precision
                .member(py, record.event_time_precision())?,
            record.create_time_micros().into_bound_py_any(py)?,
            record.update_time_micros().into_bound_py_any(py)?,
            record.valid_from_micros().into_bound_py_any(py)?,
            self.0.valid_to_micros.into_bound_py_any(py)?,
            record.expire_time_micros().into_bound_py_any(py)?,
            metadata.into_any(),
            texts(py, record.categories())?.into_any(),
            texts(py, record.source_ids())?.into_any(),
            texts(py, record.entities())?.into_any(),
            record.slot().into_bound_py_any(py)?,
            record.slot_value().into_bound_py_any(py)?,
            record.superseded_by().into_bound_py_any(py)?,
            record.confidence().into_bound_py_any(py)?,
            record.importance().into_bound_py_any(py)?,
            record.pinned().into_bound_py_any(py)?,
            model.trust.member(py, record.trust())?,
            record.version().into_bound_py_any(py)?,
            record.revision().into_bound_py_any(py)?,
            py.None().into_bound(py),
            py.None().into_bound(py),
        ];
        model.memory.instance(py, &fields)
    }
}

impl Hit {
    fn scope<'py>(&self, py: Python<'py>, model: &Model) -> PyResult<Bound<'py, PyAny>> {
        let scope = &*self.0.scope;
        let ids = [
            &scope.user_id,
            &scope.agent_id,
            &scope.session_id,
            &scope.app_id,
        ];
        let id = |id: &Option<String>| id.as_deref().into_bound_py_any(py);
        let [user, agent, session, app] = ids;
        let fields = [id(user)?, id(agent)?, id(session)?, id(app)?];
        model.scope.instance(py, &fields)
    }
}

/// A neighbour of a hit: its id, its text, the number of its role, the speaker's name, when it happened in microseconds.
type ContextMessage = (String, String, u8, String, Option<i64>);

fn context_messages(records: &[Record]) -> Vec<ContextMessage> {
    let message = |record: &Record| {
        (
            format_memory_id(record.memory_id()),
            record.body().to_owned(),
            record.role(),
            record.name().to_owned(),
            record.event_time_micros(),
        )
    };
    records.iter().map(message).collect()
}

fn metadata_value<'py>(py: Python<'py>, value: ValueRef<'_>) -> PyResult<Bound<'py, PyAny>> {
    match value {
        ValueRef::Text(text) => text.into_bound_py_any(py),
        ValueRef::Integer(integer) => integer.into_bound_py_any(py),
        ValueRef::Float(float) => float.into_bound_py_any(py),
        ValueRef::Boolean(truth) => truth.into_bound_py_any(py),
        ValueRef::Texts(list) => texts(py, list).map(Bound::into_any),
    }
}

fn texts<'py>(py: Python<'py>, texts: Texts<'_>) -> PyResult<Bound<'py, PyTuple>> {
    if texts.is_empty() {
        return Ok(PyTuple::empty(py));
    }
    PyTuple::new(py, texts.into_iter().collect::<Vec<_>>())
}

/// What one search found.
#[pyclass(frozen, module = "mnemic._core")]
pub(crate) struct SearchOutcome {
    hits: Py<PyList>,
    #[pyo3(get)]
    considered: u64,
    #[pyo3(get)]
    confidence: Option<f64>,
    /// The highest cosine and the largest coverage of the query's words.
    #[pyo3(get)]
    support: Option<(f64, f64)>,
}

#[pymethods]
impl SearchOutcome {
    #[getter]
    fn hits(&self, py: Python<'_>) -> Py<PyList> {
        self.hits.clone_ref(py)
    }
}

impl SearchOutcome {
    pub(crate) fn new(py: Python<'_>, outcome: mnemic_retrieval::SearchOutcome) -> PyResult<Self> {
        let hits: Vec<Hit> = outcome.hits.into_iter().map(Hit).collect();
        Ok(Self {
            hits: PyList::new(py, hits)?.unbind(),
            considered: outcome.considered,
            confidence: outcome.confidence,
            support: outcome
                .support
                .map(|support| (support.cosine, support.coverage)),
        })
    }
}
