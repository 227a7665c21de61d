//! Dates, months, years, seasons and weekdays.

use super::civil::{
    DAY, Date, MINUTE, Period, SECOND, Season, date_of, day, days, month_range, season_range,
};
use super::date_parts::Parts;
use super::lexer::Gap;
use super::lexicon::{Use, Word};
use super::parser::{Parser, Phrase, Tense};
use super::{Kind, Precision, Reading, TimeRange};

/// How likely each earlier occurrence of what recurs is meant, beside the last one.
const YEARLY_FADES: [f64; 7] = [1.0, 0.8, 0.65, 0.55, 0.5, 0.5, 0.5];
const SHORT_FADES: [f64; 3] = [1.0, 0.6, 0.4];
/// How likely the nearest one in the other direction is meant.
const OTHER_DIRECTION: f64 = 0.5;
/// How likely an ambiguous date is meant in its less usual order.
const OTHER_ORDER: f64 = 0.5;

impl Parser<'_> {
    /// What the calendar names.
    pub(super) fn calendar(&self, at: usize) -> Option<Phrase> {
        if let Some((parts, next)) = self.parts(at) {
            return self.of_parts(parts, next, self.speaks_of(at));
        }
        match self.word(at) {
            Word::Weekday(weekday, how) => self.weekday(at, weekday, how),
            Word::Season(season) => self.season(at, season),
            Word::Feast(month, of_month) => {
                let parts = Parts {
                    year: None,
                    month: Some(month.into()),
                    day: Some(of_month.into()),
                };
                let year = self.year(at + 1);
                let next = year.map_or(at + 1, |(_, next)| next);
                let year = year.map(|(year, _)| year);
                self.of_parts(Parts { year, ..parts }, next, self.speaks_of(at))
            }
            Word::Period(Period::Weekend) if self.is_expected_after_the(at) => {
                let of = |steps| Some(Period::Weekend.occurrence(self.now, steps));
                self.recurring(
                    at + 1,
                    of,
                    Precision::Weekend,
                    self.speaks_of(at),
                    &SHORT_FADES,
                )
            }
            Word::Decade(first) => {
                let range = month_range(12 * i64::from(first), 120);
                Some(Phrase::of(at + 1, range, Precision::Decade, Kind::Absolute))
            }
            Word::Quarter(quarter) => {
                let (year, next) = self.year(at + 1)?;
                let range = month_range(12 * year + 3 * (i64::from(quarter) - 1), 3);
                Some(Phrase::of(next, range, Precision::Season, Kind::Absolute))
            }
            Word::Ordinal(of_month @ 1..=31) if self.is_day_of_month(at) => {
                let Date { year, month, .. } = date_of(self.today());
                let of = |steps: i64| {
                    let index = 12 * year + month - 1 + steps;
                    let (year, month) = (index.div_euclid(12), index.rem_euclid(12) + 1);
                    Some(days(day(year, month, of_month.into())?, 1))
                };
                self.recurring(at + 1, of, Precision::Day, self.speaks_of(at), &SHORT_FADES)
            }
            word => self.written_in_digits(at, word),
        }
    }

    fn written_in_digits(&self, at: usize, word: Word) -> Option<Phrase> {
        let date = |year: u16, month: u8, of_month: u8| {
            let day = day(year.into(), month.into(), of_month.into())?;
            Some(Phrase::of(
                at + 1,
                days(day, 1),
                Precision::Day,
                Kind::Absolute,
            ))
        };
        match word {
            Word::Date(year, month, of_month) => date(year, month, of_month),
            Word::EitherOrder(first, second, year) => {
                let other = date(year, second, first)?.range();
                Some(date(year, first, second)?.or(other, OTHER_ORDER))
            }
            Word::YearMonth(year, month) => {
                let range = month_range(12 * i64::from(year) + i64::from(month) - 1, 1);
                Some(Phrase::of(at + 1, range, Precision::Month, Kind::Absolute))
            }
            Word::Slashed(first, second) if self.preceding(at) == Word::On => {
                let (month, of_month) = if first <= 12 {
                    (first, second)
                } else {
                    (second, first)
                };
                let parts = Parts {
                    year: None,
                    month: Some(month.into()),
                    day: Some(of_month.into()),
                };
                self.of_parts(parts, at + 1, self.speaks_of(at))
            }
            Word::Moment(micros, is_utc, unit) => {
                let local = if is_utc { micros + self.offset } else { micros };
                let range = TimeRange::new(local, local + unit.clamp(SECOND, MINUTE));
                Some(Phrase::of(
                    at + 1,
                    range,
                    Precision::Instant,
                    Kind::Absolute,
                ))
            }
            _ => None,
        }
    }

    /// A date whose year may be missing.
    pub(super) fn of_parts(&self, parts: Parts, next: usize, tense: Tense) -> Option<Phrase> {
        if parts.year.is_some() {
            let range = parts.range()?;
            return Some(Phrase::of(next, range, parts.precision(), Kind::Absolute));
        }
        let year = date_of(self.today()).year;
        let of = |steps| {
            let year = Some(year + steps);
            Parts { year, ..parts }.range()
        };
        self.recurring(next, of, parts.precision(), tense, &YEARLY_FADES)
    }

    fn weekday(&self, at: usize, weekday: u8, how: Use) -> Option<Phrase> {
        if let Some(phrase) = self.date_of_weekday(at + 1) {
            return Some(phrase);
        }
        let is_expected = matches!(
            self.preceding(at),
            Word::On | Word::By | Word::Until | Word::Since | Word::Last | Word::Next | Word::This
        );
        if how == Use::Ambiguous && !(self.is_capitalised(at) && is_expected) {
            return None;
        }
        let of = |steps| {
            let this = Period::Weekday(weekday)
                .occurrence(self.now, 0)
                .start_micros;
            Some(days(this / DAY + 7 * steps, 1))
        };
        self.recurring(at + 1, of, Precision::Day, self.speaks_of(at), &SHORT_FADES)
    }

    /// The date after a weekday: "Friday, May 5".
    pub(super) fn date_of_weekday(&self, at: usize) -> Option<Phrase> {
        let after = self.skip(at, Word::The);
        if self.before(after) > Gap::Comma {
            return None;
        }
        match self.word(after) {
            Word::Date(..) | Word::EitherOrder(..) => {
                self.written_in_digits(after, self.word(after))
            }
            _ => {
                let (parts, next) = self.parts(after).filter(|(parts, _)| parts.day.is_some())?;
                self.of_parts(parts, next, self.speaks_of(after))
            }
        }
    }

    fn season(&self, at: usize, season: Season) -> Option<Phrase> {
        if let Some((year, next)) = self.year(at + 1) {
            let range = season_range(year, season);
            let phrase = Phrase::of(next, range, Precision::Season, Kind::Absolute);
            return Some(match season {
                Season::Winter => phrase.or(season_range(year - 1, season), OTHER_ORDER),
                _ => phrase,
            });
        }
        let is_verb = self.written(at).eq_ignore_ascii_case("fall");
        let is_expected = matches!(self.preceding(at), Word::In | Word::During)
            || (!is_verb && Self::is_expected(self.preceding(at)))
            || (!is_verb && self.is_expected_after_the(at));
        let year = date_of(self.today()).year;
        let of = |steps| Some(season_range(year + steps, season));
        is_expected
            .then(|| {
                self.recurring(
                    at + 1,
                    of,
                    Precision::Season,
                    self.speaks_of(at),
                    &YEARLY_FADES,
                )
            })
            .flatten()
    }

    /// "over the weekend", "for the summer".
    fn is_expected_after_the(&self, at: usize) -> bool {
        let before_article = at.checked_sub(1).map(|article| self.preceding(article));
        matches!(self.preceding(at), Word::The | Word::Article)
            && before_article.is_some_and(|word| Self::is_expected(word) || word == Word::For)
    }

    fn is_expected(preceding: Word) -> bool {
        matches!(
            preceding,
            Word::In
                | Word::On
                | Word::At
                | Word::During
                | Word::Since
                | Word::Until
                | Word::By
                | Word::Before
                | Word::After
                | Word::Early
                | Word::Mid
                | Word::Late
                | Word::Of
        )
    }

    /// "on the 7th", but not "on the 7th floor".
    fn is_day_of_month(&self, at: usize) -> bool {
        let is_date = self
            .written(at)
            .starts_with(|first: char| first.is_ascii_digit());
        let before = match self.preceding(at) {
            Word::The => at
                .checked_sub(1)
                .map_or(Word::Other, |article| self.preceding(article)),
            word => word,
        };
        let is_expected = matches!(
            before,
            Word::On
                | Word::By
                | Word::Since
                | Word::Until
                | Word::Before
                | Word::After
                | Word::From
        );
        is_date && is_expected && !self.precedes_a_thing(at)
    }

    /// What recurs: the nearest past occurrence (in a sentence about the future, the nearest future one), and the others
    /// as fainter readings. `of` gives the one so many cycles from this one, if there is one.
    pub(super) fn recurring(
        &self,
        next: usize,
        of: impl Fn(i64) -> Option<TimeRange>,
        precision: Precision,
        tense: Tense,
        fades: &[f64],
    ) -> Option<Phrase> {
        /// A 29 February recurs after eight years at most.
        const CYCLES: i64 = 8;
        let has_begun = |range: &TimeRange| range.start_micros <= self.now;
        let mut past = (-CYCLES..=CYCLES).rev().filter_map(&of).filter(has_begun);
        let mut ahead = (-1..=CYCLES)
            .filter_map(&of)
            .filter(|range| range.end_micros > self.now);
        let mut readings = Vec::with_capacity(fades.len() + 1);
        let mut add = |range: TimeRange, likelihood| {
            if readings
                .iter()
                .all(|reading: &Reading| reading.range != range)
            {
                readings.push(Reading { range, likelihood });
            }
        };
        if tense == Tense::Future {
            ahead.next().into_iter().for_each(|range| add(range, 1.0));
            past.next()
                .into_iter()
                .for_each(|range| add(range, OTHER_DIRECTION));
        } else {
            past.zip(fades)
                .for_each(|(range, &likelihood)| add(range, likelihood));
            let mut not_begun = ahead.filter(|range| !has_begun(range));
            not_begun
                .next()
                .into_iter()
                .for_each(|range| add(range, OTHER_DIRECTION));
        }
        readings.sort_by(|a, b| b.likelihood.total_cmp(&a.likelihood));
        readings.first_mut()?.likelihood = 1.0;
        Some(Phrase {
            next,
            readings,
            precision,
            kind: Kind::Partial,
            is_vague: false,
        })
    }
}
