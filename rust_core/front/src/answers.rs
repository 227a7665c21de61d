//! What the front can answer itself: the border between the listener and the index.
//!
//! The listener authenticates a call, reads its message and asks an [`Answers`]. What that leaves unanswered is relayed as
//! it came, so an implementation answers only what it is certain that the Python server would answer the same way.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use mnemic_access::Principal;
use prost::Message;

use crate::framing::PREFIX_BYTES;

use crate::refusal::Refusal;
use crate::watching::Distribution;

/// The methods that may be answered here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// `SearchMemories`.
    Search,
    /// `BatchSearchMemories`.
    BatchSearch,
    /// `GetMemory`.
    Get,
    /// `BatchGetMemories`.
    BatchGet,
}

impl Method {
    /// The method of a path such as `/mnemic.v1.MemoryService/SearchMemories`; none for what is always relayed.
    pub fn of(path: &str) -> Option<Self> {
        match path.strip_prefix("/mnemic.v1.MemoryService/")? {
            "SearchMemories" => Some(Self::Search),
            "BatchSearchMemories" => Some(Self::BatchSearch),
            "GetMemory" => Some(Self::Get),
            "BatchGetMemories" => Some(Self::BatchGet),
            _ => None,
        }
    }
}

/// An encoded message with the prefix that gRPC puts before it, in one buffer.
#[derive(Clone, Debug)]
pub struct Framed(Bytes);

impl Framed {
    /// The room that a prefix needs.
    pub const ROOM: usize = PREFIX_BYTES;

    /// A message that was encoded behind room for its prefix.
    ///
    /// # Panics
    /// If it is larger than the 4 GiB that a prefix can express, or there is no room.
    pub fn behind_room(mut buffer: Vec<u8>) -> Self {
        let length = buffer.len() - PREFIX_BYTES;
        let length = u32::try_from(length).expect("a message of less than 4 GiB");
        buffer[0] = 0; // not compressed
        buffer[1..PREFIX_BYTES].copy_from_slice(&length.to_be_bytes());
        Self(buffer.into())
    }

    /// Encodes a message once, behind room for its prefix.
    ///
    /// # Panics
    /// If it is larger than the 4 GiB that a prefix can express.
    pub fn of(message: &impl Message) -> Self {
        let length = message.encoded_len();
        let mut buffer = BytesMut::with_capacity(PREFIX_BYTES + length);
        buffer.put_u8(0); // not compressed
        buffer.put_u32(u32::try_from(length).expect("a message of less than 4 GiB"));
        message
            .encode(&mut buffer)
            .expect("a buffer that grows has room");
        Self(buffer.freeze())
    }

    /// Prefix and message, as they travel.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

/// None: relay the call. Else the answer, or a refusal of which it is certain that Python would say the same.
pub type Answered = Option<Result<Framed, Refusal>>;

/// An answer that is there, or one that somebody works on: most are computed at once and need no allocation.
pub enum Answer {
    /// It is there.
    Now(Answered),
    /// Another thread works on it. Dropped when the caller goes away or the deadline passes.
    Later(Pin<Box<dyn Future<Output = Answered> + Send>>),
}

/// Answers calls without Python.
pub trait Answers: Send + Sync + 'static {
    /// Answers a call, or leaves it to the relay. Runs on a thread of the listener: work of more than about 100 µs
    /// belongs to another thread, behind [`Answer::Later`].
    ///
    /// # Arguments
    /// * `request`: the message's bytes, without the prefix, not compressed, at most `max_message_bytes` long.
    /// * `deadline`: until when the caller waits. It has not passed yet; the listener ends the call when it does.
    fn answer(
        &self,
        method: Method,
        principal: &Arc<Principal>,
        request: Bytes,
        deadline: Option<Instant>,
    ) -> Answer;

    /// Sees the message of a relayed answer to [`Method::Get`] and [`Method::BatchGet`], to learn where ids are. Only
    /// of OK answers, not compressed and not very large.
    fn learn(&self, _method: Method, _principal: &Arc<Principal>, _response: &Bytes) {}

    /// Where the time of its answers went, by the name of the stage.
    fn stages(&self) -> Vec<(&'static str, Distribution)> {
        Vec::new()
    }
}

/// Answers nothing: every call is relayed.
pub struct RelayEverything;

impl Answers for RelayEverything {
    fn answer(&self, _: Method, _: &Arc<Principal>, _: Bytes, _: Option<Instant>) -> Answer {
        Answer::Now(None)
    }
}
