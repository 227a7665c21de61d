//! The bodies of answers.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderValue, Response, header::CONTENT_TYPE};
use http_body::{Body, Frame};
use tonic::{Code, Status};

use crate::activity::CallGuard;
use crate::answers::Framed;
use crate::health::Watching;
use crate::presence::{OpenCall, Untaken};
use crate::refusal::{CALL_ID, Refusal};
use crate::relay::Relayed;
use crate::watching::Watched;

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const OK: HeaderValue = HeaderValue::from_static("0");

/// The body of an answer. A call is in flight until it is dropped.
pub(crate) struct Reply {
    content: Content,
    watched: Option<Watched>,
    guard: Option<CallGuard>,
    open: Option<OpenCall>,
}

/// A piece of an answer, which counts as waiting until it has left: the HTTP/2 library lets go of it then, however small the
/// window is that the client leaves it.
pub(crate) struct Piece {
    bytes: Bytes,
    /// Of the one message of a call, whose place is free when that has left.
    _guard: Option<CallGuard>,
    _untaken: Option<Untaken>,
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}

/// Has the call count as one of its connection's until its answer is through.
pub(crate) fn hold_open(response: Response<Reply>, open: OpenCall) -> Response<Reply> {
    response.map(|reply| Reply {
        open: Some(open),
        ..reply
    })
}

/// Has the call watched until its answer is through.
pub(crate) fn watch(response: Response<Reply>, mut watched: Watched) -> Response<Reply> {
    if let Some(code) = code_in(response.headers()) {
        watched.told(code);
    }
    response.map(|reply| Reply {
        watched: Some(watched),
        ..reply
    })
}

fn code_in(headers: &HeaderMap) -> Option<Code> {
    let status = headers.get(Status::GRPC_STATUS);
    status.map(|status| Code::from_bytes(status.as_bytes()))
}

enum Content {
    /// Everything stood in the headers.
    Nothing,
    /// One message and what follows it.
    Whole(Option<Bytes>, Option<HeaderMap>),
    /// What comes from the Python server.
    Relayed(Box<Relayed>),
    /// The health of a service.
    Watching(Watching),
}

/// An OK answer of one message.
pub(crate) fn answered(
    message: Framed,
    call_id: HeaderValue,
    guard: Option<CallGuard>,
) -> Response<Reply> {
    let mut trailers = HeaderMap::with_capacity(2);
    trailers.insert(Status::GRPC_STATUS, OK);
    trailers.insert(CALL_ID, call_id);
    let content = Content::Whole(Some(message.into_bytes()), Some(trailers));
    grpc_response(content, guard)
}

/// A refusal: nothing but headers, which gRPC takes as trailing metadata.
pub(crate) fn refused(refusal: &Refusal, call_id: &HeaderValue) -> Response<Reply> {
    trailers_only(refusal.trailers(call_id))
}

/// A status that was made already.
pub(crate) fn trailers_only(trailers: HeaderMap) -> Response<Reply> {
    let mut response = grpc_response(Content::Nothing, None);
    response.headers_mut().extend(trailers);
    response
}

/// The stream of a watcher.
pub(crate) fn watched(watching: Watching) -> Response<Reply> {
    grpc_response(Content::Watching(watching), None)
}

/// What the Python server answers; its head is set by the caller.
pub(crate) fn relayed(body: Relayed, guard: CallGuard) -> Response<Reply> {
    Response::new(Reply {
        content: Content::Relayed(Box::new(body)),
        watched: None,
        guard: Some(guard),
        open: None,
    })
}

/// An answer to what is no gRPC.
pub(crate) fn http_status(status: http::StatusCode) -> Response<Reply> {
    let mut response = grpc_response(Content::Nothing, None);
    response.headers_mut().remove(CONTENT_TYPE);
    *response.status_mut() = status;
    response
}

fn grpc_response(content: Content, guard: Option<CallGuard>) -> Response<Reply> {
    let mut response = Response::new(Reply {
        content,
        watched: None,
        guard,
        open: None,
    });
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response
}

impl Reply {
    fn piece(&mut self, bytes: Bytes) -> Piece {
        let is_all = matches!(self.content, Content::Whole(..));
        Piece {
            _untaken: self.open.as_ref().map(|open| open.wait(bytes.len())),
            _guard: is_all.then(|| self.guard.take()).flatten(),
            bytes,
        }
    }
}

impl Body for Reply {
    type Data = Piece;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, h2::Error>>> {
        let frame = match &mut self.content {
            Content::Nothing => Poll::Ready(None),
            Content::Whole(message, trailers) => Poll::Ready(
                message
                    .take()
                    .map(Frame::data)
                    .or_else(|| trailers.take().map(Frame::trailers))
                    .map(Ok),
            ),
            Content::Relayed(body) => body.poll_frame(context),
            Content::Watching(body) => body.poll_frame(context).map(|frame| frame.map(Ok)),
        };
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(code) = frame.trailers_ref().and_then(code_in)
            && let Some(watched) = &mut self.watched
        {
            watched.told(code);
        }
        frame.map(|frame| {
            frame.map(|frame| frame.map(|frame| frame.map_data(|bytes| self.piece(bytes))))
        })
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Nothing => true,
            Content::Whole(message, trailers) => message.is_none() && trailers.is_none(),
            Content::Relayed(body) => body.is_end_stream(),
            Content::Watching(_) => false,
        }
    }
}
