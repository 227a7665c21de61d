//! `mnemic._core.Front`. Its threads never take the interpreter's lock.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mnemic_front::answers::RelayEverything;
use mnemic_front::{Settings, StartError, TlsFiles};
use pyo3::prelude::*;

use crate::CoreError;
use crate::access::Authenticator;

/// The native listener of a server.
#[pyclass(frozen, module = "mnemic._core")]
pub(crate) struct Front(mnemic_front::Front);

#[pymethods]
impl Front {
    #[new]
    #[pyo3(signature = (
        address, python_socket, *, secret, authenticator, services, max_message_bytes, max_metadata_bytes, max_connections, max_calls,
        max_relayed_calls, unix_socket = None, tls_certificate = None, tls_key = None, tls_client_authorities = None
    ))]
    #[expect(
        clippy::too_many_arguments,
        reason = "keyword arguments, one for each setting"
    )]
    fn new(
        py: Python<'_>,
        address: String,
        python_socket: PathBuf,
        secret: String,
        authenticator: &Bound<'_, Authenticator>,
        services: Vec<String>,
        max_message_bytes: usize,
        max_metadata_bytes: usize,
        max_connections: usize,
        max_calls: usize,
        max_relayed_calls: usize,
        unix_socket: Option<PathBuf>,
        tls_certificate: Option<Vec<u8>>,
        tls_key: Option<Vec<u8>>,
        tls_client_authorities: Option<Vec<u8>>,
    ) -> PyResult<Self> {
        let tls = tls_certificate
            .zip(tls_key)
            .map(|(certificate, key)| TlsFiles {
                certificate,
                key,
                client_authorities: tls_client_authorities,
            });
        let settings = Settings {
            address,
            unix_socket,
            tls,
            python_socket,
            secret,
            services,
            max_message_bytes,
            max_metadata_bytes,
            max_connections,
            max_calls,
            max_relayed_calls,
        };
        let authenticator = Arc::clone(&authenticator.get().inner);
        py.detach(|| mnemic_front::Front::start(settings, authenticator, Arc::new(RelayEverything)))
            .map(Self)
            .map_err(|error| refusal(&error))
    }

    /// Where it listens, with the port that was taken.
    #[getter]
    fn address(&self) -> &str {
        self.0.address()
    }

    /// How many there are of what is bounded.
    fn load(&self) -> PyResult<BTreeMap<&'static str, usize>> {
        self.refuse_elsewhere()?;
        let load = self.0.load();
        Ok(BTreeMap::from([
            ("connections", load.connections),
            ("calls", load.calls),
            ("relayed_calls", load.relayed_calls),
            ("buffered_bytes", load.buffered_bytes),
            ("python_here", usize::from(load.python_here)),
        ]))
    }

    /// From now on refuses new calls.
    fn drain(&self) -> PyResult<()> {
        self.refuse_elsewhere()?;
        self.0.drain();
        Ok(())
    }

    /// Ends it, after the calls in flight.
    fn stop(&self, py: Python<'_>, grace_seconds: f64) -> PyResult<bool> {
        self.refuse_elsewhere()?;
        let grace = Duration::try_from_secs_f64(grace_seconds).unwrap_or_default();
        Ok(py.detach(|| self.0.stop(grace)))
    }
}

impl Front {
    /// A forked child has the front's memory and none of its threads.
    fn refuse_elsewhere(&self) -> PyResult<()> {
        if self.0.is_ours() {
            return Ok(());
        }
        let words = "the front belongs to the process that started it; start another after a fork";
        Err(CoreError::new_err(("INTERNAL", "", words)))
    }
}

fn refusal(error: &StartError) -> PyErr {
    let field = match error {
        StartError::Listen { .. } => "address",
        StartError::Tls(error) => error.file,
        StartError::PythonAway => {
            return CoreError::new_err(("STORE_UNAVAILABLE", "", error.to_string()));
        }
        _ => return CoreError::new_err(("INTERNAL", "", error.to_string())),
    };
    CoreError::new_err(("INVALID_FIELD", field, error.to_string()))
}
