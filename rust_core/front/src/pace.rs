//! How long the messages of a caller may take to arrive: who sends them too slowly keeps no place.

use std::time::Duration;

use tokio::time::Instant;

use crate::framing::{PREFIX_BYTES, Prefix};

/// Whoever sends more than this in a second is never too slow, however long the message.
const BYTES_A_SECOND: usize = 64 * 1024;

/// The methods whose callers send as many messages as they like, whenever they like. Of all others the one message is
/// due from the beginning.
pub const CLIENT_STREAMS: [&str; 4] = [
    "/mnemic.v1.MemoryService/IngestMemories",
    "/mnemic.v1.LifecycleService/ImportMemories",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// Follows the messages of one call and knows by when the rest of one is due.
pub(crate) struct Pace {
    allowed: Duration,
    due: Option<Instant>,
    prefix: [u8; PREFIX_BYTES],
    /// How much of the prefix is there.
    known: usize,
    /// How much of the message behind it is missing.
    missing: usize,
}

impl Pace {
    /// Of a call to a path; a message may take so long, and a second more for each 64 KiB of it.
    pub(crate) fn of(path: &str, allowed: Duration) -> Self {
        let is_stream = CLIENT_STREAMS.contains(&path);
        Self {
            allowed,
            due: (!is_stream).then(|| Instant::now() + allowed),
            prefix: [0; PREFIX_BYTES],
            known: 0,
            missing: 0,
        }
    }

    /// By when more must have come; none between the messages of a stream.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// More of the body has come.
    pub(crate) fn came(&mut self, mut data: &[u8]) {
        let grant = Duration::from_secs(1).mul_f64(data.len() as f64 / BYTES_A_SECOND as f64);
        while !data.is_empty() {
            let body = self.missing.min(data.len());
            self.missing -= body;
            data = &data[body..];
            let head = (PREFIX_BYTES - self.known).min(data.len());
            if self.missing == 0 && head > 0 {
                self.prefix[self.known..self.known + head].copy_from_slice(&data[..head]);
                self.known += head;
                data = &data[head..];
            }
            if let Some(prefix) = Prefix::read(&self.prefix[..self.known]) {
                self.known = 0;
                self.missing = prefix.length;
            }
        }
        let between = self.known == 0 && self.missing == 0;
        self.due = (!between).then(|| self.due.unwrap_or_else(|| Instant::now() + self.allowed));
        self.grant(grant);
    }

    /// Time that does not count, such as that in which the message could not be passed on.
    pub(crate) fn grant(&mut self, time: Duration) {
        self.due = self.due.map(|due| due + time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: Duration = Duration::from_secs(30);
    const STREAM: &str = "/mnemic.v1.MemoryService/IngestMemories";
    const UNARY: &str = "/mnemic.v1.MemoryService/AddMemories";

    fn message(size: usize) -> Vec<u8> {
        let mut framed = vec![0];
        framed.extend_from_slice(&(size as u32).to_be_bytes());
        framed.resize(PREFIX_BYTES + size, 7);
        framed
    }

    #[tokio::test(start_paused = true)]
    async fn the_message_of_a_unary_call_is_due_from_the_beginning() {
        let mut pace = Pace::of(UNARY, ALLOWED);
        assert_eq!(pace.due(), Some(Instant::now() + ALLOWED));
        pace.came(&message(3));
        assert_eq!(pace.due(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_may_be_silent_between_messages_and_not_within_one() {
        let mut pace = Pace::of(STREAM, ALLOWED);
        for size in [0, 1, 4, 300, 65_536] {
            let bytes = message(size);
            for cut in [1, 4, 5, bytes.len() / 2, bytes.len()] {
                assert_eq!(pace.due(), None);
                let (begun, rest) = bytes.split_at(cut.min(bytes.len()));
                pace.came(begun);
                assert_eq!(pace.due().is_some(), !rest.is_empty(), "{cut} of {size}");
                pace.came(rest);
            }
            for byte in &bytes {
                pace.came(std::slice::from_ref(byte));
            }
            pace.came(&[message(size), message(2)].concat());
        }
        assert_eq!(pace.due(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_fast_enough_is_never_late() {
        let mut pace = Pace::of(UNARY, ALLOWED);
        let bytes = message(16 * 1024 * 1024);
        for piece in bytes[..bytes.len() - 1].chunks(BYTES_A_SECOND) {
            tokio::time::sleep(Duration::from_secs(1)).await;
            pace.came(piece);
            assert!(pace.due() > Some(Instant::now() + ALLOWED - Duration::from_secs(2)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_now_and_then_does_not_put_it_off() {
        let mut pace = Pace::of(UNARY, ALLOWED);
        for byte in &message(1000)[..29] {
            tokio::time::sleep(Duration::from_secs(1)).await;
            pace.came(std::slice::from_ref(byte));
        }
        assert!(pace.due() < Some(Instant::now() + Duration::from_secs(2)));
    }
}
