//! Listening, accepting and the life of a connection.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixSocket, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::dispatch::{Shared, serve};
use crate::gathering::gathering;
use crate::preface::{PREFACE, Replayed};
use crate::presence::Presence;
use crate::reply::hold_open;
use crate::settings::{
    CONNECTION_WINDOW, HANDSHAKE_TIME, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, MAX_ERROR_RESETS,
    MAX_FRAME, MAX_PENDING_RESETS, STREAM_WINDOW, STREAMS_PER_CONNECTION,
};
use crate::tls::Certificates;

const BACKLOG: u32 = 1024;
/// When a connection cannot be accepted for want of something that others may give back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Beyond this, h2 answers 431 itself, and ends the connection beyond four times as much.
const HEADER_SLACK: usize = 4;

/// What connections share.
pub(crate) struct Connections {
    shared: Arc<Shared>,
    http: Builder<TokioExecutor>,
    places: Arc<Semaphore>,
    /// True once they shall end.
    closing: watch::Sender<bool>,
}

impl Connections {
    pub(crate) fn new(shared: Arc<Shared>) -> Arc<Self> {
        let settings = &shared.settings;
        let mut http = Builder::new(TokioExecutor::new());
        http.timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .adaptive_window(false)
            .max_frame_size(MAX_FRAME)
            .max_concurrent_streams(STREAMS_PER_CONNECTION)
            .max_header_list_size((settings.max_metadata_bytes * HEADER_SLACK) as u32)
            .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
            .max_local_error_reset_streams(MAX_ERROR_RESETS)
            .max_send_buf_size(STREAM_WINDOW as usize)
            .keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .auto_date_header(false);
        Arc::new(Self {
            places: Arc::new(Semaphore::new(settings.max_connections)),
            shared,
            http,
            closing: watch::Sender::new(false),
        })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.shared.settings.max_connections - self.places.available_permits()
    }

    /// Stops listening, and tells every connection to take no new streams and to end after the last.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Waits until none is left, or the time is over.
    pub(crate) async fn wait_closed(&self, timeout: Duration) {
        let all = self.shared.settings.max_connections as u32;
        // It cannot be closed: this waits for the time alone.
        let _ = tokio::time::timeout(timeout, self.places.acquire_many(all)).await;
    }

    /// Accepts until it is closed.
    pub(crate) async fn accept(self: Arc<Self>, listener: Listener) {
        let mut closing = self.closing.subscribe();
        loop {
            let accepted = tokio::select! {
                _ = closing.wait_for(|closing| *closing) => return,
                accepted = listener.accept() => accepted,
            };
            let Ok(accepted) = accepted else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            // Without a place it is closed at once, so that the client hears of it.
            let Ok(place) = self.places.clone().try_acquire_owned() else {
                continue;
            };
            let this = self.clone();
            match accepted {
                Accepted::Tcp(stream, None) => drop(tokio::spawn(this.converse(stream, place))),
                Accepted::Tcp(stream, Some(tls)) => {
                    drop(tokio::spawn(this.converse_tls(stream, tls, place)));
                }
                Accepted::Unix(stream) => drop(tokio::spawn(this.converse(stream, place))),
            }
        }
    }

    async fn converse_tls(
        self: Arc<Self>,
        stream: TcpStream,
        tls: TlsAcceptor,
        place: OwnedSemaphorePermit,
    ) {
        let mut closing = self.closing.subscribe();
        let handshake = tokio::time::timeout(HANDSHAKE_TIME, tls.accept(stream));
        let stream = tokio::select! {
            _ = closing.wait_for(|closing| *closing) => return,
            stream = handshake => stream,
        };
        if let Ok(Ok(stream)) = stream {
            self.converse(stream, place).await;
        }
    }

    async fn converse<S>(self: Arc<Self>, mut stream: S, _place: OwnedSemaphorePermit)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut closing = self.closing.subscribe();
        let mut first = [0; PREFACE.len()];
        let reading = tokio::time::timeout(HANDSHAKE_TIME, stream.read_exact(&mut first));
        let read = tokio::select! {
            _ = closing.wait_for(|closing| *closing) => return,
            read = reading => read,
        };
        // Another protocol, or somebody who says nothing.
        if !matches!(read, Ok(Ok(_))) || first != *PREFACE {
            return;
        }
        let (stream, outbox) = gathering(Replayed::new(stream));
        let stream = TokioIo::new(stream);
        let (shared, presence) = (self.shared.clone(), Presence::new());
        let entering = presence.clone();
        let service = service_fn(move |request| {
            let (open, answer) = (entering.enter(), serve(shared.clone(), request));
            async move { answer.await.map(|response| hold_open(response, open)) }
        });
        let mut connection = pin!(self.http.serve_connection(stream, service));
        let settings = &self.shared.settings;
        let mut patience = settings.send_time;
        // How a connection ends is its client's affair.
        tokio::select! {
            () = outbox.carry(connection.as_mut()) => return,
            _ = closing.wait_for(|closing| *closing) => {}
            () = presence.idle_for(settings.idle_time) => {}
            () = presence.stalled_for(patience) => patience = patience.min(HANDSHAKE_TIME),
        }
        // What the client had begun before it heard of this is still answered.
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            () = outbox.carry(connection) => {}
            // It does not hear.
            () = presence.idle_for(HANDSHAKE_TIME) => {}
            () = presence.stalled_for(patience) => {}
        }
    }
}

/// One listening socket.
pub(crate) enum Listener {
    Tcp(TcpListener, Option<Arc<Certificates>>),
    Unix {
        listener: UnixListener,
        _file: OwnedSocketFile,
    },
}

enum Accepted {
    Tcp(TcpStream, Option<TlsAcceptor>),
    Unix(UnixStream),
}

impl Listener {
    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener, tls) => {
                let (stream, _) = listener.accept().await?;
                // Answers are small and complete: nothing is won by waiting for more.
                stream.set_nodelay(true)?;
                Ok(Accepted::Tcp(
                    stream,
                    tls.as_ref().map(|tls| tls.acceptor()),
                ))
            }
            Self::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                Ok(Accepted::Unix(stream))
            }
        }
    }
}

/// Listens on all addresses of `host:port`, on one port; with the port that was taken.
///
/// # Errors
/// When the name is none, or the port is in use or not permitted.
pub(crate) fn listen_tcp(address: &str) -> io::Result<(Vec<TcpListener>, u16)> {
    let mut listeners = Vec::new();
    let mut port = None;
    for mut resolved in address.to_socket_addrs()? {
        if let Some(port) = port {
            resolved.set_port(port);
        }
        match listen_on(resolved) {
            Ok(listener) => {
                port = Some(listener.local_addr()?.port());
                listeners.push(listener);
            }
            // A name may stand for an address that this machine has no network for, such as ::1.
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {}
            Err(error) => return Err(error),
        }
    }
    match port {
        Some(port) => Ok((listeners, port)),
        None => Err(io::ErrorKind::AddrNotAvailable.into()),
    }
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Connections of a server that ended are no reason to refuse the next one; a listener still is.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Listens on a unix socket that only the same user may connect to. A file that a server left behind is replaced.
///
/// # Errors
/// When another server listens there, or the path is too long or not permitted.
pub(crate) fn listen_unix(path: &Path) -> io::Result<Listener> {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};

    if let Ok(metadata) = std::fs::symlink_metadata(path) {
        let dead = metadata.file_type().is_socket()
            && std::os::unix::net::UnixStream::connect(path)
                .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
        if !dead {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        std::fs::remove_file(path)?;
    }
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    let file = OwnedSocketFile(path.to_owned());
    // Nobody can connect before it listens: there is no moment at which others may.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(Listener::Unix {
        listener: socket.listen(BACKLOG)?,
        _file: file,
    })
}

/// Removes the file of a socket in the end.
pub(crate) struct OwnedSocketFile(PathBuf);

impl Drop for OwnedSocketFile {
    fn drop(&mut self) {
        // It may be gone already, which is as good.
        let _ = std::fs::remove_file(&self.0);
    }
}
