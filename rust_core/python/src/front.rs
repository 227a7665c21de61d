//! `mnemic._core.Front`. Its threads never take the interpreter's lock.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use mnemic_front::answers::{Answers, RelayEverything};
use mnemic_front::watching::{Distribution, LogFormat, WatchSettings};
use mnemic_front::{Settings, StartError, TlsFiles};
use pyo3::prelude::*;

use crate::CoreError;
use crate::access::Authenticator;
use crate::native::NativeAnswers;

/// Method, code, whether they were relayed, how many.
type Calls = (&'static str, i32, bool, u64);
/// Of what, upper ends of the buckets in seconds, counts, sum of the seconds.
type Durations = (&'static str, Vec<f64>, Vec<u64>, f64);
/// Method, trace, span, parent, begin and end in nanoseconds since 1970, code.
type Span = (
    &'static str,
    [u8; 16],
    [u8; 8],
    [u8; 8],
    u64,
    u64,
    &'static str,
);

/// The native listener of a server.
#[pyclass(frozen, module = "mnemic._core")]
pub(crate) struct Front(mnemic_front::Front);

#[pymethods]
impl Front {
    #[new]
    #[pyo3(signature = (
        address, python_socket, *, secret, authenticator, answers, services, max_message_bytes, max_metadata_bytes, max_connections, max_calls,
        max_relayed_calls, idle_seconds, receive_seconds, send_seconds, unix_socket = None, tls_certificate = None, tls_key = None, tls_client_authorities = None,
        log_format = None, trace_ratio = None
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
        answers: Option<&Bound<'_, NativeAnswers>>,
        services: Vec<String>,
        max_message_bytes: usize,
        max_metadata_bytes: usize,
        max_connections: usize,
        max_calls: usize,
        max_relayed_calls: usize,
        idle_seconds: f64,
        receive_seconds: f64,
        send_seconds: f64,
        unix_socket: Option<PathBuf>,
        tls_certificate: Option<Vec<u8>>,
        tls_key: Option<Vec<u8>>,
        tls_client_authorities: Option<Vec<u8>>,
        log_format: Option<&str>,
        trace_ratio: Option<f64>,
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
            idle_time: seconds(idle_seconds),
            receive_time: seconds(receive_seconds),
            send_time: seconds(send_seconds),
            watch: WatchSettings {
                log: log_format.map(|format| match format {
                    "json" => LogFormat::Json,
                    _ => LogFormat::Console,
                }),
                trace_ratio,
            },
        };
        let authenticator = Arc::clone(&authenticator.get().inner);
        let answers: Arc<dyn Answers> = match answers {
            Some(answers) => Arc::clone(&answers.get().0) as _,
            None => Arc::new(RelayEverything),
        };
        py.detach(|| mnemic_front::Front::start(settings, authenticator, answers))
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
            ("dropped_notes", self.0.watch().dropped() as usize),
        ]))
    }

    /// How often calls ended; how long those took that it answered, by method; where their time went, by stage.
    fn figures(&self) -> PyResult<(Vec<Calls>, Vec<Durations>, Vec<Durations>)> {
        self.refuse_elsewhere()?;
        let watch = self.0.watch();
        let calls = watch.calls().into_iter();
        let durations = watch.durations().into_iter();
        let stages = self.0.stages().into_iter();
        Ok((
            calls
                .map(|(subject, relayed, code, count)| {
                    (subject.name(), code as i32, relayed, count)
                })
                .collect(),
            durations
                .map(|(subject, read)| flat(subject.name(), read))
                .collect(),
            stages.map(|(stage, read)| flat(stage, read)).collect(),
        ))
    }

    /// The spans since the last time.
    fn take_spans(&self) -> Vec<Span> {
        let spans = self.0.watch().take_spans().into_iter();
        spans
            .filter_map(|note| {
                let trace = note.trace?;
                let began = note.began.duration_since(UNIX_EPOCH).unwrap_or_default();
                let ended = began + note.duration;
                Some((
                    note.method,
                    trace.trace_id,
                    trace.span_id,
                    trace.parent_id,
                    began.as_nanos() as u64,
                    ended.as_nanos() as u64,
                    note.code,
                ))
            })
            .collect()
    }

    /// Accepts new connections with another certificate from now on.
    #[pyo3(signature = (*, certificate, key, client_authorities))]
    fn replace_tls(
        &self,
        certificate: Vec<u8>,
        key: Vec<u8>,
        client_authorities: Option<Vec<u8>>,
    ) -> PyResult<()> {
        self.refuse_elsewhere()?;
        let files = TlsFiles {
            certificate,
            key,
            client_authorities,
        };
        let replaced = self.0.replace_tls(&files);
        replaced.map_err(|error| refusal(&StartError::Tls(error)))
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
        Ok(py.detach(|| self.0.stop(seconds(grace_seconds))))
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

fn seconds(given: f64) -> Duration {
    Duration::try_from_secs_f64(given).unwrap_or_default()
}

fn flat(name: &'static str, read: Distribution) -> Durations {
    (name, read.bounds, read.counts, read.seconds)
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
