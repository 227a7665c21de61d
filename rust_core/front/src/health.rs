//! grpc.health.v1: whether the services are served, told without Python.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use prost::Message;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tonic::{Code, Status};

use crate::answers::Framed;
use crate::refusal::{Reason, Refusal, trailers_of};
use crate::settings::MAX_WATCHERS;

/// The paths that this module answers.
pub(crate) const CHECK: &str = "/grpc.health.v1.Health/Check";
pub(crate) const WATCH: &str = "/grpc.health.v1.Health/Watch";

/// grpc.health.v1.HealthCheckRequest.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct HealthCheckRequest {
    /// The service's full name; empty for all together.
    #[prost(string, tag = "1")]
    pub(crate) service: String,
}

/// grpc.health.v1.HealthCheckResponse.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    status: i32,
}

const SERVING: i32 = 1;
const NOT_SERVING: i32 = 2;
const SERVICE_UNKNOWN: i32 = 3;

/// What decides whether the services are served. Each has methods that only Python answers: without it none is healthy,
/// although searches go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Condition {
    python_here: bool,
    draining: bool,
    ended: bool,
}

impl Condition {
    fn status(self) -> i32 {
        if self.python_here && !self.draining && !self.ended {
            SERVING
        } else {
            NOT_SERVING
        }
    }
}

/// The health of the services.
pub(crate) struct Health {
    services: Vec<String>,
    condition: watch::Sender<Condition>,
    watchers: Arc<Semaphore>,
}

impl Health {
    pub(crate) fn new(services: &[String]) -> Self {
        Self {
            services: services.to_vec(),
            condition: watch::Sender::new(Condition::default()),
            watchers: Arc::new(Semaphore::new(MAX_WATCHERS)),
        }
    }

    /// The Python server has come or gone.
    pub(crate) fn set_python(&self, here: bool) {
        self.condition
            .send_modify(|condition| condition.python_here = here);
    }

    /// The server takes no new calls.
    pub(crate) fn drain(&self) {
        self.condition
            .send_modify(|condition| condition.draining = true);
    }

    /// The streams of watchers end.
    pub(crate) fn end(&self) {
        self.condition
            .send_modify(|condition| condition.ended = true);
    }

    /// Waits until the Python server is there.
    pub(crate) async fn wait_for_python(&self) {
        let mut condition = self.condition.subscribe();
        // The sender is ours: it cannot be gone.
        let _ = condition.wait_for(|condition| condition.python_here).await;
    }

    /// Whether the Python server is there.
    pub(crate) fn python_here(&self) -> bool {
        self.condition.borrow().python_here
    }

    /// Answers Check.
    ///
    /// # Errors
    /// `NOT_FOUND` for a service that there is not, as the protocol says; `INVALID_ARGUMENT` for what is no message.
    pub(crate) fn check(&self, request: &[u8]) -> Result<Framed, Status> {
        let service = asked(request)?;
        if !self.knows(&service) {
            return Err(Status::new(Code::NotFound, ""));
        }
        let status = self.condition.borrow().status();
        Ok(Framed::of(&HealthCheckResponse { status }))
    }

    /// Begins a Watch: what it is now, and every change. Of an unknown service it says so and waits.
    ///
    /// # Errors
    /// When there are too many watchers.
    pub(crate) fn watch(
        &self,
        request: &[u8],
        call_id: &HeaderValue,
    ) -> Result<Watching, HeaderMap> {
        let service = asked(request).map_err(|status| trailers_of(&status, call_id))?;
        let permit = self.watchers.clone().try_acquire_owned().map_err(|_| {
            Refusal::new(Reason::Overloaded, "as many watch the health as may").trailers(call_id)
        })?;
        let receiver = self.condition.subscribe();
        Ok(Watching {
            known: self.knows(&service),
            told: None,
            change: Box::pin(std::future::ready(receiver)),
            ended: false,
            call_id: call_id.clone(),
            _permit: permit,
        })
    }

    fn knows(&self, service: &str) -> bool {
        service.is_empty() || self.services.iter().any(|known| known == service)
    }
}

fn asked(request: &[u8]) -> Result<String, Status> {
    match HealthCheckRequest::decode(request) {
        Ok(request) => Ok(request.service),
        Err(_) => Err(Status::new(
            Code::InvalidArgument,
            "the request is not a valid grpc.health.v1.HealthCheckRequest",
        )),
    }
}

type Change = Pin<Box<dyn Future<Output = watch::Receiver<Condition>> + Send>>;

/// The stream of one watcher.
pub(crate) struct Watching {
    known: bool,
    told: Option<i32>,
    change: Change,
    ended: bool,
    call_id: HeaderValue,
    _permit: OwnedSemaphorePermit,
}

impl Watching {
    pub(crate) fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Frame<Bytes>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        loop {
            let Poll::Ready(mut receiver) = self.change.as_mut().poll(context) else {
                return Poll::Pending;
            };
            let condition = *receiver.borrow_and_update();
            self.change = Box::pin(async move {
                if receiver.changed().await.is_err() {
                    // The front is gone, and its connections will be.
                    std::future::pending::<()>().await;
                }
                receiver
            });
            if condition.ended {
                self.ended = true;
                let trailers = Refusal::shutting_down().trailers(&self.call_id);
                return Poll::Ready(Some(Frame::trailers(trailers)));
            }
            let status = if self.known {
                condition.status()
            } else {
                SERVICE_UNKNOWN
            };
            if self.told.replace(status) != Some(status) {
                let message = Framed::of(&HealthCheckResponse { status });
                return Poll::Ready(Some(Frame::data(message.into_bytes())));
            }
        }
    }
}
