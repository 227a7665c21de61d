//! The front as a whole: its threads, its start and its end.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use mnemic_access::Authenticator;
use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};

use crate::activity::Activity;
use crate::answers::Answers;
use crate::dispatch::Shared;
use crate::health::Health;
use crate::listener::{Connections, Listener, listen_tcp, listen_unix};
use crate::relay::Relay;
use crate::settings::{Settings, TlsFiles};
use crate::tls::{Certificates, TlsError};
use crate::watching::{Distribution, Watch};

/// The Python server listens when the front starts: it is there at once or there is a defect.
const PYTHON_TIME: Duration = Duration::from_secs(5);
/// After the last call, for what is still on its way and for clients to hang up.
const FLUSH_TIME: Duration = Duration::from_secs(1);
const UNIX: &str = "unix:";

/// Why the front did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is not one, in use, or not permitted.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// What was asked for.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// A file for TLS is unusable.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The secret cannot be sent in a header.
    #[error("the secret is no header value")]
    Secret,
    /// Nobody listens on the Python server's socket.
    #[error("the Python server does not answer on its socket")]
    PythonAway,
    /// There are no threads to be had.
    #[error("cannot start the front's threads: {0}")]
    Threads(#[source] io::Error),
}

/// How many there are of what is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Open connections.
    pub connections: usize,
    /// Calls in flight.
    pub calls: usize,
    /// Those of them that are at the Python server.
    pub relayed_calls: usize,
    /// Bytes of messages that are being read.
    pub buffered_bytes: usize,
    /// Whether the Python server is there.
    pub python_here: bool,
}

/// The listener. It serves from its start until it is stopped or dropped, on threads of its own.
pub struct Front {
    runtime: Mutex<Option<Runtime>>,
    shared: Arc<Shared>,
    connections: Arc<Connections>,
    tls: Option<Arc<Certificates>>,
    address: String,
    process: u32,
}

impl Front {
    /// Listens and serves.
    ///
    /// # Errors
    /// When it cannot listen, TLS cannot work, or the Python server is not there.
    pub fn start(
        settings: Settings,
        authenticator: Arc<Authenticator>,
        answers: Arc<dyn Answers>,
    ) -> Result<Self, StartError> {
        let secret = HeaderValue::from_str(&settings.secret).map_err(|_| StartError::Secret)?;
        let runtime = threads().map_err(StartError::Threads)?;
        let health = Arc::new(Health::new(&settings.services));
        let watch = Watch::start(settings.watch).map_err(StartError::Threads)?;
        let relay = Relay::new(&settings, secret);
        let tls = settings.tls.as_ref().map(Certificates::new).transpose()?;
        let tls = tls.map(Arc::new);
        let shared = Arc::new(Shared {
            activity: Activity::new(&settings),
            relay: Arc::new(relay),
            health,
            authenticator,
            answers,
            watch,
            settings,
        });
        let connections = Connections::new(shared.clone());
        let entered = runtime.enter();
        let (listeners, address) = listen(&shared.settings, tls.as_ref())?;
        shared.relay.keep(&shared.health);
        runtime.block_on(async {
            tokio::time::timeout(PYTHON_TIME, shared.health.wait_for_python())
                .await
                .map_err(|_| StartError::PythonAway)
        })?;
        for listener in listeners {
            runtime.spawn(connections.clone().accept(listener));
        }
        drop(entered);
        Ok(Self {
            runtime: Mutex::new(Some(runtime)),
            shared,
            connections,
            tls,
            address,
            process: std::process::id(),
        })
    }

    /// Where it listens, with the port that was taken.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether this is the process that started it. A forked child has the front's memory and none of its threads.
    pub fn is_ours(&self) -> bool {
        self.process == std::process::id()
    }

    /// How busy it is.
    pub fn load(&self) -> Load {
        let [calls, relayed_calls, buffered_bytes] = self.shared.activity.counts();
        Load {
            connections: self.connections.count(),
            calls,
            relayed_calls,
            buffered_bytes,
            python_here: self.shared.health.python_here(),
        }
    }

    /// What it has counted, and what it keeps of calls until it is taken.
    pub fn watch(&self) -> &Watch {
        &self.shared.watch
    }

    /// Where the time of what it answers itself went.
    pub fn stages(&self) -> Vec<(&'static str, Distribution)> {
        self.shared.answers.stages()
    }

    /// Accepts new connections with other files from now on; those that there are go on. Nothing without TLS.
    ///
    /// # Errors
    /// When a file is unusable; then the former stay.
    pub fn replace_tls(&self, files: &TlsFiles) -> Result<(), TlsError> {
        self.tls.as_ref().map_or(Ok(()), |tls| tls.replace(files))
    }

    /// From now on refuses new calls as a server that shuts down; those in flight go on.
    pub fn drain(&self) {
        self.shared.health.drain();
        self.shared.activity.drain();
    }

    /// Stops listening, waits for the calls in flight, and ends. Whether all ended by themselves; true if it had stopped
    /// before, and in a forked child, where nothing runs.
    pub fn stop(&self, grace: Duration) -> bool {
        let Some(runtime) = self.runtime.lock().take() else {
            return true;
        };
        if !self.is_ours() {
            // Its threads are the parent's: waiting for them would never end.
            std::mem::forget(runtime);
            return true;
        }
        self.drain();
        let ended = runtime.block_on(async {
            self.connections.close();
            let ended = self.shared.activity.wait_idle(grace).await;
            self.shared.health.end();
            if ended {
                self.connections.wait_closed(FLUSH_TIME).await;
            }
            ended
        });
        runtime.shutdown_timeout(FLUSH_TIME);
        self.shared.watch.stop();
        ended
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}

fn threads() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(1, usize::from))
        .thread_name("mnemic-front")
        .enable_io()
        .enable_time()
        .build()
}

fn listen(
    settings: &Settings,
    tls: Option<&Arc<Certificates>>,
) -> Result<(Vec<Listener>, String), StartError> {
    let failed = |address: &str| {
        let address = address.to_owned();
        move |source| StartError::Listen { address, source }
    };
    let asked = settings.address.as_str();
    let (mut listeners, address) = if let Some(path) = asked.strip_prefix(UNIX) {
        let listener = listen_unix(Path::new(path)).map_err(failed(asked))?;
        (vec![listener], asked.to_owned())
    } else {
        let (sockets, port) = listen_tcp(asked).map_err(failed(asked))?;
        let listeners = sockets
            .into_iter()
            .map(|socket| Listener::Tcp(socket, tls.cloned()))
            .collect();
        let host = asked.rsplit_once(':').map_or(asked, |(host, _)| host);
        (listeners, format!("{host}:{port}"))
    };
    if let Some(path) = &settings.unix_socket {
        let named = format!("{UNIX}{}", path.display());
        listeners.push(listen_unix(path).map_err(failed(&named))?);
    }
    Ok((listeners, address))
}
