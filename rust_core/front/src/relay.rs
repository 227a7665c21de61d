//! The way to the Python server: a few HTTP/2 connections over a unix socket, on which calls are passed on as they came.
//!
//! Bodies are passed on frame by frame in both directions. The next frame is read when the other side has taken the last,
//! so flow control reaches from end to end and nothing is kept here. Whichever side ends a stream early ends it for the
//! other: dropping a body resets its stream.

use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri, Version};
use http_body::Frame;
use hyper::body::Incoming;
use parking_lot::RwLock;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::time::{Instant, Sleep};

use crate::activity::CallGuard;
use crate::framing::write_timeout;
use crate::gathering::{Gathering, Outbox, gathering};
use crate::health::Health;
use crate::learning::Learning;
use crate::pace::Pace;
use crate::pump::{Lateness, Pumping, first_frame};
use crate::refusal::Refusal;
use crate::reply::{Reply, refused, relayed};
use crate::settings::{MAX_FRAME, STREAM_WINDOW, Settings};

/// The header by which Python knows who relayed a call.
pub(crate) const FRONT: HeaderName = HeaderName::from_static("x-mnemic-front");
pub(crate) const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// More than one, so that one connection's lock and window are not everybody's.
const CONNECTIONS: usize = 2;
const RECONNECT_FIRST: Duration = Duration::from_millis(5);
const RECONNECT_LAST: Duration = Duration::from_millis(200);
/// Python's own answer to a deadline says more than ours: it gets the first word.
const COURTESY: Duration = Duration::from_millis(50);

/// The connections to the Python server.
pub(crate) struct Relay {
    socket: PathBuf,
    secret: HeaderValue,
    connections: [RwLock<Option<SendRequest<Bytes>>>; CONNECTIONS],
    next: AtomicUsize,
    max_relayed_calls: usize,
    receive_time: Duration,
}

/// A call to pass on.
pub(crate) struct Outgoing {
    /// Its head as it came.
    pub(crate) head: Parts,
    /// What was read of its body.
    pub(crate) begun: Bytes,
    /// The rest of it; none when that was all.
    pub(crate) rest: Option<Incoming>,
    /// Until when the caller waits.
    pub(crate) deadline: Option<Instant>,
    /// For an answer of ours.
    pub(crate) call_id: HeaderValue,
    /// Who wants to see the answer.
    pub(crate) learning: Option<Learning>,
    /// The place that the call takes.
    pub(crate) guard: CallGuard,
}

impl Relay {
    pub(crate) fn new(settings: &Settings, secret: HeaderValue) -> Self {
        Self {
            socket: settings.python_socket.clone(),
            secret,
            connections: [const { RwLock::new(None) }; CONNECTIONS],
            next: AtomicUsize::new(0),
            max_relayed_calls: settings.max_relayed_calls,
            receive_time: settings.receive_time,
        }
    }

    /// Keeps the connections up, for ever; tells the health.
    pub(crate) fn keep(self: &Arc<Self>, health: &Arc<Health>) {
        for slot in 0..CONNECTIONS {
            let (relay, health) = (self.clone(), health.clone());
            tokio::spawn(async move { relay.keep_connection(slot, &health).await });
        }
    }

    async fn keep_connection(&self, slot: usize, health: &Health) {
        let mut pause = RECONNECT_FIRST;
        loop {
            if let Some(link) = self.connect().await {
                pause = RECONNECT_FIRST;
                *self.connections[slot].write() = Some(link.sender);
                health.set_python(true);
                // How it ended does not matter: it is made anew.
                link.outbox.carry(pin!(link.connection)).await;
                *self.connections[slot].write() = None;
                let any = self.connections.iter().any(|slot| slot.read().is_some());
                health.set_python(any);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RECONNECT_LAST);
        }
    }

    async fn connect(&self) -> Option<Link<UnixStream>> {
        let stream = UnixStream::connect(&self.socket).await.ok()?;
        Link::over(stream, self.max_relayed_calls).await.ok()
    }

    /// A connection that takes requests; none when Python is away.
    async fn sender(&self) -> Option<SendRequest<Bytes>> {
        let first = self.next.fetch_add(1, Relaxed);
        for offset in 0..CONNECTIONS {
            let sender = self.connections[(first + offset) % CONNECTIONS]
                .read()
                .clone();
            if let Some(sender) = sender
                && let Ok(sender) = sender.ready().await
            {
                return Some(sender);
            }
        }
        None
    }

    /// Passes a call on.
    ///
    /// # Errors
    /// When Python reset the call: the caller's stream ends with the same reason.
    pub(crate) async fn pass_on(&self, call: Outgoing) -> Result<Response<Reply>, h2::Error> {
        let Outgoing {
            head,
            mut begun,
            mut rest,
            deadline,
            call_id,
            learning,
            guard,
        } = call;
        let away = || refused(&Refusal::python_away(), &call_id);
        let Some(mut sender) = self.sender().await else {
            return Ok(away());
        };
        if begun.is_empty() {
            begun = first_frame(&mut rest);
        }
        let pace = Pace::of(head.uri.path(), self.receive_time);
        let lateness = Lateness::default();
        let Ok((answer, stream)) = sender.send_request(self.request(head, deadline), false) else {
            return Ok(away());
        };
        let mut pumping = start_pump(begun, rest, stream, pace, lateness.clone());
        let head = head_of(answer, &mut pumping);
        let answer = match deadline {
            None => head.await,
            Some(deadline) => match tokio::time::timeout_at(deadline + COURTESY, head).await {
                Ok(answer) => answer,
                Err(_) => return Ok(refused(&Refusal::deadline_exceeded(), &call_id)),
            },
        };
        let (head, body) = match answer {
            Ok(answer) => answer.into_parts(),
            Err(error) => {
                return lost(error, &lateness).map(|refusal| refused(&refusal, &call_id));
            }
        };
        let body = Relayed {
            body: Some(body),
            data_done: false,
            deadline: deadline.map(|at| Box::pin(tokio::time::sleep_until(at + COURTESY))),
            call_id,
            learning,
            lateness,
            // From here on the caller's stream goes on by itself, since its answers may be read late or never.
            _pumping: pumping.map(Pumping::spawn),
        };
        let mut response = relayed(body, guard);
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        Ok(response)
    }

    fn request(&self, head: Parts, deadline: Option<Instant>) -> Request<()> {
        let mut request = Request::new(());
        *request.method_mut() = head.method;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = relayed_uri(head.uri);
        *request.headers_mut() = head.headers;
        let headers = request.headers_mut();
        headers.insert(FRONT, self.secret.clone());
        if let Some(deadline) = deadline {
            // Less than the caller said by what was spent here.
            let remaining = write_timeout(deadline.saturating_duration_since(Instant::now()));
            if let Ok(value) = HeaderValue::from_str(&remaining) {
                headers.insert(TIMEOUT, value);
            }
        }
        // Never into the table of the connection, which all callers share: grpcio keeps its judgement of a value there
        // with the name, and would refuse the next caller's good `grpc-timeout` for the last one's bad one.
        for value in headers.values_mut() {
            value.set_sensitive(true);
        }
        request
    }
}

/// One connection to the Python server.
struct Link<S> {
    sender: SendRequest<Bytes>,
    connection: h2::client::Connection<Gathering<S>>,
    /// Sends what the connection says when it is polled: the head of a request and its message at once.
    outbox: Outbox<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    async fn over(stream: S, max_calls: usize) -> Result<Self, h2::Error> {
        let room = (max_calls as u64 * u64::from(STREAM_WINDOW)).min(MAX_WINDOW);
        let (stream, outbox) = gathering(stream);
        let (sender, connection) = h2::client::Builder::new()
            .initial_window_size(STREAM_WINDOW)
            // Room for every call: one whose caller reads slowly must not hold the others up.
            .initial_connection_window_size(room as u32)
            .max_frame_size(MAX_FRAME)
            .enable_push(false)
            // The other end is ours: what follows is for peers that cannot be trusted, and would end everybody's
            // connection when many callers go away at once.
            .max_concurrent_reset_streams(100_000)
            .max_local_error_reset_streams(None)
            .data_frame_budget(usize::MAX)
            .handshake(stream)
            .await?;
        Ok(Self {
            sender,
            connection,
            outbox,
        })
    }
}

/// The largest that HTTP/2 has.
const MAX_WINDOW: u64 = (1 << 31) - 1;

fn relayed_uri(uri: Uri) -> Uri {
    let parts = uri.into_parts();
    let mut relayed = http::uri::Parts::default();
    relayed.scheme = Some(http::uri::Scheme::HTTP);
    relayed.authority = parts
        .authority
        .or_else(|| Some(http::uri::Authority::from_static("localhost")));
    relayed.path_and_query = parts.path_and_query;
    // A path is there: the dispatch looked at it.
    Uri::from_parts(relayed).unwrap_or_default()
}

fn start_pump(
    begun: Bytes,
    rest: Option<Incoming>,
    mut stream: SendStream<Bytes>,
    pace: Pace,
    lateness: Lateness,
) -> Option<Pumping> {
    let Some(rest) = rest else {
        // An error means that the stream is reset already, which the answer tells.
        let _ = stream.send_data(begun, true);
        return None;
    };
    Some(Pumping::new(begun, rest, stream, pace, lateness))
}

/// The head of the answer; meanwhile the request goes on.
async fn head_of(
    mut answer: ResponseFuture,
    pumping: &mut Option<Pumping>,
) -> Result<Response<RecvStream>, h2::Error> {
    poll_fn(|context| {
        if let Some(running) = pumping
            && running.poll(context).is_ready()
        {
            *pumping = None;
        }
        Pin::new(&mut answer).poll(context)
    })
    .await
}

/// What an error of Python's stream means: its own end of the call, ours for a caller who is too slow, or the loss of the
/// connection.
fn lost(error: h2::Error, lateness: &Lateness) -> Result<Refusal, h2::Error> {
    if lateness.is_late() {
        return Ok(Refusal::request_late());
    }
    if error.is_reset() && error.is_remote() {
        return Err(error);
    }
    Ok(Refusal::python_lost())
}

/// The body of Python's answer.
pub(crate) struct Relayed {
    /// None once it has ended, which lets go of the stream.
    body: Option<RecvStream>,
    data_done: bool,
    deadline: Option<Pin<Box<Sleep>>>,
    call_id: HeaderValue,
    learning: Option<Learning>,
    lateness: Lateness,
    _pumping: Option<tokio::task::JoinSet<()>>,
}

impl Relayed {
    pub(crate) fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(context).is_ready()
        {
            self.body = None;
            return self.end(&Refusal::deadline_exceeded());
        }
        if !self.data_done {
            match ready!(body.poll_data(context)) {
                Some(Ok(data)) => {
                    // It fails for more than was received.
                    let _ = body.flow_control().release_capacity(data.len());
                    if let Some(learning) = &mut self.learning {
                        learning.data(&data);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => return self.fail(error),
                None => self.data_done = true,
            }
        }
        match ready!(body.poll_trailers(context)) {
            Ok(trailers) => {
                self.body = None;
                if let (Some(learning), Some(trailers)) = (self.learning.take(), &trailers) {
                    learning.end(trailers);
                }
                Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
            }
            Err(error) => self.fail(error),
        }
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(RecvStream::is_end_stream)
    }

    fn fail(&mut self, error: h2::Error) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        self.body = None;
        match lost(error, &self.lateness) {
            Ok(refusal) => self.end(&refusal),
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }

    fn end(&self, refusal: &Refusal) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let trailers: HeaderMap = refusal.trailers(&self.call_id);
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;
    use std::task::Waker;

    use tokio::io::ReadBuf;

    use super::*;

    /// Takes everything and notes each write; the other end says nothing.
    #[derive(Clone, Default)]
    struct Noting(Arc<Mutex<Vec<Vec<u8>>>>);

    impl AsyncRead for Noting {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Noting {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.0.lock().unwrap().push(buffer.to_vec());
            Poll::Ready(Ok(buffer.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn the_head_of_a_call_and_its_message_are_one_write() {
        let stream = Noting::default();
        let Link {
            mut sender,
            connection,
            outbox,
        } = Link::over(stream.clone(), 4).await.unwrap();
        let mut connection = pin!(connection);
        let mut carried = pin!(outbox.carry(connection.as_mut()));
        let mut context = Context::from_waker(Waker::noop());
        assert!(carried.as_mut().poll(&mut context).is_pending());
        stream.0.lock().unwrap().clear();
        let message = Bytes::from(vec![7; 2_000]);
        let request = Request::post("http://localhost/t.T/echo").body(()).unwrap();
        let (_answer, mut body) = sender.send_request(request, false).unwrap();
        body.send_data(message.clone(), true).unwrap();
        assert!(carried.as_mut().poll(&mut context).is_pending());
        let writes = stream.0.lock().unwrap();
        assert_eq!(writes.len(), 1);
        assert!(writes[0].ends_with(&message));
    }
}
