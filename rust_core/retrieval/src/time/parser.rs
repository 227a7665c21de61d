//! From tokens to times: what the rooms of the grammar share, and the order in which they are asked.

use std::ops::Range;

use super::civil::{HOUR, Period, day_of, days};
use super::lexer::{Gap, Token, tokens};
use super::lexicon::{DayPart, Word};
use super::{Direction, Kind, Precision, Reading, TimeRange};
use crate::text::is_stop_word;

/// What a text names, in the wall clock's time.
#[derive(Clone, Debug)]
pub(super) struct Phrase {
    /// The token after it.
    pub(super) next: usize,
    /// At least one, the likeliest first.
    pub(super) readings: Vec<Reading>,
    pub(super) precision: Precision,
    pub(super) kind: Kind,
    pub(super) is_vague: bool,
}

/// Of what a sentence speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tense {
    #[default]
    Unsaid,
    Past,
    Future,
}

/// The tokens of a text and the moment that it is read at.
pub(super) struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    /// By sentence.
    tenses: Vec<Tense>,
    /// The wall clock's time.
    pub(super) now: i64,
    /// What was added to UTC's.
    pub(super) offset: i64,
}

impl Phrase {
    /// A time with one reading.
    pub(super) fn of(next: usize, range: TimeRange, precision: Precision, kind: Kind) -> Self {
        Self {
            next,
            readings: vec![Reading {
                range,
                likelihood: 1.0,
            }],
            precision,
            kind,
            is_vague: false,
        }
    }

    /// With another way to understand it, unless it is the same.
    pub(super) fn or(mut self, range: TimeRange, likelihood: f64) -> Self {
        if self.readings.iter().all(|reading| reading.range != range) {
            self.readings.push(Reading { range, likelihood });
        }
        self
    }

    pub(super) fn vague(mut self) -> Self {
        self.is_vague = true;
        self
    }

    /// The likeliest.
    pub(super) fn range(&self) -> TimeRange {
        self.readings[0].range
    }

    /// Each reading changed. Those of which nothing is left fall away, and the likeliest of the others takes their place;
    /// None if there is none.
    pub(super) fn map(mut self, change: impl Fn(TimeRange) -> TimeRange) -> Option<Self> {
        for reading in &mut self.readings {
            reading.range = change(reading.range);
        }
        self.readings
            .retain(|reading| reading.range.start_micros < reading.range.end_micros);
        self.readings.first_mut()?.likelihood = 1.0;
        Some(self)
    }

    /// Each reading cut to a part of its first day: microseconds from its midnight.
    pub(super) fn cut(mut self, from: i64, to: i64, precision: Precision) -> Self {
        for reading in &mut self.readings {
            let midnight = reading.range.start_micros;
            reading.range = TimeRange::new(midnight + from, midnight + to);
        }
        self.precision = precision;
        self
    }

    pub(super) fn direction(&self, now: i64, tense: Tense) -> Direction {
        let TimeRange {
            start_micros,
            end_micros,
        } = self.range();
        if self.kind == Kind::Partial && tense == Tense::Unsaid {
            Direction::Unknown
        } else if end_micros <= now {
            Direction::Past
        } else if start_micros > now {
            Direction::Future
        } else {
            Direction::Present
        }
    }
}

impl<'t> Parser<'t> {
    pub(super) fn new(text: &'t str, now: i64, offset: i64) -> Self {
        let tokens = tokens(text);
        let sentences = tokens.last().map_or(0, |last| last.sentence as usize + 1);
        let mut tenses = vec![Tense::Unsaid; sentences];
        for (place, token) in tokens.iter().enumerate() {
            let tense = &mut tenses[token.sentence as usize];
            match (token.word, *tense) {
                (Word::Bygone, _) => *tense = Tense::Past,
                (Word::Future, Tense::Unsaid) => *tense = Tense::Future,
                _ if *tense == Tense::Unsaid && goes_to(text, &tokens[place..]) => {
                    *tense = Tense::Future;
                }
                _ => {}
            }
        }
        Self {
            text,
            tokens,
            tenses,
            now,
            offset,
        }
    }

    /// The first time at or after a token, and where it begins.
    pub(super) fn next_phrase(&self, from: usize) -> Option<(Phrase, usize)> {
        (from..self.tokens.len())
            .filter(|&at| !matches!(self.word(at), Word::Other | Word::Opaque))
            .find_map(|at| Some((self.phrase(at)?, at)))
    }

    /// A time that begins with a token: every form.
    fn phrase(&self, at: usize) -> Option<Phrase> {
        if at > 0 && self.word(at - 1) == Word::Every && self.before(at) == Gap::Space {
            return None;
        }
        self.range_with_ends(at)
            .or_else(|| self.open_range(at))
            .or_else(|| self.bounded(at))
    }

    /// A time without "since" and "between": at most two of these make a range.
    pub(super) fn bounded(&self, at: usize) -> Option<Phrase> {
        self.approximate(at).or_else(|| self.exact(at))
    }

    /// The same without "around".
    pub(super) fn exact(&self, at: usize) -> Option<Phrase> {
        self.narrowed(at)
            .or_else(|| self.counted_from(at))
            .or_else(|| self.within(at))
            .or_else(|| self.simple(at))
    }

    /// A time with nothing around it but the time of the day.
    pub(super) fn simple(&self, at: usize) -> Option<Phrase> {
        let phrase = self.relative(at).or_else(|| self.calendar(at))?;
        Some(self.with_clock(phrase))
    }

    pub(super) fn word(&self, at: usize) -> Word {
        self.tokens.get(at).map_or(Word::Other, |token| token.word)
    }

    /// What stands before a token; the end of the text is as good as that of a sentence.
    pub(super) fn before(&self, at: usize) -> Gap {
        self.tokens.get(at).map_or(Gap::Stop, |token| token.before)
    }

    /// The word of a token that follows the one before with nothing but space.
    pub(super) fn joined(&self, at: usize) -> Word {
        if self.before(at) == Gap::Space {
            self.word(at)
        } else {
            Word::Other
        }
    }

    /// The word before a token with nothing but space between.
    pub(super) fn preceding(&self, at: usize) -> Word {
        if at > 0 && self.before(at) == Gap::Space {
            self.word(at - 1)
        } else {
            Word::Other
        }
    }

    pub(super) fn is_capitalised(&self, at: usize) -> bool {
        self.tokens
            .get(at)
            .is_some_and(|token| token.is_capitalised)
    }

    /// As written, without a possessive ending.
    pub(super) fn written(&self, at: usize) -> &'t str {
        self.tokens
            .get(at)
            .map_or("", |token| &self.text[token.start..token.end])
    }

    /// Whether a thing follows, which what stands before it counts or describes: "2000 steps", "the 7th floor".
    pub(super) fn precedes_a_thing(&self, at: usize) -> bool {
        let word = self.written(at + 1);
        self.before(at + 1) <= Gap::Hyphen
            && self.before(at + 1) != Gap::Comma
            && matches!(self.word(at + 1), Word::Other | Word::Period(_))
            && word.starts_with(|first: char| first.is_lowercase())
            && !is_stop_word(word)
    }

    pub(super) fn speaks_of(&self, at: usize) -> Tense {
        let sentence = self.tokens.get(at).map(|token| token.sentence as usize);
        sentence.map_or(Tense::Unsaid, |sentence| self.tenses[sentence])
    }

    /// The place after a word, if it stands there.
    pub(super) fn skip(&self, at: usize, word: Word) -> usize {
        at + usize::from(self.joined(at) == word)
    }

    pub(super) fn span(&self, tokens: Range<usize>) -> Range<usize> {
        self.tokens[tokens.start].start..self.tokens[tokens.end - 1].end
    }

    /// "yesterday at 5 pm", "Friday morning", "May 7 in the evening".
    fn with_clock(&self, phrase: Phrase) -> Phrase {
        if phrase.precision != Precision::Day {
            return phrase;
        }
        let after = self.skip(phrase.next, Word::At);
        let comma = usize::from(after == phrase.next && self.before(after) == Gap::Comma);
        let is_near = self.before(after) <= Gap::Comma;
        if let Some((minute, to_the_minute, next)) = self.clock(after).filter(|_| is_near) {
            let (precision, length) = if to_the_minute {
                (Precision::Instant, Period::Minute.length())
            } else {
                (Precision::Hour, HOUR)
            };
            let start = i64::from(minute) * Period::Minute.length();
            return Phrase { next, ..phrase }.cut(start, start + length, precision);
        }
        let after = match self.joined(phrase.next) {
            Word::In => self.skip(phrase.next + 1, Word::The),
            _ => phrase.next,
        };
        match self.word(after) {
            Word::DayPart(part) if comma == 0 && self.before(after) == Gap::Space => {
                let (from, to) = part.hours();
                Phrase {
                    next: after + 1,
                    ..phrase
                }
                .cut(from * HOUR, to * HOUR, Precision::DayPart)
            }
            _ => phrase,
        }
    }

    /// The minute of the day, whether minutes were written, and the token after it.
    fn clock(&self, at: usize) -> Option<(u16, bool, usize)> {
        match (self.word(at), self.joined(at + 1)) {
            (Word::Clock(minute, exact), half @ (Word::Am | Word::Pm)) => {
                let minute = super::numeric::of_half(minute / 60, minute % 60, half == Word::Pm)?;
                Some((minute, exact, at + 2))
            }
            (Word::Clock(minute, exact), _) => Some((minute, exact, at + 1)),
            (Word::Number(hour), half @ (Word::Am | Word::Pm)) => {
                let minute = super::numeric::of_half(hour, 0, half == Word::Pm)?;
                Some((minute, false, at + 2))
            }
            (Word::DayPart(DayPart::Noon), _) if self.preceding(at) == Word::At => {
                Some((12 * 60, false, at + 1))
            }
            _ => None,
        }
    }

    /// Today.
    pub(super) fn today(&self) -> i64 {
        day_of(self.now)
    }

    /// A part of a day that is counted from today.
    pub(super) fn part_of_day(&self, next: usize, away: i64, part: DayPart) -> Phrase {
        let (from, to) = part.hours();
        let day = days(self.today() + away, 1);
        let phrase = Phrase::of(next, day, Precision::Day, Kind::Relative);
        phrase.cut(from * HOUR, to * HOUR, Precision::DayPart)
    }
}

/// "going to", "looking forward", "can't wait", "see you": what two words say of a sentence.
fn goes_to(text: &str, tokens: &[Token]) -> bool {
    let [first, second, ..] = tokens else {
        return false;
    };
    let is = |token: &Token, word: &str| text[token.start..token.end].eq_ignore_ascii_case(word);
    second.before == Gap::Space
        && ((is(first, "going") && second.word == Word::To)
            || (is(first, "looking") && is(second, "forward"))
            || (is(second, "wait") && first.end - first.start <= 7 && is_cannot(text, first))
            || (is(first, "see") && is(second, "you")))
}

fn is_cannot(text: &str, token: &Token) -> bool {
    ["can't", "can’t", "cannot"]
        .iter()
        .any(|word| text[token.start..token.end].eq_ignore_ascii_case(word))
}
