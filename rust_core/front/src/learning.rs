//! Shows relayed answers to who answers natively, so that it learns where memories are.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use mnemic_access::Principal;
use tonic::Status;

use crate::answers::{Answers, Method};
use crate::framing::single_message;

/// Larger answers are not kept to be looked at.
const MAX_BYTES: usize = 256 * 1024;

/// One relayed answer, as it goes by.
pub(crate) struct Learning {
    answers: Arc<dyn Answers>,
    method: Method,
    principal: Arc<Principal>,
    seen: Seen,
}

enum Seen {
    Nothing,
    One(Bytes),
    Several(BytesMut),
    TooMuch,
}

impl Learning {
    /// For methods whose answers are worth it.
    pub(crate) fn of(
        answers: &Arc<dyn Answers>,
        method: Method,
        principal: &Arc<Principal>,
    ) -> Option<Self> {
        matches!(method, Method::Get | Method::BatchGet).then(|| Self {
            answers: answers.clone(),
            method,
            principal: principal.clone(),
            seen: Seen::Nothing,
        })
    }

    /// A piece of the answer.
    pub(crate) fn data(&mut self, data: &Bytes) {
        self.seen = match std::mem::replace(&mut self.seen, Seen::TooMuch) {
            Seen::Nothing => Seen::One(data.clone()),
            Seen::One(first) if first.len() + data.len() <= MAX_BYTES => {
                let mut all = BytesMut::from(first);
                all.extend_from_slice(data);
                Seen::Several(all)
            }
            Seen::Several(mut all) if all.len() + data.len() <= MAX_BYTES => {
                all.extend_from_slice(data);
                Seen::Several(all)
            }
            Seen::TooMuch | Seen::One(_) | Seen::Several(_) => Seen::TooMuch,
        };
    }

    /// The end of the answer.
    pub(crate) fn end(self, trailers: &HeaderMap) {
        if trailers
            .get(Status::GRPC_STATUS)
            .is_none_or(|code| code != "0")
        {
            return;
        }
        let body = match self.seen {
            Seen::One(all) => all,
            Seen::Several(all) => all.freeze(),
            Seen::Nothing | Seen::TooMuch => return,
        };
        if let Some(message) = single_message(&body) {
            self.answers.learn(self.method, &self.principal, &message);
        }
    }
}
