//! `mnemic._core.TimeExpression`.

use mnemic_retrieval::time::{
    Direction, Kind, Precision, Reference, TimeExpression as Found, TimeExpressions, TimeRange,
};
use pyo3::prelude::*;

/// A time that a text names.
#[pyclass(frozen, get_all, module = "mnemic._core")]
pub(crate) struct TimeExpression {
    text: String,
    span: (usize, usize),
    start_micros: Option<i64>,
    end_micros: Option<i64>,
    alternatives: Vec<(Option<i64>, Option<i64>, f64)>,
    precision: &'static str,
    precision_number: u8,
    kind: &'static str,
    direction: &'static str,
    is_vague: bool,
}

/// The times that a text names, seen from a reference time.
#[pyfunction]
#[pyo3(signature = (text, *, reference_micros, utc_offset_minutes = 0))]
pub(crate) fn find_times(
    py: Python<'_>,
    text: &str,
    reference_micros: i64,
    utc_offset_minutes: i32,
) -> Vec<TimeExpression> {
    let reference = Reference {
        time_micros: reference_micros,
        utc_offset_minutes,
    };
    py.detach(|| {
        // Python counts characters; the expressions come in order, so each byte is looked at once.
        let (mut bytes, mut characters) = (0, 0);
        let mut character_at = |byte: usize| {
            characters += text[bytes..byte].chars().count();
            bytes = byte;
            characters
        };
        let found = TimeExpressions::new(text, &reference);
        let shown = found.map(|found| {
            let span = (character_at(found.span.start), character_at(found.span.end));
            TimeExpression::new(text, span, &found)
        });
        shown.collect()
    })
}

impl TimeExpression {
    fn new(text: &str, span: (usize, usize), found: &Found) -> Self {
        let (start_micros, end_micros) = bounds(found.range());
        let others = found.readings[1..].iter().map(|reading| {
            let (start, end) = bounds(reading.range);
            (start, end, reading.likelihood)
        });
        Self {
            text: text[found.span.clone()].to_owned(),
            span,
            start_micros,
            end_micros,
            alternatives: others.collect(),
            precision: precision_name(found.precision),
            precision_number: found.precision_number(),
            kind: match found.kind {
                Kind::Absolute => "absolute",
                Kind::Relative => "relative",
                Kind::Partial => "partial",
            },
            direction: match found.direction {
                Direction::Past => "past",
                Direction::Present => "present",
                Direction::Future => "future",
                Direction::Unknown => "unknown",
            },
            is_vague: found.is_vague,
        }
    }
}

fn bounds(range: TimeRange) -> (Option<i64>, Option<i64>) {
    let (start, end) = (range.start_micros, range.end_micros);
    (
        (start != i64::MIN).then_some(start),
        (end != i64::MAX).then_some(end),
    )
}

fn precision_name(precision: Precision) -> &'static str {
    match precision {
        Precision::Instant => "instant",
        Precision::Hour => "hour",
        Precision::DayPart => "day_part",
        Precision::Day => "day",
        Precision::Weekend => "weekend",
        Precision::Week => "week",
        Precision::Month => "month",
        Precision::Season => "season",
        Precision::Year => "year",
        Precision::Decade => "decade",
        Precision::Span => "span",
    }
}
