//! Passes the body of a request on, frame by frame.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, SendStream};
use hyper::body::{Body, Incoming};
use tokio::task::JoinSet;

/// A body on its way; dropping it ends that.
pub(crate) struct Pumping(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Pumping {
    pub(crate) fn new(running: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Box::pin(running))
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

/// Passes `begun` and then the rest on. A caller who breaks off resets the stream; a stream that Python ends stops this.
pub(crate) async fn pump(begun: Bytes, mut rest: Incoming, mut stream: SendStream<Bytes>) {
    if !begun.is_empty() && send(&mut stream, begun, false).await.is_err() {
        return;
    }
    loop {
        let frame = poll_fn(|context| {
            // Also woken when Python ends the stream: nobody waits for the rest then.
            if stream.poll_reset(context).is_ready() {
                return Poll::Ready(Err(()));
            }
            Poll::Ready(Ok(ready!(Pin::new(&mut rest).poll_frame(context))))
        })
        .await;
        let sent = match frame {
            Err(()) => return,
            // An error means that the stream has ended, which the answer tells.
            Ok(None) => return drop(stream.send_data(Bytes::new(), true)),
            Ok(Some(Err(_))) => return stream.send_reset(Reason::CANCEL),
            Ok(Some(Ok(frame))) => {
                let Ok(data) = frame.into_data() else {
                    continue; // gRPC has no trailers of requests
                };
                let last = rest.is_end_stream();
                send(&mut stream, data, last).await.map(|()| last)
            }
        };
        if sent.is_err() || sent == Ok(true) {
            return;
        }
    }
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
