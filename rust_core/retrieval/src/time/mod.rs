//! Times named in English texts, and how well a memory's event time agrees with them.
//!
//! [`TimeExpressions`] finds them: absolute ones (`2023-05-07`, `May 7th, 2023`, `5/7/2023`, `summer 2022`, `the 90s`), ones
//! that count from a reference time (`yesterday`, `last Friday`, `two weeks ago`, `next month`, `the past few days`) and
//! partial ones (`in May`, `Friday`, `on the 7th`), also as ranges (`between … and …`, `since 2019`), narrowed (`early May`,
//! `the first week of June`, `Friday morning`) and counted from each other (`the week before August 3`). The same code serves both
//! directions: a query is resolved against the time of the search, a message against its own event time.
//!
//! What an expression leaves open is told by several [`Reading`]s, the likeliest first. A partial time is the nearest past
//! one, since memories are mostly asked about; it is the nearest future one in a sentence that speaks of the future (`will`,
//! `plans`). Weeks begin on Monday, seasons are those of the northern half of the earth, and months come before days in
//! `5/7/2023` (the other order is the second reading).
//!
//! [`asks_when`] says whether a query wants to know a time, and [`QueryTime`] is the signal of a search.
//!
//! The work is linear in the length of the text: an expression is at most a few tokens long.

mod anchored;
mod calendar;
mod civil;
mod date_parts;
mod lexer;
mod lexicon;
mod numeric;
mod parser;
mod question;
mod ranges;
mod relative;
mod score;

use std::ops::Range;

use civil::MINUTE;
use parser::Parser;

pub use question::asks_when;
pub use score::QueryTime;

/// A time zone is at most so far from UTC.
const MOST_OFFSET_MINUTES: i32 = 18 * 60;

/// The first and the last moment that are told apart: the years 1 to 9999.
const MOMENTS: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// What "now" and "today" are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Microseconds since 1970-01-01 UTC.
    pub time_micros: i64,
    /// How far the days of the text begin before those of UTC: 120 for UTC+2. Cut to 18 hours.
    pub utc_offset_minutes: i32,
}

impl Reference {
    /// A moment whose days are those of UTC.
    #[must_use]
    pub fn utc(time_micros: i64) -> Self {
        Self {
            time_micros,
            utc_offset_minutes: 0,
        }
    }

    fn offset_micros(&self) -> i64 {
        let minutes = self.utc_offset_minutes;
        i64::from(minutes.clamp(-MOST_OFFSET_MINUTES, MOST_OFFSET_MINUTES)) * MINUTE
    }

    /// The wall clock's time.
    fn local_micros(&self) -> i64 {
        self.time_micros.clamp(*MOMENTS.start(), *MOMENTS.end()) + self.offset_micros()
    }
}

/// Half-open, in microseconds since 1970-01-01 UTC. `i64::MIN` and `i64::MAX` are open ends ("before 2020").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// Where it begins.
    pub start_micros: i64,
    /// The first moment after it.
    pub end_micros: i64,
}

impl TimeRange {
    fn new(start_micros: i64, end_micros: i64) -> Self {
        Self {
            start_micros,
            end_micros,
        }
    }

    /// Whether it has no beginning or no end.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.start_micros == i64::MIN || self.end_micros == i64::MAX
    }

    /// Microseconds; as much as there are for an open range.
    fn length(&self) -> i64 {
        self.end_micros.saturating_sub(self.start_micros)
    }

    /// From the wall clock to UTC.
    fn to_utc(self, offset: i64) -> Self {
        let moved = |bound| match bound {
            i64::MIN | i64::MAX => bound,
            _ => bound - offset,
        };
        Self::new(moved(self.start_micros), moved(self.end_micros))
    }
}

/// How exactly a time is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// To the minute or better.
    Instant,
    /// To the hour.
    Hour,
    /// "this morning".
    DayPart,
    /// To the day.
    Day,
    /// To the two days of a weekend.
    Weekend,
    /// To the week.
    Week,
    /// To the month, or to a part of one.
    Month,
    /// To the season or quarter.
    Season,
    /// To the year, or to a part of one.
    Year,
    /// To the decade.
    Decade,
    /// From one time to another.
    Span,
}

/// From what a time follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// From itself.
    Absolute,
    /// From the reference time.
    Relative,
    /// It recurs ("in May", "Friday"): the reference time and the sentence say which one is meant.
    Partial,
}

/// Where a time lies, seen from the reference time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Over.
    Past,
    /// It holds the reference time.
    Present,
    /// Not begun.
    Future,
    /// Nothing says which occurrence of a partial time is meant.
    Unknown,
}

/// One way to understand an expression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// When.
    pub range: TimeRange,
    /// Beside the first reading, which has 1.
    pub likelihood: f64,
}

/// A time that a text names.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeExpression {
    /// Its bytes in the text.
    pub span: Range<usize>,
    /// At least one, the likeliest first.
    pub readings: Vec<Reading>,
    /// How exactly it is named.
    pub precision: Precision,
    /// From what it follows.
    pub kind: Kind,
    /// Where it lies, by its first reading.
    pub direction: Direction,
    /// "around 2021", "early May", "a few weeks ago": its ends are not sharp.
    pub is_vague: bool,
}

impl TimeExpression {
    /// Its likeliest range.
    pub fn range(&self) -> TimeRange {
        self.readings[0].range
    }

    /// The precision's number in the contract (`mnemic.v1.TimePrecision`): 6 (approximate) where no other fits.
    pub fn precision_number(&self) -> u8 {
        match self.precision {
            _ if self.is_vague => 6,
            Precision::Instant => 1,
            Precision::Day => 2,
            Precision::Week => 3,
            Precision::Month => 4,
            Precision::Year => 5,
            _ => 6,
        }
    }
}

/// The times that a text names, in order; none overlaps another.
pub struct TimeExpressions<'t> {
    parser: Parser<'t>,
    offset: i64,
    at: usize,
}

impl<'t> TimeExpressions<'t> {
    /// Those of a text, seen from a reference time.
    #[must_use]
    pub fn new(text: &'t str, reference: &Reference) -> Self {
        Self {
            parser: Parser::new(text, reference.local_micros(), reference.offset_micros()),
            offset: reference.offset_micros(),
            at: 0,
        }
    }
}

impl Iterator for TimeExpressions<'_> {
    type Item = TimeExpression;

    fn next(&mut self) -> Option<TimeExpression> {
        let (phrase, at) = self.parser.next_phrase(self.at)?;
        self.at = phrase.next;
        let direction = phrase.direction(self.parser.now, self.parser.speaks_of(at));
        let to_utc = |reading: &Reading| Reading {
            range: reading.range.to_utc(self.offset),
            ..*reading
        };
        Some(TimeExpression {
            span: self.parser.span(at..phrase.next),
            readings: phrase.readings.iter().map(to_utc).collect(),
            precision: phrase.precision,
            kind: phrase.kind,
            direction,
            is_vague: phrase.is_vague,
        })
    }
}

/// Whether a text names a time, be it one that only its event time resolves: what a memory can answer the question "when?" with.
#[must_use]
pub fn names_a_time(text: &str) -> bool {
    /// Any time will do: whether a text names one does not depend on it, but for numbers that are taken for years.
    const REFERENCE: i64 = 1_750_000_000_000_000;
    TimeExpressions::new(text, &Reference::utc(REFERENCE))
        .next()
        .is_some()
}
