//! `mnemic._core.Filter`.

use mnemic_retrieval::filter;
use pyo3::prelude::*;

use crate::memory::{Memory, Value};
use crate::refusal;

/// A compiled condition on memories; see `mnemic.v1.Filter` for the meaning.
#[pyclass(frozen, module = "mnemic._core")]
pub(crate) struct Filter(pub(crate) filter::Filter);

#[pymethods]
impl Filter {
    /// One comparison; `operator` is a number of `mnemic.model.filters.Operator`.
    #[staticmethod]
    fn comparison(field: &str, operator: i64, values: Vec<Value>) -> PyResult<Self> {
        let values = values.into_iter().map(|Value(value)| value).collect();
        made(filter::Filter::comparison(field, operator, values))
    }

    /// Every one of them holds.
    #[staticmethod]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "arguments of a binding are owned"
    )]
    fn all_of(filters: Vec<Bound<'_, Self>>) -> PyResult<Self> {
        made(filter::Filter::all_of(cores(&filters)))
    }

    /// At least one of them holds.
    #[staticmethod]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "arguments of a binding are owned"
    )]
    fn any_of(filters: Vec<Bound<'_, Self>>) -> PyResult<Self> {
        made(filter::Filter::any_of(cores(&filters)))
    }

    /// It does not hold.
    #[staticmethod]
    fn negation(filter: &Bound<'_, Self>) -> PyResult<Self> {
        made(filter::Filter::negation(filter.get().0.clone()))
    }

    /// Whether a memory fulfils it: the definition that searches and listings share.
    fn matches(&self, memory: Memory) -> PyResult<bool> {
        Ok(self.0.matches(&memory.into_core()?))
    }
}

fn cores(filters: &[Bound<'_, Filter>]) -> Vec<filter::Filter> {
    filters
        .iter()
        .map(|filter| filter.get().0.clone())
        .collect()
}

fn made(filter: Result<filter::Filter, mnemic_retrieval::Error>) -> PyResult<Filter> {
    filter.map(Filter).map_err(|error| refusal(&error))
}
