//! What counts from now: "yesterday", "last week", "two months ago", "in three days".

use super::civil::{DAY, Period};
use super::lexer::Gap;
use super::lexicon::{DayPart, Use, Word};
use super::parser::{Parser, Phrase, Tense};
use super::{Kind, Precision, TimeRange};

/// How likely "last Friday" means that of last week if there was one since, and "next Friday" the nearest.
const OTHER_WEEK: f64 = 0.5;
/// More of a period are no time.
const MOST: u16 = 999;

/// How many of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quantity {
    pub(super) least: i64,
    pub(super) most: i64,
    /// Half of one more.
    pub(super) and_half: bool,
    pub(super) is_vague: bool,
}

impl Quantity {
    pub(super) fn exactly(count: i64) -> Self {
        Self {
            least: count,
            most: count,
            and_half: false,
            is_vague: false,
        }
    }

    fn roughly(least: i64, most: i64) -> Self {
        Self {
            least,
            most,
            and_half: false,
            is_vague: true,
        }
    }
}

impl Parser<'_> {
    /// What counts from the moment of the text.
    pub(super) fn relative(&self, at: usize) -> Option<Phrase> {
        match self.word(at) {
            Word::DayAway(away) => {
                let range = Period::Day.occurrence(self.now, away.into());
                Some(Phrase::of(at + 1, range, Precision::Day, Kind::Relative))
            }
            Word::Tonight => Some(self.part_of_day(at + 1, 0, DayPart::Night)),
            Word::Last => self.last(at + 1, self.preceding(at) == Word::The),
            Word::Past => self.last(at + 1, true),
            Word::Next => self.next(at + 1, self.preceding(at) == Word::The),
            Word::This => self.this(at + 1),
            Word::In => self.ahead(at + 1),
            Word::Earlier | Word::Later => self.rest_of(at),
            _ => self.ago(at),
        }
    }

    /// What follows "last"; after "the" or as "past" a period reaches until now.
    fn last(&self, at: usize, until_now: bool) -> Option<Phrase> {
        if let Some((quantity, period, next)) = self.counted(at) {
            let range = TimeRange::new(self.now - quantity.most * period.length(), self.now);
            let phrase = Phrase::of(next, range, Precision::Span, Kind::Relative);
            return Some(if quantity.is_vague {
                phrase.vague()
            } else {
                phrase
            });
        }
        match self.joined(at) {
            Word::DayPart(part @ (DayPart::Night | DayPart::Evening)) => {
                Some(self.part_of_day(at + 1, -1, part))
            }
            Word::Period(Period::Minute | Period::Hour | Period::Day) => None,
            Word::Period(period) if until_now && period != Period::Weekend => {
                let range = TimeRange::new(self.now - period.length(), self.now);
                Some(Phrase::of(
                    at + 1,
                    range,
                    period.precision(),
                    Kind::Relative,
                ))
            }
            _ => self.named(at, -1, until_now),
        }
    }

    /// What follows "next". "The next day" counts from something that was told.
    fn next(&self, at: usize, is_told: bool) -> Option<Phrase> {
        if let Some((quantity, period, next)) = self.counted(at) {
            let range = TimeRange::new(self.now, self.now + quantity.most * period.length());
            let phrase = Phrase::of(next, range, Precision::Span, Kind::Relative);
            return Some(if quantity.is_vague {
                phrase.vague()
            } else {
                phrase
            });
        }
        if is_told && matches!(self.joined(at), Word::Period(_)) {
            return None;
        }
        self.named(at, 1, is_told)
    }

    /// What follows "this".
    fn this(&self, at: usize) -> Option<Phrase> {
        match self.joined(at) {
            Word::DayPart(part) => Some(self.part_of_day(at + 1, 0, part)),
            Word::Last | Word::Past => self.last(at + 1, self.joined(at) == Word::Past),
            Word::Next => self.next(at + 1, false),
            _ => self.named(at, 0, false),
        }
    }

    /// A period, weekday, month or season so many steps away.
    fn named(&self, at: usize, steps: i64, after_article: bool) -> Option<Phrase> {
        let period = match self.joined(at) {
            Word::Period(Period::Minute | Period::Hour | Period::Day) => return None,
            Word::Period(period) => period,
            Word::Weekday(weekday, how) => {
                if let Some(phrase) = self.date_of_weekday(at + 1) {
                    return Some(phrase);
                }
                let is_weekday = how != Use::Ambiguous || self.is_capitalised(at);
                return is_weekday.then(|| self.weekday_away(at + 1, weekday, steps));
            }
            Word::Month(month, how) => {
                let has_day = matches!(self.joined(at + 1), Word::Number(_) | Word::Ordinal(_));
                let is_verb = how == Use::Ambiguous
                    && (after_article || (steps == 0 && !self.is_capitalised(at)));
                if has_day || is_verb {
                    return None;
                }
                Period::NamedMonth(month)
            }
            Word::Season(season) => Period::Season(season),
            _ => return None,
        };
        let range = period.occurrence(self.now, steps);
        let phrase = Phrase::of(at + 1, range, period.precision(), Kind::Relative);
        Some(if period == Period::Weekend && steps == 1 {
            phrase.or(period.occurrence(self.now, 0), OTHER_WEEK)
        } else {
            phrase
        })
    }

    /// "last Friday" is the nearest one before today, "next Friday" that of the next week, "this Friday" that of this week;
    /// where another is as near, it is a second reading.
    fn weekday_away(&self, next: usize, weekday: u8, steps: i64) -> Phrase {
        let period = Period::Weekday(weekday);
        let of_this_week = period.occurrence(self.now, 0).start_micros;
        let of_week = |weeks: i64| super::civil::days(of_this_week / DAY + 7 * weeks, 1);
        let phrase = |range| Phrase::of(next, range, Precision::Day, Kind::Relative);
        match steps {
            0 => {
                let is_over = of_this_week < self.today() * DAY;
                let phrase = phrase(of_week(0));
                if is_over {
                    phrase.or(of_week(1), OTHER_WEEK)
                } else {
                    phrase
                }
            }
            1.. => phrase(of_week(1)).or(period.occurrence(self.now, 1), OTHER_WEEK),
            _ => phrase(period.occurrence(self.now, -1)).or(of_week(-1), OTHER_WEEK),
        }
    }

    /// "in three days", unless the sentence tells of the past: then it is a duration.
    fn ahead(&self, at: usize) -> Option<Phrase> {
        let (quantity, period, next) = self.counted(at)?;
        let is_saying = matches!(period, Period::Minute) && self.joined(at) == Word::A;
        if self.speaks_of(at) == Tense::Past || is_saying || self.joined(next) == Word::Of {
            return None;
        }
        Some(self.away(next, quantity, period, 1))
    }

    /// "two weeks ago", "a year and a half ago", "three days from now".
    fn ago(&self, at: usize) -> Option<Phrase> {
        let (quantity, period, next) = self.counted_from_here(at)?;
        match (self.joined(next), self.joined(next + 1)) {
            (Word::Ago, _) => Some(self.away(next + 1, quantity, period, -1)),
            (Word::Back, _) if self.before(next + 1) > Gap::Space => {
                Some(self.away(next + 1, quantity, period, -1))
            }
            (Word::From, Word::Now) => Some(self.away(next + 2, quantity, period, 1)),
            _ => None,
        }
    }

    /// The periods that hold the moments so many of them away.
    fn away(&self, next: usize, quantity: Quantity, period: Period, sign: i64) -> Phrase {
        let middle = |count: i64| {
            let half = if quantity.and_half {
                period.length() / 2
            } else {
                0
            };
            let moment = self.now + sign * half;
            if quantity.and_half {
                let finer = match period {
                    Period::Year | Period::Decade => Period::Month,
                    Period::Month | Period::Week => Period::Week,
                    _ => period,
                };
                let away = moment + sign * count * period.length();
                return finer.occurrence(away, 0);
            }
            period.occurrence(moment, sign * count)
        };
        let (near, far) = (middle(quantity.least), middle(quantity.most));
        let range = TimeRange::new(
            near.start_micros.min(far.start_micros),
            near.end_micros.max(far.end_micros),
        );
        let phrase = Phrase::of(next, range, period.precision(), Kind::Relative);
        if quantity.is_vague || quantity.and_half {
            phrase.vague()
        } else {
            phrase
        }
    }

    /// "earlier this week", "later today".
    fn rest_of(&self, at: usize) -> Option<Phrase> {
        let is_near = self.before(at + 1) == Gap::Space;
        let phrase = match self.word(at + 1) {
            Word::This => self.this(at + 2),
            Word::DayAway(0) => self.relative(at + 1),
            _ => None,
        };
        let is_earlier = self.word(at) == Word::Earlier;
        let now = self.now;
        phrase.filter(|_| is_near)?.map(|range| {
            if is_earlier {
                TimeRange::new(range.start_micros, range.end_micros.min(now))
            } else {
                TimeRange::new(range.start_micros.max(now), range.end_micros)
            }
        })
    }

    /// A quantity of periods after a word, and the token after it.
    pub(super) fn counted(&self, at: usize) -> Option<(Quantity, Period, usize)> {
        (self.before(at) == Gap::Space).then(|| self.counted_from_here(at))?
    }

    /// A quantity of periods.
    pub(super) fn counted_from_here(&self, at: usize) -> Option<(Quantity, Period, usize)> {
        let (mut quantity, after) = self.quantity(at)?;
        let period = match self.joined(after) {
            Word::Period(period) => period,
            Word::Season(season) => Period::Season(season),
            _ => return None,
        };
        let and_half = [Word::And, Word::A, Word::Half];
        let has_half = (0..3).all(|place| self.joined(after + 1 + place) == and_half[place]);
        quantity.and_half |= has_half;
        Some((quantity, period, after + 1 + if has_half { 3 } else { 0 }))
    }

    fn quantity(&self, at: usize) -> Option<(Quantity, usize)> {
        let at = if self.word(at) == Word::Some {
            at + 1
        } else {
            at
        };
        match self.word(at) {
            Word::A => match self.joined(at + 1) {
                Word::Few => Some((Quantity::roughly(2, 5), at + 2)),
                Word::Couple => Some((Quantity::roughly(2, 2), self.skip(at + 2, Word::Of))),
                _ => Some((Quantity::exactly(1), at + 1)),
            },
            Word::Few => Some((Quantity::roughly(2, 5), at + 1)),
            Word::Several => Some((Quantity::roughly(3, 7), at + 1)),
            Word::Couple => Some((Quantity::roughly(2, 2), self.skip(at + 1, Word::Of))),
            Word::Half => {
                let half = Quantity {
                    and_half: true,
                    ..Quantity::exactly(0)
                };
                (self.joined(at + 1) == Word::A).then_some((half, at + 2))
            }
            word => {
                let least = count(word)?;
                let is_joined = matches!(self.before(at + 1), Gap::Hyphen | Gap::Dash);
                let most = match self.joined(at + 1) {
                    Word::Or | Word::To => count(self.joined(at + 2)).map(|most| (most, at + 3)),
                    _ if is_joined => count(self.word(at + 1)).map(|most| (most, at + 2)),
                    _ => None,
                };
                Some(match most.filter(|(most, _)| *most > least) {
                    Some((most, next)) => (Quantity::roughly(least, most), next),
                    None => (Quantity::exactly(least), at + 1),
                })
            }
        }
    }
}

fn count(word: Word) -> Option<i64> {
    match word {
        Word::Count(count) => Some(count.into()),
        Word::Number(count @ 1..=MOST) => Some(count.into()),
        _ => None,
    }
}
