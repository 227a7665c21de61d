//! Times as short texts: `2023-05-07` is that day, `2023-05-07..2023-05-09` two days, `2023-05-07T17..2023-05-07T18` an hour.

use mnemic_retrieval::time::{Reference, TimeExpression, TimeExpressions, TimeRange};

const HOUR: i64 = 3_600_000_000;

/// Wednesday, 22 November 2023, 15:30 UTC.
pub(crate) fn reference() -> Reference {
    Reference::utc(micros("2023-11-22T15") + HOUR / 2)
}

/// Of a day or an hour.
pub(crate) fn micros(text: &str) -> i64 {
    let (date, hour) = text.split_once('T').unwrap_or((text, "0"));
    let mut parts = date
        .split('-')
        .map(|part| part.parse::<i64>().expect("a number"));
    let mut next = || parts.next().expect("year, month and day");
    let (year, month, day) = (next(), next(), next());
    // Counted day by day, so that nothing of what is tested is used.
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = |year| {
        [
            31,
            if leap(year) { 29 } else { 28 },
            31,
            30,
            31,
            30,
            31,
            31,
            30,
            31,
            30,
            31,
        ]
    };
    let years = |from: i64, to: i64| {
        (from..to)
            .map(|year| if leap(year) { 366 } else { 365 })
            .sum::<i64>()
    };
    let months: i64 = lengths(year)[..month as usize - 1].iter().sum();
    let days = years(1970, year) - years(year, 1970) + months + day - 1;
    (24 * days + hour.parse::<i64>().expect("an hour")) * HOUR
}

/// A range as the tests write it.
pub(crate) fn range(text: &str) -> (i64, i64) {
    let bound = |text: &str, open: i64| match text {
        "" => open,
        "now" => reference().time_micros,
        text => micros(text),
    };
    match text.split_once("..") {
        Some((start, end)) => (bound(start, i64::MIN), bound(end, i64::MAX)),
        None => (micros(text), micros(text) + 24 * HOUR),
    }
}

pub(crate) fn bounds(range: TimeRange) -> (i64, i64) {
    (range.start_micros, range.end_micros)
}

pub(crate) fn all(text: &str) -> Vec<TimeExpression> {
    TimeExpressions::new(text, &reference()).collect()
}

/// The one time in a text.
pub(crate) fn one(text: &str) -> TimeExpression {
    let mut found = all(text);
    assert_eq!(found.len(), 1, "{text}: {found:?}");
    found.remove(0)
}

/// Checks lines of `text | words | range`: that the words name the one time in the text, and its likeliest range.
pub(crate) fn assert_named(lines: &str) {
    let mut wrong = Vec::new();
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let mut cells = line.split(" | ").map(str::trim);
        let mut cell = || cells.next().expect("text, words and range");
        let (text, words, expected) = (cell(), cell(), cell());
        let found = all(text);
        let is_right = matches!(found.as_slice(), [one]
            if &text[one.span.clone()] == words && bounds(one.range()) == range(expected));
        if !is_right {
            let found: Vec<String> = found.iter().map(|one| shown(text, one)).collect();
            wrong.push(format!("{text}: {found:?}, not {words} {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn shown(text: &str, one: &TimeExpression) -> String {
    let day = |micros: i64| {
        let hours = micros.div_euclid(HOUR);
        let start = micros / HOUR / 24 - 400;
        let days = (start..start + 800)
            .find(|day| day * 24 > hours - 24)
            .unwrap_or(0);
        format!("day {days} hour {}", hours - 24 * days)
    };
    let (start, end) = bounds(one.range());
    format!(
        "{:?} {}..{} ({} hours)",
        &text[one.span.clone()],
        day(start),
        day(end),
        end.saturating_sub(start) / HOUR
    )
}
