//! The English words that times are made of.

use super::civil::{Period, Season};

/// What a word or a number says about time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// Nothing.
    Other,
    /// A version, an amount, a telephone number: digits that are no time, whatever stands around them.
    Opaque,
    /// One to four digits.
    Number(u16),
    /// "two".
    Count(u8),
    /// "7th", "first".
    Ordinal(u8),
    /// 1 is January.
    Month(u8, Use),
    /// 0 is Monday.
    Weekday(u8, Use),
    Period(Period),
    Season(Season),
    DayPart(DayPart),
    /// "yesterday" is -1.
    DayAway(i8),
    Tonight,
    /// "Christmas": month and day.
    Feast(u8, u8),
    /// 2023-05-07.
    Date(u16, u8, u8),
    /// 5/7/2023: two numbers that are month and day in either order, and the year.
    EitherOrder(u8, u8, u16),
    /// 5/7.
    Slashed(u8, u8),
    /// 2023-05.
    YearMonth(u16, u8),
    /// Microseconds since 1970-01-01 as written, whether UTC's, and how many of them the last digit stands for.
    Moment(i64, bool, i64),
    /// The minute of the day, and whether the minutes were written.
    Clock(u16, bool),
    /// Its first year.
    Decade(u16),
    /// "Q2".
    Quarter(u8),
    A,
    About,
    After,
    Ago,
    And,
    Am,
    Around,
    /// "my", "our".
    Article,
    At,
    Back,
    Before,
    Beginning,
    Between,
    By,
    Couple,
    During,
    Earlier,
    Early,
    End,
    Every,
    Few,
    For,
    From,
    Half,
    In,
    Last,
    Late,
    Later,
    Mid,
    Middle,
    Next,
    Now,
    Of,
    On,
    Or,
    Past,
    Pm,
    Several,
    Since,
    Some,
    The,
    This,
    To,
    Until,
    Within,
    /// Says of its sentence that it speaks of what is to come.
    Future,
    /// Says of its sentence that it speaks of what was.
    Bygone,
}

/// How far a word can be taken for the name of a month or a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It means nothing else.
    Name,
    /// A name of somebody too: only where a time is expected.
    Doubtful,
    /// A verb or a thing more often.
    Ambiguous,
    /// A common abbreviation of nothing else.
    Short,
}

/// A part of the day, in hours from its midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DayPart {
    Morning,
    Noon,
    Afternoon,
    Evening,
    Night,
}

impl DayPart {
    pub(super) fn hours(self) -> (i64, i64) {
        match self {
            Self::Morning => (5, 12),
            Self::Noon => (12, 13),
            Self::Afternoon => (12, 18),
            Self::Evening => (17, 24),
            Self::Night => (18, 29),
        }
    }
}

use Period::{Day, Decade, Hour, Minute, Month as Months, Quarter, Week, Weekend, Year};
use Use::{Ambiguous, Doubtful, Name, Short};

/// Sorted, for the binary search; in lower case.
#[rustfmt::skip]
const WORDS: &[(&str, Word)] = &[
    ("a", Word::A), ("about", Word::About), ("after", Word::After), ("afternoon", Word::DayPart(DayPart::Afternoon)),
    ("ago", Word::Ago), ("am", Word::Am), ("an", Word::A), ("and", Word::And), ("approximately", Word::Around),
    ("apr", Word::Month(4, Short)), ("april", Word::Month(4, Doubtful)), ("around", Word::Around), ("at", Word::At),
    ("attended", Word::Bygone), ("aug", Word::Month(8, Short)), ("august", Word::Month(8, Doubtful)),
    ("autumn", Word::Season(Season::Autumn)), ("back", Word::Back), ("before", Word::Before), ("beginning", Word::Beginning),
    ("between", Word::Between), ("by", Word::By), ("christmas", Word::Feast(12, 25)), ("circa", Word::Around),
    ("coming", Word::Next), ("couple", Word::Couple), ("day", Word::Period(Day)), ("days", Word::Period(Day)),
    ("dec", Word::Month(12, Short)), ("decade", Word::Period(Decade)), ("decades", Word::Period(Decade)),
    ("december", Word::Month(12, Name)), ("did", Word::Bygone), ("didn't", Word::Bygone), ("during", Word::During), ("each", Word::Every),
    ("earlier", Word::Earlier), ("early", Word::Early), ("eight", Word::Count(8)), ("eighth", Word::Ordinal(8)),
    ("eleven", Word::Count(11)), ("eleventh", Word::Ordinal(11)), ("end", Word::End), ("evening", Word::DayPart(DayPart::Evening)),
    ("every", Word::Every), ("fall", Word::Season(Season::Autumn)), ("feb", Word::Month(2, Short)),
    ("february", Word::Month(2, Name)), ("few", Word::Few), ("fifteen", Word::Count(15)), ("fifth", Word::Ordinal(5)),
    ("first", Word::Ordinal(1)), ("five", Word::Count(5)), ("for", Word::For),
    ("four", Word::Count(4)), ("fourth", Word::Ordinal(4)), ("fri", Word::Weekday(4, Ambiguous)),
    ("friday", Word::Weekday(4, Name)), ("from", Word::From), ("gonna", Word::Future), ("had", Word::Bygone), ("hadn't", Word::Bygone),
    ("half", Word::Half), ("halloween", Word::Feast(10, 31)), ("hasn't", Word::Bygone), ("haven't", Word::Bygone), ("her", Word::Article), ("his", Word::Article),
    ("hour", Word::Period(Hour)), ("hours", Word::Period(Hour)), ("in", Word::In), ("its", Word::Article),
    ("jan", Word::Month(1, Ambiguous)), ("january", Word::Month(1, Name)), ("jul", Word::Month(7, Short)),
    ("july", Word::Month(7, Name)), ("jun", Word::Month(6, Short)), ("june", Word::Month(6, Doubtful)),
    ("last", Word::Last), ("late", Word::Late), ("later", Word::Later), ("mar", Word::Month(3, Ambiguous)),
    ("march", Word::Month(3, Ambiguous)), ("may", Word::Month(5, Ambiguous)), ("mid", Word::Mid), ("middle", Word::Middle),
    ("minute", Word::Period(Minute)), ("minutes", Word::Period(Minute)), ("mon", Word::Weekday(0, Ambiguous)),
    ("monday", Word::Weekday(0, Name)), ("month", Word::Period(Months)), ("months", Word::Period(Months)),
    ("morning", Word::DayPart(DayPart::Morning)), ("my", Word::Article), ("next", Word::Next),
    ("night", Word::DayPart(DayPart::Night)), ("nine", Word::Count(9)), ("ninth", Word::Ordinal(9)),
    ("noon", Word::DayPart(DayPart::Noon)), ("nov", Word::Month(11, Short)), ("november", Word::Month(11, Name)),
    ("now", Word::Now), ("oct", Word::Month(10, Short)), ("october", Word::Month(10, Name)), ("of", Word::Of),
    ("on", Word::On), ("one", Word::Count(1)), ("or", Word::Or), ("our", Word::Article), ("over", Word::During),
    ("past", Word::Past), ("per", Word::Every), ("planning", Word::Future), ("plans", Word::Future), ("pm", Word::Pm),
    ("previous", Word::Past), ("quarter", Word::Period(Quarter)), ("quarters", Word::Period(Quarter)),
    ("roughly", Word::Around), ("sat", Word::Weekday(5, Ambiguous)), ("saturday", Word::Weekday(5, Name)),
    ("second", Word::Ordinal(2)), ("sep", Word::Month(9, Short)), ("sept", Word::Month(9, Short)),
    ("september", Word::Month(9, Name)), ("seven", Word::Count(7)), ("seventh", Word::Ordinal(7)),
    ("several", Word::Several), ("shall", Word::Future), ("since", Word::Since), ("six", Word::Count(6)),
    ("sixth", Word::Ordinal(6)), ("some", Word::Some), ("spring", Word::Season(Season::Spring)), ("start", Word::Beginning),
    ("summer", Word::Season(Season::Summer)), ("summers", Word::Season(Season::Summer)), ("sun", Word::Weekday(6, Ambiguous)),
    ("sunday", Word::Weekday(6, Name)), ("ten", Word::Count(10)), ("tenth", Word::Ordinal(10)), ("that", Word::Article),
    ("the", Word::The), ("their", Word::Article), ("third", Word::Ordinal(3)), ("thirty", Word::Count(30)),
    ("this", Word::This), ("three", Word::Count(3)), ("through", Word::Until), ("throughout", Word::During),
    ("thu", Word::Weekday(3, Ambiguous)), ("thurs", Word::Weekday(3, Ambiguous)), ("thursday", Word::Weekday(3, Name)),
    ("till", Word::Until), ("to", Word::To), ("today", Word::DayAway(0)), ("tomorrow", Word::DayAway(1)),
    ("tonight", Word::Tonight), ("tue", Word::Weekday(1, Ambiguous)), ("tues", Word::Weekday(1, Ambiguous)),
    ("tuesday", Word::Weekday(1, Name)), ("twelfth", Word::Ordinal(12)), ("twelve", Word::Count(12)),
    ("twenty", Word::Count(20)), ("two", Word::Count(2)), ("until", Word::Until), ("upcoming", Word::Next),
    ("was", Word::Bygone), ("wasn't", Word::Bygone), ("wed", Word::Weekday(2, Ambiguous)), ("wednesday", Word::Weekday(2, Name)),
    ("week", Word::Period(Week)), ("weekend", Word::Period(Weekend)), ("weekends", Word::Period(Weekend)),
    ("weeks", Word::Period(Week)), ("went", Word::Bygone), ("were", Word::Bygone), ("weren't", Word::Bygone), ("will", Word::Future),
    ("winter", Word::Season(Season::Winter)), ("winters", Word::Season(Season::Winter)), ("within", Word::Within),
    ("won't", Word::Future), ("xmas", Word::Feast(12, 25)), ("year", Word::Period(Year)), ("years", Word::Period(Year)),
    ("yesterday", Word::DayAway(-1)),
];

/// The longest of them.
pub(super) const LONGEST_WORD: usize = 13;

/// For each letter the lengths of the words that begin with it, one bit each: they rule out most other words.
const LENGTHS: [u16; 128] = {
    let mut lengths = [0; 128];
    let mut place = 0;
    while place < WORDS.len() {
        let word = WORDS[place].0.as_bytes();
        lengths[word[0] as usize] |= 1 << word.len();
        place += 1;
    }
    lengths
};

/// What a word says, in lower case and without a possessive ending.
pub(super) fn look_up(word: &str) -> Word {
    if word.ends_with("'ll") {
        return Word::Future;
    }
    let first = word.bytes().next().map(usize::from);
    let lengths = first.and_then(|first| LENGTHS.get(first));
    if word.len() > LONGEST_WORD || lengths.is_none_or(|lengths| lengths >> word.len() & 1 == 0) {
        return Word::Other;
    }
    let place = WORDS.binary_search_by(|(known, _)| (*known).cmp(word));
    place.map_or(Word::Other, |place| WORDS[place].1)
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_WORD, WORDS};

    #[test]
    fn the_words_are_sorted_and_none_is_longer_than_said() {
        assert!(WORDS.is_sorted_by(|a, b| a.0 < b.0));
        let longest = WORDS.iter().map(|(word, _)| word.len()).max();
        assert_eq!(longest, Some(LONGEST_WORD));
    }
}
