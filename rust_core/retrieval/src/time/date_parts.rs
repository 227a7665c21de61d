//! Dates in words: which of day, month and year were written.

use super::civil::{Period, date_of, day, days, month_range};
use super::lexer::Gap;
use super::lexicon::{Use, Word};
use super::numeric::YEARS;
use super::parser::Parser;
use super::{Precision, TimeRange};

/// Years that a number alone can be although nothing says that it is one: not before, and not so long after now.
const EARLIEST_BARE_YEAR: i64 = 1_950;
const YEARS_AHEAD: i64 = 2;

/// What was written of a date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) year: Option<i64>,
    pub(super) month: Option<i64>,
    pub(super) day: Option<i64>,
}

impl Parts {
    /// The range of a date whose year is known.
    pub(super) fn range(&self) -> Option<TimeRange> {
        let year = self.year?;
        match (self.month, self.day) {
            (Some(month), Some(of_month)) => Some(days(day(year, month, of_month)?, 1)),
            (Some(month), None) => Some(month_range(12 * year + month - 1, 1)),
            (None, _) => Some(month_range(12 * year, 12)),
        }
    }

    /// Whether there is such a day in some year, or in its own.
    fn is_possible(&self) -> bool {
        const LEAP_YEAR: i64 = 2000;
        let Some((month, of_month)) = self.month.zip(self.day) else {
            return false;
        };
        day(self.year.unwrap_or(LEAP_YEAR), month, of_month).is_some()
    }

    pub(super) fn precision(&self) -> Precision {
        match (self.month, self.day) {
            (_, Some(_)) => Precision::Day,
            (Some(_), None) => Precision::Month,
            (None, None) => Precision::Year,
        }
    }
}

impl Parser<'_> {
    /// A date as it is written in words, or a year.
    pub(super) fn parts(&self, at: usize) -> Option<(Parts, usize)> {
        match self.word(at) {
            Word::Number(of_month @ 1..=31) => self.day_and_month(at, of_month.into()),
            Word::Ordinal(of_month @ 1..=31) => self.day_and_month(at, of_month.into()),
            Word::Month(month, how) => self.month(at, month.into(), how),
            Word::Number(year) if self.is_year(at, year) => {
                let parts = Parts {
                    year: Some(year.into()),
                    ..Parts::default()
                };
                Some((parts, at + 1))
            }
            _ => None,
        }
    }

    /// "7 May", "7th of May, 2023".
    fn day_and_month(&self, at: usize, of_month: i64) -> Option<(Parts, usize)> {
        let after = self.skip(at + 1, Word::Of);
        let Word::Month(month, _) = self.word(after) else {
            return None;
        };
        if !matches!(self.before(after), Gap::Space | Gap::Hyphen) {
            return None;
        }
        let year = self.year(after + 1);
        let parts = Parts {
            year: year.map(|(year, _)| year),
            month: Some(month.into()),
            day: Some(of_month),
        };
        let next = year.map_or(after + 1, |(_, next)| next);
        parts.is_possible().then_some((parts, next))
    }

    /// "May 7th, 2023", "May 2023", "in May".
    fn month(&self, at: usize, month: i64, how: Use) -> Option<(Parts, usize)> {
        let after = self.skip(at + 1, Word::The);
        let is_near = matches!(self.before(after), Gap::Space | Gap::Hyphen);
        let of_month = match self.word(after) {
            Word::Number(number @ 1..=31) => Some(i64::from(number)),
            Word::Ordinal(number @ 1..=31) => Some(i64::from(number)),
            _ => None,
        };
        let of_month = of_month.filter(|_| is_near && !self.precedes_a_thing(after));
        let is_verb = how == Use::Ambiguous
            && !self.is_capitalised(at)
            && !matches!(
                self.preceding(at),
                Word::On | Word::In | Word::Of | Word::Since
            );
        if let Some(number) = of_month {
            let year = self.year(after + 1);
            let parts = Parts {
                year: year.map(|(year, _)| year),
                month: Some(month),
                day: Some(number),
            };
            let next = year.map_or(after + 1, |(_, next)| next);
            let is_meant = !is_verb || year.is_some();
            return (parts.is_possible() && is_meant).then_some((parts, next));
        }
        let parts = Parts {
            year: None,
            month: Some(month),
            day: None,
        };
        if let Some((year, next)) = self.year(at + 1) {
            return Some((
                Parts {
                    year: Some(year),
                    ..parts
                },
                next,
            ));
        }
        self.is_month(at, how).then_some((parts, at + 1))
    }

    /// The year that goes with what stands before, and the token after it.
    pub(super) fn year(&self, at: usize) -> Option<(i64, usize)> {
        let after = self.skip(at, Word::Of);
        match self.word(after) {
            Word::Number(year)
                if self.before(after) <= Gap::Hyphen
                    && YEARS.contains(&year)
                    && !self.counts_things(after) =>
            {
                Some((year.into(), after + 1))
            }
            _ => None,
        }
    }

    /// Whether a month's name is one where it stands alone.
    fn is_month(&self, at: usize, how: Use) -> bool {
        let preceding = self.preceding(at);
        let is_expected = matches!(
            preceding,
            Word::In | Word::Of | Word::Since | Word::During | Word::Until | Word::Last
        );
        let is_capitalised = self.is_capitalised(at);
        let may_follow = matches!(
            preceding,
            Word::By
                | Word::Before
                | Word::After
                | Word::Around
                | Word::Early
                | Word::Mid
                | Word::Late
                | Word::Between
                | Word::From
                | Word::Next
                | Word::This
        ) || (matches!(preceding, Word::And | Word::Or | Word::To)
            && at > 1
            && matches!(self.word(at - 2), Word::Month(..)))
            || (self.before(at) == Gap::Hyphen && at > 0 && self.word(at - 1) == Word::Mid);
        match how {
            Use::Name => true,
            Use::Short => is_capitalised || is_expected,
            Use::Doubtful => {
                is_expected
                    || may_follow
                    || (is_capitalised && matches!(preceding, Word::The | Word::Article))
            }
            Use::Ambiguous => is_expected || (is_capitalised && may_follow),
        }
    }

    /// Whether a number that stands alone is a year.
    fn is_year(&self, at: usize, year: u16) -> bool {
        let preceding = self.preceding(at);
        let is_expected = matches!(
            preceding,
            Word::In
                | Word::Since
                | Word::By
                | Word::Before
                | Word::After
                | Word::Until
                | Word::During
                | Word::From
                | Word::To
                | Word::Around
                | Word::Mid
                | Word::Early
                | Word::Late
                | Word::Between
                | Word::Of
                | Word::Period(Period::Year)
        );
        let describes = matches!(preceding, Word::The | Word::Article);
        let goes_on = matches!(self.before(at), Gap::Space | Gap::Hyphen)
            && at > 0
            && match self.word(at - 1) {
                Word::Number(number) => self.before(at) == Gap::Space || !YEARS.contains(&number),
                word => word == Word::Opaque,
            };
        let latest = date_of(self.today()).year + YEARS_AHEAD;
        let is_recent = (EARLIEST_BARE_YEAR..=latest).contains(&i64::from(year));
        YEARS.contains(&year)
            && (describes || !self.counts_things(at))
            && (is_expected || (is_recent && !goes_on))
    }

    /// "2000 steps", "1999 was" does not.
    fn counts_things(&self, at: usize) -> bool {
        self.precedes_a_thing(at) && self.written(at + 1).ends_with('s')
    }
}
