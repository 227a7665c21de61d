//! What to send, where and how fast: JSON on standard input, and a file of requests.

use std::path::PathBuf;

use bytes::Bytes;
use serde::Deserialize;

/// One run.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    /// `host:port`, or `unix:` and a path.
    pub(crate) address: String,
    pub(crate) protocol: Protocol,
    /// A file of certificates to trust; without it the connection is not encrypted.
    pub(crate) trust: Option<PathBuf>,
    /// Sent with every request.
    #[serde(default)]
    pub(crate) headers: Vec<(String, String)>,
    /// The file of requests, sent in turn; see [`requests`].
    pub(crate) requests: PathBuf,
    pub(crate) pace: Pace,
    /// What is answered within this time counts for nothing.
    pub(crate) warm_up_seconds: f64,
    pub(crate) seconds: f64,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    Grpc,
    Http1,
}

/// How requests follow each other.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Pace {
    /// Each stream sends the next request when the last is answered.
    Closed { connections: usize, streams: usize },
    /// Requests arrive at this rate whatever becomes of those before. Latency counts from the time of arrival, so that
    /// a server which stalls is charged for everyone who waits (no coordinated omission). Beyond `in_flight` a request
    /// waits here, and its clock runs.
    Open {
        connections: usize,
        per_second: f64,
        in_flight: usize,
    },
}

/// One request: which class of the report it belongs to, the path and the body.
pub(crate) struct Request {
    pub(crate) class: usize,
    pub(crate) path: String,
    pub(crate) body: Bytes,
}

/// Reads the requests: for each its class (u8), the length of the path (u16, little-endian), the path, the length of the
/// body (u32, little-endian) and the body. For gRPC the body is the message; its five bytes of framing are added here.
pub(crate) fn requests(data: &[u8], protocol: Protocol) -> Result<Vec<Request>, String> {
    let mut rest = data;
    let mut requests = Vec::new();
    while !rest.is_empty() {
        let class = take(&mut rest, 1)?[0].into();
        let length = u16::from_le_bytes(take(&mut rest, 2)?.try_into().expect("two bytes"));
        let path = String::from_utf8(take(&mut rest, length.into())?.to_vec())
            .map_err(|_| "a path in the file of requests is not UTF-8".to_owned())?;
        let length = u32::from_le_bytes(take(&mut rest, 4)?.try_into().expect("four bytes"));
        let message = take(&mut rest, length as usize)?;
        let mut body = Vec::with_capacity(message.len() + 5);
        if protocol == Protocol::Grpc {
            body.push(0);
            body.extend_from_slice(&length.to_be_bytes());
        }
        body.extend_from_slice(message);
        requests.push(Request {
            class,
            path,
            body: body.into(),
        });
    }
    if requests.is_empty() {
        return Err("the file of requests is empty".to_owned());
    }
    Ok(requests)
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], String> {
    let (taken, left) = rest
        .split_at_checked(count)
        .ok_or("the file of requests ends within a request")?;
    *rest = left;
    Ok(taken)
}
