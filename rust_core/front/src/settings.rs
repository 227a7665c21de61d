//! What the front is told when it starts.

use std::path::PathBuf;
use std::time::Duration;

use crate::watching::WatchSettings;

/// Where it listens, what it accepts, and where the Python server is.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `host:port` (port 0 takes a free one) or `unix:path`.
    pub address: String,
    /// One more socket, for callers on this machine; only the same user may connect.
    pub unix_socket: Option<PathBuf>,
    /// TLS on `host:port`; unix sockets go without.
    pub tls: Option<TlsFiles>,
    /// The unix socket on which the Python server listens.
    pub python_socket: PathBuf,
    /// Sent with every relayed call as `x-mnemic-front`, so that Python knows who relayed it.
    pub secret: String,
    /// The services whose health is told, besides the empty name for all.
    pub services: Vec<String>,
    /// The largest message that is read.
    pub max_message_bytes: usize,
    /// The metadata of one call: names, values and 32 bytes for each (RFC 9113, 6.5.2).
    pub max_metadata_bytes: usize,
    /// Connections at once; more are closed when they come.
    pub max_connections: usize,
    /// Calls in flight at once; more are refused.
    pub max_calls: usize,
    /// Of these, how many may be at the Python server.
    pub max_relayed_calls: usize,
    /// A connection on which no call was open for so long is ended.
    pub idle_time: Duration,
    /// How long a message may take to arrive, and a second more for each 64 KiB of it.
    pub receive_time: Duration,
    /// How long a piece of an answer may wait for its caller to take it, and a second more for each 64 KiB that wait.
    pub send_time: Duration,
    /// What is wanted of log and traces.
    pub watch: WatchSettings,
}

/// PEM files, as they were read.
#[derive(Clone)]
pub struct TlsFiles {
    /// The server's certificate, followed by those that vouch for it.
    pub certificate: Vec<u8>,
    /// Its private key.
    pub key: Vec<u8>,
    /// Only clients with a certificate of these authorities may connect; none: anyone may.
    pub client_authorities: Option<Vec<u8>>,
}

impl std::fmt::Debug for TlsFiles {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the key.
        formatter.debug_struct("TlsFiles").finish_non_exhaustive()
    }
}

/// Calls of one connection at once. One client should not need more, and each costs memory before it is known who asks.
pub(crate) const STREAMS_PER_CONNECTION: u32 = 256;
/// What a stream may send ahead of being read.
pub(crate) const STREAM_WINDOW: u32 = 256 * 1024;
/// Room for every stream of a connection: one that nobody reads must not hold the others up. What all calls together
/// may leave unread is bounded by the number of calls.
pub(crate) const CONNECTION_WINDOW: u32 = STREAMS_PER_CONNECTION * STREAM_WINDOW;
/// Large messages travel in frames of this size.
pub(crate) const MAX_FRAME: u32 = 64 * 1024;
/// How long TLS and the first bytes of a connection may take, and the end of one that was told to end.
pub(crate) const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// Finds connections whose other end is gone.
pub(crate) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(60);
/// How long the answer to that may take.
pub(crate) const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// Streams that were opened and reset before they were looked at (CVE-2023-44487): more end the connection.
pub(crate) const MAX_PENDING_RESETS: usize = 64;
/// Streams that the front itself had to reset for errors of the client's: more end the connection.
pub(crate) const MAX_ERROR_RESETS: usize = 256;
/// Of messages that the front might answer; longer ones stream through to Python.
pub(crate) const MAX_NATIVE_BYTES: usize = 1024 * 1024;
/// All messages together that are being read here.
pub(crate) const MAX_BUFFERED_BYTES: usize = 256 * 1024 * 1024;
/// Watchers of health at once.
pub(crate) const MAX_WATCHERS: usize = 1024;
