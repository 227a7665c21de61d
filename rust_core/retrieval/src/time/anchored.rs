//! Times that are parts of others or counted from them: "early May", "the first week of June", "the week before August 3".

use super::civil::{HOUR, Period, WEEK, day_of, days, weekday_of};
use super::lexer::Gap;
use super::lexicon::Word;
use super::parser::{Parser, Phrase};
use super::relative::Quantity;
use super::{Kind, Precision, TimeRange};

/// "The first day of the last week of May" has two.
const MOST_PARTS: usize = 2;

impl Parser<'_> {
    /// "around 2021", "about three weeks ago".
    pub(super) fn approximate(&self, at: usize) -> Option<Phrase> {
        let after = self.skip(at + 1, Word::The);
        let is_near = self.before(after) == Gap::Space;
        match self.word(at) {
            Word::Around => Some(self.exact(after)?.vague()),
            // "We talked about last week" says nothing of how exactly it is known.
            Word::About if self.counted(after).is_some() => Some(self.simple(after)?.vague()),
            _ => None,
        }
        .filter(|_| is_near)
    }

    /// "early May", "mid-2021", "the end of next week", "the morning of 7 May".
    pub(super) fn narrowed(&self, at: usize) -> Option<Phrase> {
        let after = at + 1;
        let third = match (self.word(at), self.joined(after)) {
            (Word::Early, _) | (Word::Beginning, Word::Of) => 0,
            (Word::Mid, _) | (Word::Middle, Word::Of) => 1,
            (Word::Late, _) | (Word::End, Word::Of) => 2,
            (Word::DayPart(part), Word::Of | Word::On) => {
                let day = self.whole(self.skip(after + 1, Word::The), 0)?;
                let (from, to) = part.hours();
                let is_day = day.precision == Precision::Day;
                return is_day.then(|| day.cut(from * HOUR, to * HOUR, Precision::DayPart));
            }
            _ => return None,
        };
        let after = self.skip(after, Word::Of);
        if !matches!(self.before(after), Gap::Space | Gap::Hyphen) {
            return None;
        }
        let whole = self.whole(after, 0)?.vague();
        whole.map(|range| {
            let length = range.length() / 3;
            let start = range.start_micros + third * length;
            TimeRange::new(
                start,
                if third == 2 {
                    range.end_micros
                } else {
                    start + length
                },
            )
        })
    }

    /// A time of which a part is named: "the month" is this one.
    fn whole(&self, at: usize, depth: usize) -> Option<Phrase> {
        let after = self.skip(at, Word::The);
        match self.word(after) {
            Word::Period(
                period @ (Period::Week | Period::Month | Period::Quarter | Period::Year),
            ) if after > at => {
                let range = period.occurrence(self.now, 0);
                Some(Phrase::of(
                    after + 1,
                    range,
                    period.precision(),
                    Kind::Relative,
                ))
            }
            _ => self.part_of(after, depth).or_else(|| self.simple(after)),
        }
    }

    /// "the first week of June", "the last Friday of May", "the second half of 2021", "the week of May 7".
    pub(super) fn within(&self, at: usize) -> Option<Phrase> {
        self.part_of(at, 0)
    }

    fn part_of(&self, at: usize, depth: usize) -> Option<Phrase> {
        if depth > MOST_PARTS {
            return None;
        }
        if matches!(self.word(at), Word::Period(Period::Week)) && self.joined(at + 1) == Word::Of {
            let day = self
                .whole(at + 2, depth + 1)
                .filter(|phrase| phrase.precision <= Precision::Day)?;
            let week = |range: TimeRange| Period::Week.occurrence(range.start_micros, 0);
            let phrase = day.map(week)?;
            return Some(Phrase {
                precision: Precision::Week,
                ..phrase
            });
        }
        let place = match self.word(at) {
            Word::Ordinal(place @ 1..=31) => i64::from(place),
            Word::Last => -1,
            _ => return None,
        };
        let of = at + 2;
        if !matches!(self.joined(of), Word::Of | Word::In) {
            return self.day_of_this_month(at, place, depth);
        }
        let whole = self
            .whole(of + 1, depth + 1)
            .filter(|whole| whole.precision > Precision::Day)?;
        match self.joined(at + 1) {
            Word::Half if (1..=2).contains(&place) => whole.vague().map(|range| {
                let middle = range.start_micros + range.length() / 2;
                match place {
                    1 => TimeRange::new(range.start_micros, middle),
                    _ => TimeRange::new(middle, range.end_micros),
                }
            }),
            Word::Period(period) => part(whole, period, place),
            Word::Weekday(weekday, _) => part(whole, Period::Weekday(weekday), place),
            _ => None,
        }
    }

    /// "the 7th of the month", "the 7th of last month".
    fn day_of_this_month(&self, at: usize, place: i64, depth: usize) -> Option<Phrase> {
        if place < 1 || self.joined(at + 1) != Word::Of {
            return None;
        }
        let month = self
            .whole(at + 2, depth + 1)
            .filter(|month| month.precision == Precision::Month)?;
        part(month, Period::Day, place)
    }

    /// "the week before August 3", "two days after Christmas", "the weekend before last".
    pub(super) fn counted_from(&self, at: usize) -> Option<Phrase> {
        let (quantity, period, next) = self.counted_period(at)?;
        let sign = match self.joined(next) {
            Word::Before => -1,
            Word::After => 1,
            _ => return None,
        };
        let anchor = self.skip(next + 1, Word::The);
        let is_last = match self.joined(anchor) {
            Word::Last => sign < 0,
            Word::Next => sign > 0,
            _ => false,
        };
        if is_last && quantity.most == 1 && self.relative(anchor).is_none() {
            let range = period.occurrence(self.now, 2 * sign);
            return Some(Phrase::of(
                anchor + 1,
                range,
                period.precision(),
                Kind::Relative,
            ));
        }
        if self.before(anchor) != Gap::Space {
            return None;
        }
        let from = self.within(anchor).or_else(|| self.simple(anchor))?;
        let phrase = from.map(|range| counted_from(range, quantity, period, sign))?;
        Some(Phrase {
            precision: period.precision(),
            is_vague: phrase.is_vague || quantity.is_vague,
            ..phrase
        })
    }

    /// "week", "last Friday", "two weeks".
    fn counted_period(&self, at: usize) -> Option<(Quantity, Period, usize)> {
        let one = |period, next| Some((Quantity::exactly(1), period, next));
        let at = if self.word(at) == Word::Last {
            at + 1
        } else {
            at
        };
        match self.word(at) {
            Word::Period(period) => one(period, at + 1),
            Word::Weekday(weekday, _) => one(Period::Weekday(weekday), at + 1),
            _ => self.counted_from_here(at),
        }
    }
}

/// A part of each reading: its first, second … or last period of a kind.
fn part(whole: Phrase, period: Period, place: i64) -> Option<Phrase> {
    let phrase = whole.map(|range| nth(range, period, place).unwrap_or(TimeRange::new(0, 0)))?;
    Some(Phrase {
        precision: period.precision(),
        ..phrase
    })
}

/// The nth period of a kind in a range, counted from its end if negative; None if it has none such.
fn nth(range: TimeRange, period: Period, place: i64) -> Option<TimeRange> {
    let (first, end) = (day_of(range.start_micros), day_of(range.end_micros - 1) + 1);
    let in_steps = |first: i64, step: i64, length: i64| {
        let steps = if place > 0 {
            place - 1
        } else {
            (end - 1 - first).div_euclid(step)
        };
        days(first + step * steps, length)
    };
    let part = match period {
        Period::Day => in_steps(first, 1, 1),
        Period::Week if place < 0 => days(end - 7, 7),
        Period::Week => days(first + 7 * (place - 1), 7),
        Period::Weekend => in_steps(first + (5 - weekday_of(first)).rem_euclid(7), 7, 2),
        Period::Weekday(weekday) => {
            let until = (i64::from(weekday) - weekday_of(first)).rem_euclid(7);
            in_steps(first + until, 7, 1)
        }
        Period::Month | Period::Quarter | Period::Year => {
            let (from, steps) = if place > 0 {
                (range.start_micros, place - 1)
            } else {
                (range.end_micros - 1, 0)
            };
            period.occurrence(from, steps)
        }
        _ => return None,
    };
    let is_inside = part.start_micros >= range.start_micros && part.start_micros < range.end_micros;
    is_inside.then_some(part)
}

/// The periods before or after a range.
fn counted_from(range: TimeRange, quantity: Quantity, period: Period, sign: i64) -> TimeRange {
    let one = |count: i64| match period {
        // Seven days beside the range, not a week of the calendar; further away they lie around the same weekday.
        Period::Week if count == 1 && sign < 0 => {
            TimeRange::new(range.start_micros - WEEK, range.start_micros)
        }
        Period::Week if count == 1 => TimeRange::new(range.end_micros, range.end_micros + WEEK),
        Period::Week => days(day_of(range.start_micros) + 7 * count * sign - 3, 7),
        _ if sign < 0 => period.occurrence(range.start_micros, -count),
        _ => period.occurrence(range.end_micros - 1, count),
    };
    let (near, far) = (one(quantity.least), one(quantity.most));
    TimeRange::new(
        near.start_micros.min(far.start_micros),
        near.end_micros.max(far.end_micros),
    )
}
