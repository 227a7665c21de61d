//! `mnemic._core.NativeAnswers`.

use std::collections::HashMap;
use std::sync::Arc;

use mnemic_front::answers::{Framed, Method};
use mnemic_front::native::{self, Profile, Settings};
use mnemic_retrieval::fusion::SIGNALS;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::CoreError;
use crate::access::Principal;
use crate::embedding::QueryEmbedder;
use crate::index::{Index, calibration_of};

/// Searches and reads answered from the index, protobuf to protobuf.
#[pyclass(frozen, module = "mnemic._core")]
pub(crate) struct NativeAnswers(pub(crate) Arc<native::NativeAnswers>);

#[pymethods]
impl NativeAnswers {
    #[new]
    #[pyo3(signature = (
        index, *, profiles, default_profile, calibration, default_top_k, most_top_k, query_bytes, id_bytes, searches_per_batch,
        ids_per_batch, embedder = None
    ))]
    #[expect(
        clippy::too_many_arguments,
        reason = "keyword arguments, one for each setting"
    )]
    fn new(
        index: &Bound<'_, Index>,
        profiles: HashMap<String, ([f64; SIGNALS], usize)>,
        default_profile: String,
        calibration: Option<(f64, f64, f64)>,
        default_top_k: usize,
        most_top_k: usize,
        query_bytes: usize,
        id_bytes: usize,
        searches_per_batch: usize,
        ids_per_batch: usize,
        embedder: Option<&Bound<'_, QueryEmbedder>>,
    ) -> Self {
        let profile = |(weights, candidates)| Profile {
            weights,
            candidates,
        };
        let profiles = profiles.into_iter();
        let settings = Settings {
            profiles: profiles
                .map(|(name, values)| (name, profile(values)))
                .collect(),
            default_profile,
            calibration: calibration.map(calibration_of),
            default_top_k,
            most_top_k,
            query_bytes,
            id_bytes,
            searches_per_batch,
            ids_per_batch,
        };
        let index = Arc::clone(&index.get().0);
        let embedder = embedder.map(|embedder| Arc::clone(&embedder.get().0));
        let answers = native::NativeAnswers::new(index, settings, embedder);
        Self(Arc::new(answers))
    }

    /// What the front would answer to a message of a method of `MemoryService`; None where it would relay the call.
    fn answer<'py>(
        &self,
        py: Python<'py>,
        principal: &Bound<'py, Principal>,
        method: &str,
        request: &[u8],
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let (principal, method) = (&principal.get().inner, method_named(method)?);
        let answer = py.detach(|| self.0.answer_here(method, principal, request));
        let message = |framed: Framed| PyBytes::new(py, &framed.into_bytes()[Framed::ROOM..]);
        answer
            .map(|answer| answer.map(message))
            .transpose()
            .map_err(|refusal| {
                CoreError::new_err((refusal.reason.name(), String::new(), refusal.message))
            })
    }

    /// Shows the message of a relayed answer, to learn where memories are.
    fn learn(
        &self,
        principal: &Bound<'_, Principal>,
        method: &str,
        response: &[u8],
    ) -> PyResult<()> {
        self.0
            .learn_from(method_named(method)?, &principal.get().inner, response);
        Ok(())
    }
}

fn method_named(name: &str) -> PyResult<Method> {
    Method::of(&format!("/mnemic.v1.MemoryService/{name}"))
        .ok_or_else(|| PyValueError::new_err(format!("{name:?} is always relayed")))
}
