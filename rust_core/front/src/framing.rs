//! gRPC's own layer over HTTP/2: the prefix of a message and the deadline of a call.

use std::time::Duration;

use bytes::{Buf, Bytes};

/// Before each message: one byte that says whether it is compressed, four of its length.
pub const PREFIX_BYTES: usize = 5;

/// What the first bytes of a body say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The flag as it came: 0 for plain, 1 for compressed; nothing else is defined.
    pub flag: u8,
    /// How long the message is.
    pub length: usize,
}

impl Prefix {
    /// Reads it; none while there are fewer bytes than it has.
    pub fn read(mut bytes: &[u8]) -> Option<Self> {
        (bytes.len() >= PREFIX_BYTES).then(|| Self {
            flag: bytes.get_u8(),
            length: bytes.get_u32() as usize,
        })
    }
}

/// The message of a whole body, if that is one plain message and nothing else.
pub fn single_message(body: &Bytes) -> Option<Bytes> {
    let prefix = Prefix::read(body)?;
    (prefix.flag == 0 && body.len() == PREFIX_BYTES + prefix.length)
        .then(|| body.slice(PREFIX_BYTES..))
}

/// Longer than anybody waits: later deadlines are none.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 86_400);

/// The remaining time that a `grpc-timeout` states: up to eight digits and a unit; none for what is no timeout.
pub fn parse_timeout(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count = digits
        .iter()
        .fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    let duration = match unit {
        b'H' => Duration::from_secs(count * 3600),
        b'M' => Duration::from_secs(count * 60),
        b'S' => Duration::from_secs(count),
        b'm' => Duration::from_millis(count),
        b'u' => Duration::from_micros(count),
        b'n' => Duration::from_nanos(count),
        _ => return None,
    };
    (duration < FOREVER).then_some(duration)
}

/// A remaining time as a `grpc-timeout`, in the finest unit that has room for it, rounded down.
pub fn write_timeout(remaining: Duration) -> String {
    const ROOM: u128 = 99_999_999;
    if remaining.as_micros() <= ROOM {
        format!("{}u", remaining.as_micros())
    } else if remaining.as_millis() <= ROOM {
        format!("{}m", remaining.as_millis())
    } else if u128::from(remaining.as_secs()) <= ROOM {
        format!("{}S", remaining.as_secs())
    } else {
        format!("{}M", remaining.as_secs() / 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_needs_five_bytes() {
        assert_eq!(Prefix::read(&[0, 0, 0, 1]), None);
        let prefix = Prefix::read(&[1, 0, 0, 1, 2, 77]).unwrap();
        assert_eq!((prefix.flag, prefix.length), (1, 258));
    }

    #[test]
    fn a_body_is_one_plain_message_or_nothing_that_is_read_here() {
        let body = Bytes::from_static(b"\0\0\0\0\x02ab");
        assert_eq!(single_message(&body).unwrap(), "ab");
        assert_eq!(
            single_message(&Bytes::from_static(b"\0\0\0\0\0")).unwrap(),
            ""
        );
        for other in [
            &b""[..],
            b"\0\0\0\0",
            b"\x01\0\0\0\x02ab",   // compressed
            b"\0\0\0\0\x03ab",     // cut
            b"\0\0\0\0\x02abc",    // more behind it
            b"\0\xff\xff\xff\xff", // longer than it is
        ] {
            assert_eq!(single_message(&Bytes::copy_from_slice(other)), None);
        }
    }

    #[test]
    fn timeouts_have_up_to_eight_digits_and_a_unit() {
        assert_eq!(parse_timeout(b"100m"), Some(Duration::from_millis(100)));
        assert_eq!(parse_timeout(b"3H"), Some(Duration::from_secs(10_800)));
        assert_eq!(parse_timeout(b"2M"), Some(Duration::from_secs(120)));
        assert_eq!(parse_timeout(b"7S"), Some(Duration::from_secs(7)));
        assert_eq!(
            parse_timeout(b"99999999u"),
            Some(Duration::from_micros(99_999_999))
        );
        assert_eq!(parse_timeout(b"0n"), Some(Duration::ZERO));
        for none in [
            &b""[..],
            b"m",
            b"1",
            b"-1m",
            b"+1m",
            b"1.5S",
            b"123456789m",
            b"1 m",
            b"99999999H",
            b"1x",
        ] {
            assert_eq!(
                parse_timeout(none),
                None,
                "{:?}",
                String::from_utf8_lossy(none)
            );
        }
    }

    #[test]
    fn a_written_timeout_is_read_again_and_never_longer() {
        for micros in [
            0,
            1,
            99_999_999,
            100_000_001,
            99_999_999_999,
            123_456_789_012_345,
        ] {
            let remaining = Duration::from_micros(micros);
            let read = parse_timeout(write_timeout(remaining).as_bytes()).unwrap();
            assert!(read <= remaining);
            // After three years a minute may be lost, before that a second at most.
            let grain = if micros > 99_999_999_000_000 { 60 } else { 1 };
            assert!(remaining < read + Duration::from_secs(grain));
        }
    }
}
