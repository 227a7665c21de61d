//! The trace of which a call is part: W3C Trace Context, version 00.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use http::{HeaderMap, HeaderValue};

/// The header that carries it.
pub const TRACEPARENT: &str = "traceparent";

/// The span of one call that is recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trace {
    /// The caller's, or a new one.
    pub trace_id: [u8; 16],
    /// This call's.
    pub span_id: [u8; 8],
    /// The caller's span; zeros where the trace begins here.
    pub parent_id: [u8; 8],
}

impl Trace {
    /// The span of a call that is to be recorded: where the caller records its own, and else a share of the calls.
    pub(crate) fn of(headers: &HeaderMap, ratio: f64) -> Option<Self> {
        if let Some(value) = headers.get(TRACEPARENT) {
            let (trace_id, parent_id, is_sampled) = parse(value.as_bytes())?;
            return is_sampled.then(|| Self {
                trace_id,
                span_id: chance().to_be_bytes(),
                parent_id,
            });
        }
        // A number below 2^53 has its place among the floats.
        let is_chosen = ratio > 0.0 && ((chance() >> 11) as f64) < ratio * (1_u64 << 53) as f64;
        is_chosen.then(|| {
            let mut trace_id = [0; 16];
            trace_id[..8].copy_from_slice(&chance().to_be_bytes());
            trace_id[8..].copy_from_slice(&chance().to_be_bytes());
            Self {
                trace_id,
                span_id: chance().to_be_bytes(),
                parent_id: [0; 8],
            }
        })
    }

    /// The header that makes what is called from here a child of this span.
    pub(crate) fn header(&self) -> HeaderValue {
        let text = format!(
            "00-{:032x}-{:016x}-01",
            u128::from_be_bytes(self.trace_id),
            u64::from_be_bytes(self.span_id)
        );
        HeaderValue::from_str(&text).expect("hexadecimal digits")
    }
}

/// The trace, the caller's span and whether the caller records it; None for what is no such header.
fn parse(value: &[u8]) -> Option<([u8; 16], [u8; 8], bool)> {
    let text = std::str::from_utf8(value).ok()?;
    let parts: Vec<&str> = text.split('-').collect();
    let [version, trace, parent, flags] = parts[..] else {
        return None;
    };
    let is_shaped = version == "00" && trace.len() == 32 && parent.len() == 16 && flags.len() == 2;
    let is_lower = |part: &str| {
        part.bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    if !is_shaped || !parts.iter().all(|part| is_lower(part)) {
        return None;
    }
    let trace = u128::from_str_radix(trace, 16).ok().filter(|&id| id != 0)?;
    let parent = u64::from_str_radix(parent, 16).ok().filter(|&id| id != 0)?;
    let flags = u8::from_str_radix(flags, 16).ok()?;
    Some((trace.to_be_bytes(), parent.to_be_bytes(), flags & 1 == 1))
}

/// A number that nobody needs to be unable to guess; never 0, which no id may be.
fn chance() -> u64 {
    static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static COUNT: AtomicU64 = AtomicU64::new(0);
    SEED.hash_one(COUNT.fetch_add(1, Relaxed)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(
            http::HeaderName::from_static(TRACEPARENT),
            HeaderValue::from_str(value).unwrap(),
        )])
    }

    #[test]
    fn the_callers_trace_goes_on() {
        let trace = Trace::of(&headers(GOOD), 0.0).unwrap();
        assert_eq!(trace.trace_id[..2], [0x0a, 0xf7]);
        assert_eq!(trace.parent_id[..2], [0xb7, 0xad]);
        let own = trace.header();
        let next = Trace::of(&headers(own.to_str().unwrap()), 0.0).unwrap();
        assert_eq!(
            (next.trace_id, next.parent_id),
            (trace.trace_id, trace.span_id)
        );
    }

    #[test]
    fn what_the_caller_does_not_record_is_not_recorded() {
        assert_eq!(Trace::of(&headers(&GOOD.replace("-01", "-00")), 1.0), None);
    }

    #[test]
    fn what_is_no_trace_is_none() {
        for value in [
            "",
            "00",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        ] {
            assert_eq!(Trace::of(&headers(value), 0.0), None, "{value}");
        }
    }

    #[test]
    fn a_share_of_the_others_begins_one() {
        let begun = |ratio| {
            (0..4_000)
                .filter(|_| Trace::of(&HeaderMap::new(), ratio).is_some())
                .count()
        };
        assert_eq!(begun(0.0), 0);
        assert_eq!(begun(1.0), 4_000);
        assert!((800..1_200).contains(&begun(0.25)));
    }
}
