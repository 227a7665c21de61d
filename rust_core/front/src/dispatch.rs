//! One call: who asks, whether it may go on, and who answers it.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method as HttpMethod, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use mnemic_access::{Authenticator, Principal};
use tokio::time::Instant;
use tonic::{Code, Status};

use crate::activity::{Activity, CallGuard};
use crate::answers::{Answer, Answered, Answers, Method};
use crate::framing::{PREFIX_BYTES, Prefix, parse_timeout, single_message};
use crate::health::{CHECK, Health, WATCH};
use crate::learning::Learning;
use crate::refusal::{CALL_ID, Refusal, trailers_of};
use crate::relay::{FRONT, Outgoing, Relay, TIMEOUT};
use crate::reply::{Reply, answered, http_status, refused, trailers_only, watch, watched};
use crate::settings::{MAX_NATIVE_BYTES, Settings};
use crate::watching::{Subject, Watch, Watched};

/// A request for health has a name in it: it is not read when it is larger than any.
const MAX_HEALTH_BYTES: usize = 4096;
const HEALTH_TIME: Duration = Duration::from_secs(10);
/// HTTP/2 counts so much for each header beside its name and value.
const HEADER_OVERHEAD: usize = 32;
const MAX_CALL_ID: usize = 128;

/// What all calls share.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) answers: Arc<dyn Answers>,
    pub(crate) activity: Arc<Activity>,
    pub(crate) health: Arc<Health>,
    pub(crate) relay: Arc<Relay>,
    pub(crate) watch: Arc<Watch>,
}

/// Answers one request.
///
/// # Errors
/// When Python reset a relayed call: the caller's stream ends with the same reason.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Reply>, h2::Error> {
    let (head, body) = request.into_parts();
    if head.method != HttpMethod::POST || !is_grpc(&head.headers) {
        return Ok(http_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    let call_id = call_id(&head.headers);
    let subject = Subject::of(head.uri.path());
    let mut watched = shared.watch.begin(subject, &head.headers, call_id.clone());
    let response = respond(shared, head, body, call_id, &mut watched).await?;
    Ok(watch(response, watched))
}

async fn respond(
    shared: Arc<Shared>,
    mut head: Parts,
    body: Incoming,
    call_id: HeaderValue,
    watched: &mut Watched,
) -> Result<Response<Reply>, h2::Error> {
    let size = metadata_size(&head.headers);
    let limit = shared.settings.max_metadata_bytes;
    if size > limit {
        let words = format!("received metadata size exceeds hard limit ({size} vs. {limit})");
        let status = Status::new(Code::ResourceExhausted, words);
        return Ok(trailers_only(trailers_of(&status, &call_id)));
    }
    match head.uri.path() {
        CHECK | WATCH => return Ok(shared.health_call(&head, body, call_id).await),
        _ => {}
    }
    // Ours alone to say.
    head.headers.remove(FRONT);
    let deadline = match deadline(&head.headers) {
        Ok(deadline) => deadline,
        Err(refusal) => return Ok(refused(&refusal, &call_id)),
    };
    let (principal, guard) = match shared.let_in(&head) {
        Ok(admitted) => admitted,
        Err(refusal) => return Ok(refused(&refusal, &call_id)),
    };
    let call = Admitted {
        shared,
        head,
        call_id,
        deadline,
        principal,
        guard,
        watched,
    };
    match Method::of(call.head.uri.path()) {
        Some(method) => call.answer(method, body).await,
        None => call.relay(Bytes::new(), Some(body), None).await,
    }
}

impl Shared {
    /// Asks in the order of the Python server: whether more calls are served, who calls, what, and how often.
    fn let_in(&self, head: &Parts) -> Result<(Arc<Principal>, CallGuard), Refusal> {
        let guard = self.activity.begin()?;
        let authorization = head.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let now = micros_now();
        let principal = self.authenticator.authenticate(authorization, now)?;
        self.authenticator.permit(&principal, head.uri.path())?;
        self.authenticator.admit(&principal, now)?;
        Ok((principal, guard))
    }

    async fn health_call(
        &self,
        head: &Parts,
        body: Incoming,
        call_id: HeaderValue,
    ) -> Response<Reply> {
        let reading = http_body_util::Limited::new(body, MAX_HEALTH_BYTES).collect();
        let message = match tokio::time::timeout(HEALTH_TIME, reading).await {
            Ok(Ok(body)) => single_message(&body.to_bytes()),
            _ => None,
        };
        let Some(message) = message else {
            let words = "the request is not one plain grpc.health.v1.HealthCheckRequest";
            let status = Status::new(Code::InvalidArgument, words);
            return trailers_only(trailers_of(&status, &call_id));
        };
        if head.uri.path() == CHECK {
            return match self.health.check(&message) {
                Ok(answer) => answered(answer, call_id, None),
                Err(status) => trailers_only(trailers_of(&status, &call_id)),
            };
        }
        match self.health.watch(&message, &call_id) {
            Ok(watching) => watched(watching),
            Err(trailers) => trailers_only(trailers),
        }
    }
}

/// A call that was let in.
struct Admitted<'a> {
    shared: Arc<Shared>,
    head: Parts,
    call_id: HeaderValue,
    deadline: Option<Instant>,
    principal: Arc<Principal>,
    guard: CallGuard,
    watched: &'a mut Watched,
}

/// What reading a message gave.
enum Read {
    /// One plain message, all of the body.
    Message { message: Bytes, body: Bytes },
    /// Something else, or more than is read here: for Python.
    Else {
        begun: Bytes,
        rest: Option<Incoming>,
    },
}

impl Admitted<'_> {
    /// Answers here if that can be, and else relays.
    async fn answer(
        mut self,
        method: Method,
        body: Incoming,
    ) -> Result<Response<Reply>, h2::Error> {
        // Who sends a message without end, and no deadline, must not keep a place for ever.
        let latest = Instant::now() + self.shared.settings.receive_time;
        let callers = self.deadline.filter(|deadline| *deadline <= latest);
        let read = match within(Some(callers.unwrap_or(latest)), self.read(body)).await {
            Ok(Ok(read)) => read,
            Ok(Err(refusal)) => return Ok(refused(&refusal, &self.call_id)),
            Err(deadline_exceeded) => {
                let late = callers.map_or_else(Refusal::request_late, |_| deadline_exceeded);
                return Ok(refused(&late, &self.call_id));
            }
        };
        let (message, body) = match read {
            Read::Message { message, body } => (message, body),
            Read::Else { begun, rest } => {
                let learning = Learning::of(&self.shared.answers, method, &self.principal);
                return self.relay(begun, rest, learning).await;
            }
        };
        match self.ask(method, message).await {
            Some(Ok(answer)) => Ok(answered(answer, self.call_id, Some(self.guard))),
            Some(Err(refusal)) => Ok(refused(&refusal, &self.call_id)),
            None => {
                let learning = Learning::of(&self.shared.answers, method, &self.principal);
                self.relay(body, None, learning).await
            }
        }
    }

    async fn ask(&self, method: Method, message: Bytes) -> Answered {
        let deadline = self.deadline.map(Instant::into_std);
        let answers = &self.shared.answers;
        match answers.answer(method, &self.principal, message, deadline) {
            Answer::Now(answered) => answered,
            Answer::Later(answered) => match within(self.deadline, answered).await {
                Ok(answered) => answered,
                Err(refusal) => Some(Err(refusal)),
            },
        }
    }

    async fn read(&mut self, mut body: Incoming) -> Result<Read, Refusal> {
        let mut begun = Bytes::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map(http_body::Frame::into_data) else {
                break; // the caller is gone, and so will this call be
            };
            let data = data.unwrap_or_default();
            self.guard.buffer(data.len())?;
            begun = joined(begun, data);
            let large = Prefix::read(&begun).is_some_and(|prefix| {
                prefix.flag != 0 || prefix.length > MAX_NATIVE_BYTES.min(self.max_message())
            });
            if large || begun.len() > PREFIX_BYTES + MAX_NATIVE_BYTES {
                self.guard.release_buffer();
                let rest = (!body.is_end_stream()).then_some(body);
                return Ok(Read::Else { begun, rest });
            }
            if body.is_end_stream() {
                break;
            }
        }
        Ok(match single_message(&begun) {
            Some(message) => Read::Message {
                message,
                body: begun,
            },
            None => Read::Else { begun, rest: None },
        })
    }

    fn max_message(&self) -> usize {
        self.shared.settings.max_message_bytes
    }

    async fn relay(
        mut self,
        begun: Bytes,
        rest: Option<Incoming>,
        learning: Option<Learning>,
    ) -> Result<Response<Reply>, h2::Error> {
        if let Err(refusal) = self.guard.relay() {
            return Ok(refused(&refusal, &self.call_id));
        }
        self.watched.relay(&mut self.head.headers);
        let call = Outgoing {
            head: self.head,
            begun,
            rest,
            deadline: self.deadline,
            call_id: self.call_id,
            learning,
            guard: self.guard,
        };
        self.shared.relay.pass_on(call).await
    }
}

/// Waits no longer than the caller does.
async fn within<T>(deadline: Option<Instant>, work: impl Future<Output = T>) -> Result<T, Refusal> {
    match deadline {
        None => Ok(work.await),
        Some(deadline) => tokio::time::timeout_at(deadline, work)
            .await
            .map_err(|_| Refusal::deadline_exceeded()),
    }
}

fn joined(begun: Bytes, data: Bytes) -> Bytes {
    if begun.is_empty() {
        return data;
    }
    // The next piece finds the room of the last: a buffer that nobody shares grows in place.
    let mut all = BytesMut::from(begun);
    all.extend_from_slice(&data);
    all.freeze()
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| {
        let rest = value.as_bytes().strip_prefix(b"application/grpc");
        rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
    })
}

fn metadata_size(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + HEADER_OVERHEAD)
        .sum()
}

/// Until when the caller waits, if it said so.
///
/// # Errors
/// When that has passed already.
fn deadline(headers: &HeaderMap) -> Result<Option<Instant>, Refusal> {
    let timeout = headers
        .get(TIMEOUT)
        .and_then(|value| parse_timeout(value.as_bytes()));
    match timeout {
        Some(Duration::ZERO) => Err(Refusal::deadline_exceeded()),
        timeout => Ok(timeout.map(|timeout| Instant::now() + timeout)),
    }
}

/// What makes ids of calls differ between processes, and within one.
static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
static COUNT: AtomicU64 = AtomicU64::new(0);

/// The caller's name for the call, if it is one that a log can hold, or a new one; as python/mnemic/server/calls.py.
fn call_id(headers: &HeaderMap) -> HeaderValue {
    if let Some(given) = headers.get(CALL_ID) {
        let bytes = given.as_bytes();
        if (1..=MAX_CALL_ID).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic) {
            return given.clone();
        }
    }
    let id = format!("{:016x}", SEED.hash_one(COUNT.fetch_add(1, Relaxed)));
    HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("unnamed"))
}

fn micros_now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_micros() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        HeaderMap::from_iter([(http::HeaderName::from_static(name), value)])
    }

    #[test]
    fn a_callers_id_is_kept_if_a_log_can_hold_it() {
        assert_eq!(call_id(&headers("x-request-id", "mine-1")), "mine-1");
        for other in ["", "two words", &"x".repeat(129), "żółw"] {
            let id = call_id(&headers("x-request-id", other));
            assert_eq!(id.len(), 16);
            assert_ne!(id, call_id(&HeaderMap::new()));
        }
    }

    #[test]
    fn grpc_is_known_by_its_content_type() {
        for (value, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;x", true),
            ("application/grpc-web", false),
            ("application/json", false),
        ] {
            assert_eq!(
                is_grpc(&headers("content-type", value)),
                expected,
                "{value}"
            );
        }
    }

    #[test]
    fn a_deadline_that_has_passed_is_refused_and_one_that_is_none_is_not() {
        assert!(deadline(&headers("grpc-timeout", "0m")).is_err());
        assert!(
            deadline(&headers("grpc-timeout", "soon"))
                .unwrap()
                .is_none()
        );
        assert!(deadline(&headers("grpc-timeout", "5S")).unwrap().is_some());
    }

    #[test]
    fn pieces_are_joined_in_order() {
        let mut all = Bytes::new();
        for piece in ["", "a", "bc", "", "d"] {
            all = joined(all, Bytes::from(piece));
        }
        assert_eq!(all, "abcd");
    }
}
