//! Embedding: `mnemic._core.EmbeddingModel`, `VectorCache` and `QueryEmbedder`.

#![expect(
    clippy::needless_pass_by_value,
    reason = "arguments of a binding are owned"
)]

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use mnemic_embedding::{Error, OnnxModel, OnnxSettings, Pooling, QueryModel, Queue, StaticModel};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyByteArray, PyBytes};

use crate::CoreError;

fn refusal(error: &Error) -> PyErr {
    CoreError::new_err((error.reason(), error.field(), error.to_string()))
}

/// A local model. Its vectors are unit vectors; it may be used from many threads at once.
#[pyclass(frozen, module = "mnemic._core")]
pub(crate) struct EmbeddingModel(pub(crate) Arc<dyn QueryModel>);

#[pymethods]
impl EmbeddingModel {
    /// A table of token vectors (safetensors, float16) and its tokenizer.
    #[staticmethod]
    #[pyo3(signature = (identity, *, table, tokenizer))]
    fn open_static(
        py: Python<'_>,
        identity: &str,
        table: PathBuf,
        tokenizer: PathBuf,
    ) -> PyResult<Self> {
        py.detach(|| StaticModel::open(identity, &table, &tokenizer))
            .map(|model| Self(Arc::new(model)))
            .map_err(|error| refusal(&error))
    }

    /// A sentence encoder; `library` is the file of onnxruntime's library: a process loads the first one only.
    #[staticmethod]
    #[pyo3(signature = (identity, *, library, model, tokenizer, max_tokens, threads, pooling, title))]
    #[expect(
        clippy::too_many_arguments,
        reason = "named arguments of the Python side"
    )]
    fn open_onnx(
        py: Python<'_>,
        identity: &str,
        library: PathBuf,
        model: PathBuf,
        tokenizer: PathBuf,
        max_tokens: usize,
        threads: usize,
        pooling: &str,
        title: String,
    ) -> PyResult<Self> {
        let pooling = match pooling {
            "mean" => Pooling::Mean,
            "cls" => Pooling::Cls,
            _ => return Err(PyValueError::new_err("pooling must be mean or cls")),
        };
        let settings = OnnxSettings {
            max_tokens,
            threads,
            pooling,
            title,
        };
        py.detach(|| OnnxModel::open(identity, &library, &model, &tokenizer, settings))
            .map(|model| Self(Arc::new(model)))
            .map_err(|error| refusal(&error))
    }

    #[getter]
    fn identity(&self) -> &str {
        self.0.identity()
    }

    #[getter]
    fn dimension(&self) -> usize {
        self.0.dimension()
    }

    /// The vectors of the texts, one after another, as little-endian float32.
    fn embed<'py>(
        &self,
        py: Python<'py>,
        texts: Vec<PyBackedStr>,
        timeout_seconds: Option<f64>,
    ) -> PyResult<Bound<'py, PyByteArray>> {
        let deadline = timeout_seconds.and_then(deadline_after);
        let vectors = py.detach(|| {
            let texts: Vec<&str> = texts.iter().map(|text| &**text).collect();
            self.0.embed_all(&texts, deadline)
        });
        let vectors = vectors.map_err(|error| refusal(&error))?;
        PyByteArray::new_with(py, size_of_val(&*vectors), |bytes| {
            for (target, component) in bytes.chunks_exact_mut(4).zip(&vectors) {
                target.copy_from_slice(&component.to_le_bytes());
            }
            Ok(())
        })
    }
}

/// The vectors of recent texts of one model, least recently used out first; Python and the front share it.
///
/// Texts are UTF-8 with surrogates passed through.
#[pyclass(frozen, module = "mnemic._core")]
pub(crate) struct VectorCache(pub(crate) Arc<mnemic_embedding::VectorCache>);

#[pymethods]
impl VectorCache {
    /// `entries` vectors of `dimension` components are kept at most; 0 keeps none.
    #[new]
    fn new(identity: &str, dimension: usize, entries: usize) -> Self {
        let cache = mnemic_embedding::VectorCache::new(identity, dimension, entries);
        Self(Arc::new(cache))
    }

    /// The vectors of the texts, one after another, as little-endian float32; the positions of the unknown ones.
    fn look_up<'py>(
        &self,
        py: Python<'py>,
        texts: Vec<PyBackedBytes>,
    ) -> PyResult<(Bound<'py, PyByteArray>, Vec<usize>)> {
        let cache = &*self.0;
        let mut missing = Vec::new();
        let found = py.detach(|| {
            let known = |text: &PyBackedBytes| cache.get(&cache.key(text));
            texts.iter().map(known).collect::<Vec<_>>()
        });
        let row = cache.dimension() * size_of::<f32>();
        let vectors = PyByteArray::new_with(py, row * found.len(), |bytes| {
            for (position, vector) in found.iter().enumerate() {
                match vector {
                    Some(vector) => bytes[position * row..][..row].copy_from_slice(vector),
                    None => missing.push(position),
                }
            }
            Ok(())
        })?;
        cache.count_misses(missing.len() as u64);
        Ok((vectors, missing))
    }

    /// Keeps the vectors of the texts, given one after another as little-endian float32.
    fn keep(
        &self,
        py: Python<'_>,
        texts: Vec<PyBackedBytes>,
        vectors: PyBackedBytes,
    ) -> PyResult<()> {
        let row = self.0.dimension() * size_of::<f32>();
        if vectors.len() != texts.len() * row {
            return Err(PyValueError::new_err(format!(
                "{} bytes are no {} vectors of {row} bytes",
                vectors.len(),
                texts.len()
            )));
        }
        py.detach(|| {
            for (text, vector) in texts.iter().zip(vectors.chunks_exact(row)) {
                self.0.insert(self.0.key(text), Arc::from(vector));
            }
        });
        Ok(())
    }

    /// Forgets all vectors.
    fn clear(&self) {
        self.0.clear();
    }

    /// Texts answered from memory.
    #[getter]
    fn hits(&self) -> u64 {
        self.0.hits()
    }

    /// Texts given to the model.
    #[getter]
    fn misses(&self) -> u64 {
        self.0.misses()
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }
}

/// Embeds single texts for the native front: known ones from the cache, fresh ones on threads of its own.
#[pyclass(frozen, module = "mnemic._core")]
pub(crate) struct QueryEmbedder(pub(crate) Arc<mnemic_embedding::QueryEmbedder>);

#[pymethods]
impl QueryEmbedder {
    /// Without a model only what the cache holds is known. `queue` requests may wait beside those that run.
    #[new]
    #[pyo3(signature = (cache, model, *, threads, queue))]
    fn new(
        cache: &VectorCache,
        model: Option<&EmbeddingModel>,
        threads: usize,
        queue: usize,
    ) -> PyResult<Self> {
        let model = model.map(|model| Arc::clone(&model.0));
        let queue = Queue {
            threads,
            waiting: queue,
        };
        mnemic_embedding::QueryEmbedder::new(model, Arc::clone(&cache.0), queue)
            .map(|embedder| Self(Arc::new(embedder)))
            .map_err(|error| refusal(&error))
    }

    /// Whether it can embed a text that the cache does not hold.
    #[getter]
    fn runs_model(&self) -> bool {
        self.0.runs_model()
    }

    /// The vector of a known text as little-endian float32.
    fn cached<'py>(&self, py: Python<'py>, text: &str) -> Option<Bound<'py, PyBytes>> {
        self.0.cached(text).map(|vector| PyBytes::new(py, &vector))
    }

    /// Embeds a text and waits for its vector, as little-endian float32.
    #[pyo3(signature = (text, timeout_seconds = None))]
    fn embed<'py>(
        &self,
        py: Python<'py>,
        text: &str,
        timeout_seconds: Option<f64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let deadline = timeout_seconds.and_then(deadline_after);
        let answer = py.detach(|| {
            let (sender, receiver) = mpsc::sync_channel(1);
            self.0.embed(text, deadline, move |answer| {
                // Whoever gave up waiting needs no answer.
                let _ = sender.send(answer);
            });
            receiver.recv().unwrap_or(Err(Error::Closed))
        });
        answer
            .map(|vector| PyBytes::new(py, &vector))
            .map_err(|error| refusal(&error))
    }

    /// What it did and is doing: `hits`, `misses`, `joined`, `waiting`, `running`.
    fn counters(&self) -> std::collections::BTreeMap<&'static str, u64> {
        let counters = self.0.counters();
        [
            ("hits", counters.hits),
            ("misses", counters.misses),
            ("joined", counters.joined),
            ("waiting", counters.waiting as u64),
            ("running", counters.running as u64),
        ]
        .into()
    }

    /// Refuses what waits and what comes, and waits for the runs that have begun.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.0.close());
    }
}

fn deadline_after(seconds: f64) -> Option<Instant> {
    let wait = Duration::try_from_secs_f64(seconds.max(0.0)).ok()?;
    Instant::now().checked_add(wait)
}
