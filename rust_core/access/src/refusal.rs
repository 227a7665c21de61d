//! Why a caller was turned away.

/// A refusal, in words for people and in parts for programs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct Refusal {
    /// The name of a `mnemic.v1.ErrorReason` without its prefix: `UNAUTHENTICATED`, `PERMISSION_DENIED` or
    /// `QUOTA_EXCEEDED` (a rate limit).
    pub reason: &'static str,
    /// In words; never holds any part of a credential.
    pub message: String,
    /// Every part of the message that varies.
    pub metadata: Vec<(&'static str, String)>,
    /// How long to wait before another try, where that helps.
    pub retry_after_micros: Option<i64>,
}

impl Refusal {
    pub(crate) fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new("UNAUTHENTICATED", message)
    }

    pub(crate) fn denied(message: impl Into<String>) -> Self {
        Self::new("PERMISSION_DENIED", message)
    }

    pub(crate) fn too_often(retry_after_micros: i64) -> Self {
        Self {
            retry_after_micros: Some(retry_after_micros),
            ..Self::new(
                "QUOTA_EXCEEDED",
                "this credential's calls come faster than its rate limit allows; wait and try again",
            )
        }
    }

    pub(crate) fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.metadata.push((key, value.into()));
        self
    }

    fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            metadata: Vec::new(),
            retry_after_micros: None,
        }
    }
}
