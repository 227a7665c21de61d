//! Lines of the log for calls that Python never sees, in the form of those that it writes.

use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

use prost_types::Timestamp;

use super::Note;

/// How the log is written; see python/mnemic/server/logs.py.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LogFormat {
    /// For people.
    Console,
    /// For programs: one JSON object a line.
    Json,
}

/// Adds the line of a call.
pub(super) fn write_line(lines: &mut String, format: LogFormat, note: &Note) {
    let when = timestamp(note);
    let (method, code) = (note.method, note.code);
    let milliseconds = (note.duration.as_secs_f64() * 1e6).round() / 1e3;
    let call_id = escaped(note.call_id.as_bytes());
    let written = match format {
        LogFormat::Json => writeln!(
            lines,
            r#"{{"method": "{method}", "code": "{code}", "duration_ms": {milliseconds}, "call_id": "{call_id}", "event": "call", "level": "info", "timestamp": "{when}"}}"#
        ),
        LogFormat::Console => writeln!(
            lines,
            "{when} [info     ] call                           call_id={call_id} code={code} duration_ms={milliseconds} method={method}"
        ),
    };
    written.expect("a text takes what is written to it");
}

fn timestamp(note: &Note) -> String {
    let since = note
        .began
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        + note.duration;
    // Microseconds, as Python writes them.
    let nanos = since.subsec_micros() as i32 * 1_000;
    let seconds = since.as_secs() as i64;
    Timestamp { seconds, nanos }.to_string()
}

/// The caller chose it, from the ASCII characters that can be seen.
fn escaped(call_id: &[u8]) -> String {
    let mut text = String::with_capacity(call_id.len());
    for &byte in call_id {
        if matches!(byte, b'"' | b'\\') {
            text.push('\\');
        }
        text.push(char::from(byte));
    }
    text
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use std::time::SystemTime;

    use super::*;

    fn note() -> Note {
        Note {
            method: "/mnemic.v1.MemoryService/SearchMemories",
            code: "OK",
            began: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_250),
            duration: Duration::from_nanos(43_210),
            call_id: HeaderValue::from_static(r#"a"b\c"#),
            trace: None,
        }
    }

    #[test]
    fn a_line_for_programs_is_json_whatever_the_caller_calls_it() {
        let mut lines = String::new();
        write_line(&mut lines, LogFormat::Json, &note());
        assert_eq!(
            lines,
            concat!(
                r#"{"method": "/mnemic.v1.MemoryService/SearchMemories", "code": "OK", "duration_ms": 0.043, "#,
                r#""call_id": "a\"b\\c", "event": "call", "level": "info", "timestamp": "2023-11-14T22:13:20.250043Z"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn a_line_for_people_says_the_same() {
        let mut lines = String::new();
        write_line(&mut lines, LogFormat::Console, &note());
        assert!(
            lines.starts_with("2023-11-14T22:13:20.250043Z [info     ] call "),
            "{lines}"
        );
        assert!(lines.ends_with(
            "code=OK duration_ms=0.043 method=/mnemic.v1.MemoryService/SearchMemories\n"
        ));
    }
}
