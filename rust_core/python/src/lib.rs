//! Python bindings of the core: conversions only. `python/mnemic/_core.pyi` is their specification.
//!
//! Every call that works for more than a moment lets go of the interpreter first.

mod access;
mod dataclass;
mod embedding;
mod filter;
mod front;
mod hit;
mod index;
mod memory;
mod model;
mod native;
mod time;

use std::collections::BTreeMap;

use mnemic_retrieval::{Error, entity, text, vector::SimdPath};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

pyo3::create_exception!(
    mnemic._core,
    CoreError,
    PyException,
    "A refusal of the core. `args` are (reason, field, message): the name of a `Reason`, a path and words."
);

/// The one place where an error of the core becomes one of Python.
fn refusal(error: &Error) -> PyErr {
    CoreError::new_err((error.reason(), error.field().to_owned(), error.to_string()))
}

/// How the core was built and what it runs on: `version`, `profile`, `simd` (the path in use), `target`.
#[pyfunction]
fn build_info() -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        (
            "profile",
            if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            }
            .to_owned(),
        ),
        ("simd", SimdPath::best().name().to_owned()),
        (
            "target",
            format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
        ),
    ])
}

/// The SIMD paths that this CPU can run, best first; `portable` is always last.
#[pyfunction]
fn simd_paths() -> Vec<&'static str> {
    SimdPath::available()
        .into_iter()
        .map(SimdPath::name)
        .collect()
}

/// The terms under which a text is indexed, in order, repeats kept; stop words are left out.
#[pyfunction]
fn tokenize(py: Python<'_>, text: &str) -> Vec<String> {
    py.detach(|| text::terms(text))
}

/// The names that the core itself finds in a text, as written, in order of first appearance.
#[pyfunction]
fn find_entities<'a>(py: Python<'_>, text: &'a str) -> Vec<&'a str> {
    py.detach(|| entity::find_entities(text))
}

/// The Rust core: one in-memory index per process.
#[pymodule(gil_used = false)]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::access::{
        AccessError, Authenticator, Principal, TokenRules, hash_secret, method_roles,
    };
    #[pymodule_export]
    use super::embedding::{EmbeddingModel, QueryEmbedder, VectorCache};
    #[pymodule_export]
    use super::filter::Filter;
    #[pymodule_export]
    use super::front::Front;
    #[pymodule_export]
    use super::hit::{Hit, SearchOutcome, SignalScore};
    #[pymodule_export]
    use super::index::{Close, Index, PartitionStats, Snapshot, UnderstoodQuery, Weights};
    #[pymodule_export]
    use super::native::NativeAnswers;
    #[pymodule_export]
    #[pymodule_export]
    use super::time::{TimeExpression, find_times};
    #[pymodule_export]
    use super::{CoreError, build_info, find_entities, simd_paths, tokenize};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
