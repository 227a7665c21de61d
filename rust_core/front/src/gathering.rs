//! One write for all that a connection says at a time.
//!
//! h2 empties its buffer after each frame of more than a few hundred bytes: an answer would leave in two writes, its message
//! and then its trailers, and wake its client twice. Here what is written waits until whoever polls the connection is through
//! with it, and leaves at once then.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What may wait.
const ROOM: usize = 32 * 1024;
/// Pieces of this size are not worth copying: they leave at once, behind what waits.
const LARGE: usize = 8 * 1024;
/// A connection that says nothing keeps no more memory than this for what it will say.
const KEPT: usize = 4 * 1024;

/// A stream that keeps back what is written to it until [`Outbox::carry`] sends it.
pub(crate) struct Gathering<S>(Arc<Mutex<Gathered<S>>>);

/// What a [`Gathering`] keeps back, for whoever polls its connection.
pub(crate) struct Outbox<S>(Arc<Mutex<Gathered<S>>>);

struct Gathered<S> {
    stream: S,
    waiting: Vec<u8>,
    /// So many bytes of it are sent.
    sent: usize,
    /// Whether the stream may keep something back itself, as one of TLS does.
    is_flushed: bool,
}

/// Keeps back what is written to a stream.
pub(crate) fn gathering<S>(stream: S) -> (Gathering<S>, Outbox<S>) {
    let gathered = Arc::new(Mutex::new(Gathered {
        stream,
        waiting: Vec::new(),
        sent: 0,
        is_flushed: true,
    }));
    (Gathering(gathered.clone()), Outbox(gathered))
}

impl<S: AsyncWrite + Unpin> Outbox<S> {
    /// Polls a connection to its end; each time, what it has said is sent.
    pub(crate) async fn carry<F: Future>(&self, mut connection: Pin<&mut F>) {
        poll_fn(|context| {
            let ended = connection.as_mut().poll(context).is_ready();
            let sent = self.0.lock().send(context);
            // Where sending fails nobody listens any more.
            if ended || matches!(sent, Poll::Ready(Err(_))) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

impl<S: AsyncWrite + Unpin> Gathered<S> {
    /// Sends all that waits.
    fn send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write(context))?;
        if !self.is_flushed {
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            self.is_flushed = true;
        }
        Poll::Ready(Ok(()))
    }

    fn write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.waiting.len() {
            let rest = &self.waiting[self.sent..];
            match ready!(Pin::new(&mut self.stream).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.sent += written,
            }
            self.is_flushed = false;
        }
        self.sent = 0;
        if self.waiting.capacity() > KEPT {
            self.waiting = Vec::new();
        } else {
            self.waiting.clear();
        }
        Poll::Ready(Ok(()))
    }

    /// Makes room for so many bytes. False: they are to leave at once.
    fn take(&mut self, context: &mut Context<'_>, bytes: usize) -> Poll<io::Result<bool>> {
        if bytes < LARGE && self.waiting.len() + bytes <= ROOM {
            return Poll::Ready(Ok(true));
        }
        ready!(self.write(context))?;
        self.is_flushed &= bytes < LARGE;
        Poll::Ready(Ok(bytes < LARGE))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathering<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathering<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let gathered = &mut *self.0.lock();
        if !ready!(gathered.take(context, buffer.len()))? {
            return Pin::new(&mut gathered.stream).poll_write(context, buffer);
        }
        gathered.waiting.extend_from_slice(buffer);
        Poll::Ready(Ok(buffer.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bytes = buffers.iter().map(|buffer| buffer.len()).sum();
        let gathered = &mut *self.0.lock();
        if !ready!(gathered.take(context, bytes))? {
            return Pin::new(&mut gathered.stream).poll_write_vectored(context, buffers);
        }
        for buffer in buffers {
            gathered.waiting.extend_from_slice(buffer);
        }
        Poll::Ready(Ok(bytes))
    }

    fn is_write_vectored(&self) -> bool {
        self.0.lock().stream.is_write_vectored()
    }

    /// Nothing: it is sent when the connection was polled.
    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let gathered = &mut *self.0.lock();
        ready!(gathered.send(context))?;
        Pin::new(&mut gathered.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::pin::pin;
    use std::task::Waker;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    /// Takes everything, and notes what came in which write.
    #[derive(Default)]
    struct Noting(Vec<Vec<u8>>);

    impl AsyncWrite for Noting {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _context: &mut Context<'_>,
            buffer: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.0.push(buffer.to_vec());
            Poll::Ready(Ok(buffer.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn what_a_connection_says_at_a_time_is_one_write() {
        let (mut stream, outbox) = gathering(Noting::default());
        let connection = async {
            for word in ["message", ", ", "trailers"] {
                stream.write_all(word.as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
            }
            pending::<()>().await;
        };
        let mut connection = pin!(connection);
        let carried = pin!(outbox.carry(connection.as_mut()));
        assert!(
            carried
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        assert_eq!(outbox.0.lock().stream.0, [b"message, trailers".to_vec()]);
    }

    #[tokio::test]
    async fn everything_comes_through_in_order_however_little_the_stream_takes_at_once() {
        let sizes = [
            0,
            1,
            LARGE - 1,
            LARGE,
            3,
            ROOM,
            LARGE - 1,
            LARGE - 1,
            LARGE - 1,
            LARGE - 1,
            7,
        ];
        let said: Vec<u8> = (0..sizes.iter().sum())
            .map(|i: usize| (i % 251) as u8)
            .collect();
        for room in [1, 1_000, 1 << 20] {
            let (near, mut far) = duplex(room);
            let (mut stream, outbox): (Gathering<DuplexStream>, _) = gathering(near);
            let connection = async {
                let mut rest = &said[..];
                for size in sizes {
                    let (piece, later) = rest.split_at(size);
                    stream.write_all(piece).await.unwrap();
                    stream.flush().await.unwrap();
                    rest = later;
                }
                stream.shutdown().await.unwrap();
            };
            let (mut connection, mut heard) = (pin!(connection), Vec::new());
            let ((), read) = tokio::join!(
                outbox.carry(connection.as_mut()),
                far.read_to_end(&mut heard)
            );
            read.unwrap();
            assert!(heard == said, "{room}");
        }
    }

    #[test]
    fn for_a_stream_that_takes_nothing_no_more_waits_than_there_is_room_for() {
        let (near, _far) = duplex(1);
        let (mut stream, outbox) = gathering(near);
        let connection = async {
            loop {
                stream.write_all(&[0; 1_000]).await.unwrap();
            }
        };
        let mut connection = pin!(connection);
        let carried = pin!(outbox.carry(connection.as_mut()));
        assert!(
            carried
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        let waiting = outbox.0.lock().waiting.len();
        assert!((ROOM - 1_000..=ROOM).contains(&waiting), "{waiting}");
    }
}
