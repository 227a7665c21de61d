//! Times with two ends, or with one.

use super::civil::DAY;
use super::civil::date_of;
use super::date_parts::Parts;
use super::lexer::Gap;
use super::lexicon::Word;
use super::parser::{Parser, Phrase};
use super::{Kind, Precision, TimeRange};

/// One end of a range.
enum End {
    Date(Parts, usize),
    Time(Phrase),
}

impl End {
    fn next(&self) -> usize {
        match self {
            Self::Date(_, next) => *next,
            Self::Time(phrase) => phrase.next,
        }
    }
}

impl Parser<'_> {
    /// "between May and July 2023", "from Monday to Friday", "11–15 August", "2019-2021".
    pub(super) fn range_with_ends(&self, at: usize) -> Option<Phrase> {
        let (first, is_said) = match self.word(at) {
            Word::Between | Word::From => (at + 1, true),
            _ => (at, false),
        };
        let start = self.end_of_range(self.skip_the(first, is_said), is_said)?;
        let joint = start.next();
        let behind = match (self.word(joint), self.before(joint)) {
            (Word::And, Gap::Space) if self.word(at) == Word::Between => joint + 1,
            (Word::To | Word::Until, Gap::Space) if self.word(at) != Word::Between => joint + 1,
            (_, Gap::Hyphen | Gap::Dash) if self.word(at) != Word::Between => joint,
            _ => return None,
        };
        let end = self.end_of_range(self.skip_the(behind, is_said), is_said)?;
        match (start, end) {
            (End::Date(start, _), End::Date(end, next)) => self.between_dates(start, end, next, at),
            (End::Time(start), End::Time(end)) if is_said => join(&start, &end),
            (End::Date(start, next), End::Time(end)) if is_said => {
                join(&self.of_parts(start, next, self.speaks_of(at))?, &end)
            }
            (End::Time(start), End::Date(end, next)) if is_said => {
                join(&start, &self.of_parts(end, next, self.speaks_of(at))?)
            }
            _ => None,
        }
    }

    fn skip_the(&self, at: usize, is_said: bool) -> usize {
        if is_said {
            self.skip(at, Word::The)
        } else {
            at
        }
    }

    fn end_of_range(&self, at: usize, is_said: bool) -> Option<End> {
        if let Some((parts, next)) = self.parts(at) {
            return Some(End::Date(parts, next));
        }
        // The month of "11–15 August" stands with the other end.
        let day = match self.word(at) {
            Word::Number(day @ 1..=31) => Some(i64::from(day)),
            Word::Ordinal(day @ 1..=31) => Some(i64::from(day)),
            _ => None,
        };
        if day.is_some() {
            let year = self.year(at + 1);
            let next = year.map_or(at + 1, |(_, next)| next);
            let year = year.map(|(year, _)| year);
            return Some(End::Date(
                Parts {
                    year,
                    month: None,
                    day,
                },
                next,
            ));
        }
        is_said.then(|| self.simple(at)).flatten().map(End::Time)
    }

    /// What one end leaves out is as at the other.
    fn between_dates(&self, start: Parts, end: Parts, next: usize, at: usize) -> Option<Phrase> {
        let with = |own: Parts, other: Parts| Parts {
            year: own.year.or(other.year),
            month: own.month.or(other.month.filter(|_| own.day.is_some())),
            day: own.day,
        };
        let (first, last) = (with(start, end), with(end, start));
        if (first.day.is_some() && first.month.is_none())
            || (first.month.is_none() != last.month.is_none())
        {
            return None;
        }
        let last = self.of_parts(last, next, self.speaks_of(at))?;
        let kind = last.kind;
        let phrase = last.map(|range| {
            let of_year = |year| {
                Parts {
                    year: Some(year),
                    ..first
                }
                .range()
            };
            let year = first
                .year
                .unwrap_or_else(|| date_of(range.start_micros.div_euclid(DAY)).year);
            // "from November to February 2023" begins in the year before.
            let is_shared = start.year.is_none();
            let begins = of_year(year)
                .filter(|begin| begin.start_micros < range.end_micros || !is_shared)
                .or_else(|| of_year(year - 1).filter(|_| is_shared));
            begins.map_or(TimeRange::new(0, 0), |begin| {
                TimeRange::new(begin.start_micros, range.end_micros)
            })
        })?;
        Some(Phrase {
            kind,
            precision: Precision::Span,
            ..phrase
        })
    }

    /// "since 2019", "before May", "after last week", "until Friday".
    pub(super) fn open_range(&self, at: usize) -> Option<Phrase> {
        let word = self.word(at);
        if !matches!(
            word,
            Word::Since | Word::Before | Word::After | Word::Until | Word::By
        ) {
            return None;
        }
        let from = self.skip(at + 1, Word::The);
        let phrase = self
            .bounded(from)
            .filter(|_| self.before(from) == Gap::Space)?;
        let now = self.now;
        let begin_of = |end: i64| if end > now { now } else { i64::MIN };
        let phrase = phrase.map(|range| match word {
            Word::Since => TimeRange::new(range.start_micros, now),
            Word::After => TimeRange::new(range.end_micros, i64::MAX),
            Word::Before => TimeRange::new(begin_of(range.start_micros), range.start_micros),
            _ => TimeRange::new(begin_of(range.end_micros), range.end_micros),
        })?;
        Some(Phrase {
            precision: Precision::Span,
            ..phrase
        })
    }
}

/// From the beginning of one to the end of the other.
fn join(start: &Phrase, end: &Phrase) -> Option<Phrase> {
    let until = end.range().end_micros;
    let from = start
        .readings
        .iter()
        .map(|reading| reading.range.start_micros)
        .find(|&from| from < until)?;
    let kind = if start.kind == Kind::Absolute {
        end.kind
    } else {
        start.kind
    };
    Some(Phrase::of(
        end.next,
        TimeRange::new(from, until),
        Precision::Span,
        kind,
    ))
}
