//! Passes the body of a request on, frame by frame, as long as it comes in time.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, SendStream};
use hyper::body::{Body, Frame, Incoming};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::pace::Pace;

/// Whether a caller took too long to send its request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lateness(Arc<AtomicBool>);

impl Lateness {
    pub(crate) fn is_late(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// A body on its way; dropping it ends that.
pub(crate) struct Pumping(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Pumping {
    /// Passes `begun` and then the rest on, as `pump` does. One that comes too late resets the stream and is noted.
    pub(crate) fn new(
        begun: Bytes,
        rest: Incoming,
        stream: SendStream<Bytes>,
        pace: Pace,
        lateness: Lateness,
    ) -> Self {
        Self(Box::pin(pump(begun, rest, stream, pace, lateness)))
    }

    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(context)
    }

    /// Goes on as a task of its own, which ends with the set.
    pub(crate) fn spawn(self) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        tasks.spawn(self.0);
        tasks
    }
}

/// What has come of a body already, without waiting; the body becomes none when that was all of it.
pub(crate) fn first_frame(body: &mut Option<Incoming>) -> Bytes {
    let mut context = Context::from_waker(std::task::Waker::noop());
    let Some(rest) = body else {
        return Bytes::new();
    };
    let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut *rest).poll_frame(&mut context) else {
        return Bytes::new();
    };
    if rest.is_end_stream() {
        *body = None;
    }
    frame.into_data().unwrap_or_default()
}

/// What the next step of a body is.
enum Step {
    /// Python ended the stream: nobody waits for the rest.
    Ended,
    /// The caller took too long.
    Late,
    /// There is no more.
    Done,
    /// The caller broke off.
    Lost,
    /// More of it.
    Frame(Frame<Bytes>),
}

/// Passes `begun` and then the rest on. A caller who breaks off resets the stream; a stream that Python ends stops this.
async fn pump(
    begun: Bytes,
    mut rest: Incoming,
    mut stream: SendStream<Bytes>,
    mut pace: Pace,
    lateness: Lateness,
) {
    if !begun.is_empty() && pass(&mut stream, begun, false, &mut pace).await.is_err() {
        return;
    }
    loop {
        let frame = match next(&mut rest, &mut stream, &pace).await {
            Step::Ended => return,
            Step::Late => {
                lateness.0.store(true, Relaxed);
                return stream.send_reset(Reason::CANCEL);
            }
            // An error means that the stream has ended, which the answer tells.
            Step::Done => return drop(stream.send_data(Bytes::new(), true)),
            Step::Lost => return stream.send_reset(Reason::CANCEL),
            Step::Frame(frame) => frame,
        };
        let Ok(data) = frame.into_data() else {
            continue; // gRPC has no trailers of requests
        };
        let last = rest.is_end_stream();
        if pass(&mut stream, data, last, &mut pace).await.is_err() || last {
            return;
        }
    }
}

/// Waits for more of the body, until it is due.
async fn next(rest: &mut Incoming, stream: &mut SendStream<Bytes>, pace: &Pace) -> Step {
    let step = poll_fn(|context| {
        // Also woken when Python ends the stream.
        if stream.poll_reset(context).is_ready() {
            return Poll::Ready(Step::Ended);
        }
        Poll::Ready(match ready!(Pin::new(&mut *rest).poll_frame(context)) {
            None => Step::Done,
            Some(Err(_)) => Step::Lost,
            Some(Ok(frame)) => Step::Frame(frame),
        })
    });
    let Some(due) = pace.due() else {
        return step.await;
    };
    tokio::select! {
        biased;
        step = step => step,
        () = sleep_until(due) => Step::Late,
    }
}

/// Sends a piece; the time for which the other side has no room is not the caller's.
async fn pass(
    stream: &mut SendStream<Bytes>,
    data: Bytes,
    last: bool,
    pace: &mut Pace,
) -> Result<(), ()> {
    pace.came(&data);
    let began = Instant::now();
    let sent = send(stream, data, last).await;
    pace.grant(began.elapsed());
    sent
}

/// Sends when the other side has room.
async fn send(stream: &mut SendStream<Bytes>, mut data: Bytes, last: bool) -> Result<(), ()> {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let capacity = poll_fn(|context| stream.poll_capacity(context)).await;
        let Some(Ok(room)) = capacity else {
            return Err(());
        };
        let piece = data.split_to(room.min(data.len()));
        let end = last && data.is_empty();
        stream.send_data(piece, end).map_err(drop)?;
        if end {
            return Ok(());
        }
    }
    if last {
        stream.send_data(Bytes::new(), true).map_err(drop)?;
    }
    Ok(())
}
