//! Searches and reads answered from the index, protobuf to protobuf, without Python.
//!
//! The rule is: only what is certain. A request that Python might refuse, a partition that is not in memory, a revision
//! that has not been reached, a memory whose partition is not known: all of it is left to the relay. So Python words every
//! refusal and loads every partition, and a check that is stricter than it need be costs time, not truth.

mod checks;
mod directory;
mod filters;
mod hits;
mod memories;
mod reading;
mod request;
mod search;
mod settings;
mod vectors;
mod wire;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use mnemic_access::Principal;
use mnemic_embedding::QueryEmbedder;
use mnemic_retrieval::Index;

use crate::answers::{Answer, Answered, Answers, Framed, Method};
use crate::watching::{Distribution, Histogram};
use directory::Directory;
use search::Searches;
use wire::Writer;

pub use settings::{Profile, Settings};

/// Answers from an index that Python keeps.
pub struct NativeAnswers(Arc<Shared>);

struct Shared {
    index: Arc<Index>,
    settings: Settings,
    embedder: Option<Arc<QueryEmbedder>>,
    directory: Directory,
    stages: Stages,
}

/// Where the time of searches went; the stages of `StageTimings`.
#[derive(Default)]
struct Stages {
    prepare: Histogram,
    embed: Histogram,
    search: Histogram,
}

impl NativeAnswers {
    /// Answers from an index whose keeper marks what is resident.
    ///
    /// Without an embedder, or with one that has no model, texts that need a vector are relayed unless it holds theirs.
    pub fn new(
        index: Arc<Index>,
        settings: Settings,
        embedder: Option<Arc<QueryEmbedder>>,
    ) -> Self {
        Self(Arc::new(Shared {
            index,
            settings,
            embedder,
            directory: Directory::new(),
            stages: Stages::default(),
        }))
    }

    /// As [`Answers::answer`], for callers that are no listener: waits on this thread for an answer that comes later.
    ///
    /// # Panics
    /// If it is called on a thread of a listener.
    pub fn answer_here(
        &self,
        method: Method,
        principal: &Arc<Principal>,
        request: &[u8],
    ) -> Answered {
        match self.answer(method, principal, Bytes::copy_from_slice(request), None) {
            Answer::Now(answered) => answered,
            Answer::Later(later) => {
                let runtime = tokio::runtime::Builder::new_current_thread().build();
                runtime.ok()?.block_on(later)
            }
        }
    }

    /// As [`Answers::learn`].
    pub fn learn_from(&self, method: Method, principal: &Principal, response: &[u8]) {
        self.0
            .learn(method, principal, &Bytes::copy_from_slice(response));
    }
}

impl Answers for NativeAnswers {
    fn answer(
        &self,
        method: Method,
        principal: &Arc<Principal>,
        request: Bytes,
        deadline: Option<Instant>,
    ) -> Answer {
        let shared = &self.0;
        let searches = match method {
            Method::Search => Searches::single(shared, principal, request),
            Method::BatchSearch => Searches::batch(shared, principal, request),
            Method::Get => return Answer::Now(shared.get(principal, request).map(Ok)),
            Method::BatchGet => return Answer::Now(shared.batch_get(principal, request).map(Ok)),
        };
        searches.map_or(Answer::Now(None), |searches| {
            searches.answer(shared, deadline)
        })
    }

    fn learn(&self, method: Method, principal: &Arc<Principal>, response: &Bytes) {
        self.0.learn(method, principal, response);
    }

    fn stages(&self) -> Vec<(&'static str, Distribution)> {
        let stages = &self.0.stages;
        vec![
            ("prepare", stages.prepare.read()),
            ("embed", stages.embed.read()),
            ("search", stages.search.read()),
        ]
    }
}

/// A buffer with room for the prefix of a message.
fn started() -> Vec<u8> {
    let mut buffer = Vec::with_capacity(4096);
    buffer.extend([0; Framed::ROOM]);
    buffer
}

fn framed(out: Writer) -> Framed {
    Framed::behind_room(out.into_bytes())
}
