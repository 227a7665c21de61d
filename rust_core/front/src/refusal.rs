//! Refusals as they travel: a status with its words and details, of the form that python/mnemic/server/status.py gives.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message;
use tonic::Code;
use tonic_types::pb;

const DOMAIN: &str = "mnemic.dev";
/// The header that names a call, in the caller's metadata, in the log and behind every answer.
pub(crate) const CALL_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Why the front refuses: names of `mnemic.v1.ErrorReason` without their prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There are more calls than are served at once, or more from this caller than it may make.
    Overloaded,
    /// The request is longer than the server reads.
    MessageTooLarge,
    /// This caller's calls come faster than it may make them.
    QuotaExceeded,
    /// The caller stopped waiting.
    DeadlineExceeded,
    /// Nobody whom the server knows.
    Unauthenticated,
    /// Somebody who may not do this.
    PermissionDenied,
    /// The server takes no new calls.
    ShuttingDown,
    /// What this call needs is not there at the moment.
    StoreUnavailable,
    /// A defect.
    Internal,
}

impl Reason {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Overloaded => "OVERLOADED",
            Self::MessageTooLarge => "MESSAGE_TOO_LARGE",
            Self::QuotaExceeded => "QUOTA_EXCEEDED",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ShuttingDown => "SHUTTING_DOWN",
            Self::StoreUnavailable => "STORE_UNAVAILABLE",
            Self::Internal => "INTERNAL",
        }
    }

    /// The gRPC code that always comes with it.
    pub fn code(self) -> Code {
        match self {
            Self::Overloaded | Self::MessageTooLarge | Self::QuotaExceeded => {
                Code::ResourceExhausted
            }
            Self::DeadlineExceeded => Code::DeadlineExceeded,
            Self::Unauthenticated => Code::Unauthenticated,
            Self::PermissionDenied => Code::PermissionDenied,
            Self::ShuttingDown | Self::StoreUnavailable => Code::Unavailable,
            Self::Internal => Code::Internal,
        }
    }
}

/// A call that is not answered, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// In words; says what would be accepted or what to do. Short: the whole status has 8 KiB.
    pub message: String,
    /// Every part of the message that varies, by name.
    pub metadata: Vec<(&'static str, String)>,
    /// How long to wait before another try, where that is known.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal in words alone.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            metadata: Vec::new(),
            retry_after: None,
        }
    }

    /// Adds a part of the message that varies.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.metadata.push((name, value.into()));
        self
    }

    /// Says how long to wait.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// What a draining server says; in the words of python/mnemic/server/activity.py.
    pub fn shutting_down() -> Self {
        Self::new(
            Reason::ShuttingDown,
            "the server is shutting down and did not begin this; try again, elsewhere or later",
        )
        .retry_after(Duration::from_secs(1))
    }

    /// What a call hears that Python would have to answer while it is away.
    pub fn python_away() -> Self {
        Self::new(
            Reason::StoreUnavailable,
            "the part of the server that answers this is not there at the moment; try again later",
        )
        .retry_after(Duration::from_secs(1))
    }

    /// What a call hears that Python had begun when it went away.
    pub fn python_lost() -> Self {
        Self::new(
            Reason::StoreUnavailable,
            "the part of the server that was at work on this went away; whether it was done is not known",
        )
    }

    /// What a call hears whose deadline has passed.
    pub fn deadline_exceeded() -> Self {
        Self::new(
            Reason::DeadlineExceeded,
            "the deadline passed before the answer was there",
        )
    }

    /// What a call hears whose request did not arrive in time.
    pub fn request_late() -> Self {
        Self::new(
            Reason::DeadlineExceeded,
            "the request did not arrive in the time that it may take (server.receive_seconds)",
        )
    }

    /// The status as trailing metadata.
    pub fn trailers(&self, call_id: &HeaderValue) -> HeaderMap {
        let status =
            tonic::Status::with_details(self.reason.code(), self.message.as_str(), self.details());
        trailers_of(&status, call_id)
    }

    fn details(&self) -> Bytes {
        let mut details = vec![packed(
            "google.rpc.ErrorInfo",
            &pb::ErrorInfo {
                reason: self.reason.name().into(),
                domain: DOMAIN.into(),
                metadata: self
                    .metadata
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), value.clone()))
                    .collect(),
            },
        )];
        if let Some(delay) = self.retry_after {
            let retry_delay = prost_types::Duration {
                seconds: delay.as_secs() as i64,
                nanos: delay.subsec_nanos() as i32,
            };
            details.push(packed(
                "google.rpc.RetryInfo",
                &pb::RetryInfo {
                    retry_delay: Some(retry_delay),
                },
            ));
        }
        let status = pb::Status {
            code: self.reason.code() as i32,
            message: self.message.clone(),
            details,
        };
        status.encode_to_vec().into()
    }
}

impl From<mnemic_access::Refusal> for Refusal {
    fn from(refusal: mnemic_access::Refusal) -> Self {
        let reason = match refusal.reason {
            "UNAUTHENTICATED" => Reason::Unauthenticated,
            "PERMISSION_DENIED" => Reason::PermissionDenied,
            "QUOTA_EXCEEDED" => Reason::QuotaExceeded,
            "OVERLOADED" => Reason::Overloaded,
            _ => Reason::Internal,
        };
        let delay = refusal.retry_after_micros;
        Self {
            reason,
            message: refusal.message,
            metadata: refusal.metadata,
            retry_after: delay.map(|micros| Duration::from_micros(micros.max(0) as u64)),
        }
    }
}

/// Any status as trailing metadata.
pub(crate) fn trailers_of(status: &tonic::Status, call_id: &HeaderValue) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(4);
    // It fails for words that are no header value, which the percent encoding has made impossible.
    let added = status.add_header(&mut trailers);
    debug_assert!(added.is_ok());
    trailers.insert(CALL_ID, call_id.clone());
    trailers
}

fn packed(name: &str, message: &impl Message) -> prost_types::Any {
    prost_types::Any {
        type_url: format!("type.googleapis.com/{name}"),
        value: message.encode_to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt;

    use super::*;

    #[test]
    fn a_refusal_travels_with_reason_metadata_and_delay() {
        let refusal = Refusal::new(Reason::Overloaded, "50 % too much: ł")
            .with("limit", "64")
            .retry_after(Duration::from_millis(1500));
        let trailers = refusal.trailers(&HeaderValue::from_static("id-1"));
        assert_eq!(trailers["grpc-status"], "8");
        assert_eq!(trailers["x-request-id"], "id-1");
        assert!(trailers["grpc-message"].to_str().unwrap().is_ascii());
        let read = tonic::Status::from_header_map(&trailers).unwrap();
        assert_eq!(
            (read.code(), read.message()),
            (Code::ResourceExhausted, "50 % too much: ł")
        );
        let details = read.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!(
            (info.reason.as_str(), info.domain.as_str()),
            ("OVERLOADED", "mnemic.dev")
        );
        assert_eq!(info.metadata["limit"], "64");
        assert_eq!(
            details.retry_info().unwrap().retry_delay,
            Some(Duration::from_millis(1500))
        );
    }
}
