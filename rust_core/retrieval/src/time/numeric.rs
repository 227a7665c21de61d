//! Times that are written in digits.

use super::civil::{DAY, HOUR, MINUTE, SECOND, day};
use super::lexicon::Word;

/// Years that a number alone can be.
pub(super) const YEARS: std::ops::RangeInclusive<u16> = 1900..=2099;

/// What a piece with digits says; None if it is no time as a whole.
pub(super) fn word_of(piece: &str) -> Option<Word> {
    if piece.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(if piece.len() <= 4 {
            Word::Number(number(piece)?)
        } else {
            Word::Opaque
        });
    }
    if !piece.is_ascii() {
        return None;
    }
    suffixed(piece)
        .or_else(|| clock(piece))
        .or_else(|| date(piece))
        .or_else(|| moment(piece))
        .or_else(|| quarter(piece))
}

/// Whether a piece is parts between hyphens and dots that together can be a time: "7-May-2023", "mid-2021", "11-15",
/// "2019-2021".
pub(super) fn is_made_of_parts(piece: &str, part_of: impl Fn(&str) -> Word) -> bool {
    let (mut small, mut years, mut words) = (0, 0, 0);
    for part in piece.split(['-', '.']) {
        match part_of(part) {
            Word::Number(number) if YEARS.contains(&number) => years += 1,
            Word::Number(1..=31) | Word::Ordinal(_) => small += 1,
            Word::Month(..) => words += 1,
            Word::Early | Word::Mid | Word::Late if small + years + words == 0 => words += 1,
            Word::Decade(_) if small + years == 0 && words > 0 => years += 1,
            _ => return false,
        }
    }
    let is_range = !piece.contains('.') && matches!((small, years), (2, 0) | (0, 2));
    (words == 1 && small <= 2 && years <= 1) || (words == 0 && is_range)
}

/// Whether commas cut a number into groups of three digits.
pub(super) fn groups_thousands(run: &str) -> bool {
    let mut groups = run.split(',');
    let is_number = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    let first = groups.next().unwrap_or("");
    (1..=3).contains(&first.len())
        && is_number(first)
        && groups.all(|group| group.len() == 3 && is_number(group))
}

/// "a.m", whose last dot has been cut off.
pub(super) fn meridiem(run: &str) -> Option<Word> {
    match run.as_bytes() {
        [b'a' | b'A', b'.', b'm' | b'M'] => Some(Word::Am),
        [b'p' | b'P', b'.', b'm' | b'M'] => Some(Word::Pm),
        _ => None,
    }
}

/// "7th", "1990s", "5pm".
fn suffixed(piece: &str) -> Option<Word> {
    let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
    let (number_text, suffix) = piece.split_at(digits);
    let value: u16 = number(number_text)?;
    let suffix_is = |wanted: &[&str]| wanted.iter().any(|one| suffix.eq_ignore_ascii_case(one));
    if suffix_is(&["st", "nd", "rd", "th"]) {
        return (1..=99)
            .contains(&value)
            .then_some(Word::Ordinal(value as u8));
    }
    if suffix_is(&["s"]) && value.is_multiple_of(10) {
        return match (digits, value) {
            (4, 1900..=2090) => Some(Word::Decade(value)),
            (2, 20..=90) => Some(Word::Decade(1900 + value)),
            _ => None,
        };
    }
    let half = meridiem(suffix).or(match suffix.to_ascii_lowercase().as_str() {
        "am" => Some(Word::Am),
        "pm" => Some(Word::Pm),
        _ => None,
    })?;
    of_half(value, 0, half == Word::Pm).map(|minute| Word::Clock(minute, false))
}

/// The minute of the day of a time of twelve hours.
pub(super) fn of_half(hour: u16, minute: u16, is_afternoon: bool) -> Option<u16> {
    ((1..=12).contains(&hour) && minute < 60)
        .then_some((hour % 12 + 12 * u16::from(is_afternoon)) * 60 + minute)
}

/// "17:30", "5:30pm", "17:30:10".
fn clock(piece: &str) -> Option<Word> {
    let (hours, rest) = piece.split_once(':')?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (minutes, suffix) = rest.split_at(digits);
    if minutes.len() != 2 {
        return None;
    }
    let (hour, minute) = (number(hours)?, number(minutes)?);
    let minute = match suffix.to_ascii_lowercase().as_str() {
        "am" | "a.m" => of_half(hour, minute, false)?,
        "pm" | "p.m" => of_half(hour, minute, true)?,
        _ if hour > 23 || minute > 59 => return None,
        "" => hour * 60 + minute,
        seconds => {
            let seconds = seconds.strip_prefix(':')?;
            (seconds.len() == 2 && number(seconds)? < 60).then_some(hour * 60 + minute)?
        }
    };
    Some(Word::Clock(minute, true))
}

/// "2023-05-07", "2023/05", "5/7/2023", "7.5.2023", "5/7".
fn date(piece: &str) -> Option<Word> {
    let separator = piece.chars().find(|mark| !mark.is_ascii_digit())?;
    if !matches!(separator, '-' | '/' | '.') {
        return None;
    }
    let mut groups = [""; 3];
    let mut count = 0;
    for group in piece.split(separator) {
        *groups.get_mut(count)? = group;
        count += 1;
    }
    let [first, second, third] = groups;
    let small = |group: &str| {
        (1..=2)
            .contains(&group.len())
            .then(|| number(group))
            .flatten()
    };
    let year =
        |group: &str| number(group).filter(|year| group.len() == 4 && (1000..=2999).contains(year));
    match count {
        2 if separator == '/' && first.len() <= 2 => {
            let (first, second) = (small(first)?, small(second)?);
            let is_date = (1..=31).contains(&first) && (1..=31).contains(&second);
            (is_date && (first <= 12 || second <= 12))
                .then_some(Word::Slashed(first as u8, second as u8))
        }
        2 if separator != '.' && second.len() == 2 => {
            let (year, month) = (year(first)?, number(second)?);
            (1..=12)
                .contains(&month)
                .then_some(Word::YearMonth(year, month as u8))
        }
        3 if first.len() == 4 => date_of(year(first)?, small(second)?, small(third)?),
        3 => {
            let (first, second) = (small(first)?, small(second)?);
            let year = match (third.len(), separator) {
                (2, '/') => 2000 + number(third)?,
                _ => year(third)?,
            };
            if separator == '.' {
                return date_of(year, second, first);
            }
            match (date_of(year, first, second), date_of(year, second, first)) {
                (Some(_), Some(_)) if first != second => {
                    Some(Word::EitherOrder(first as u8, second as u8, year))
                }
                (month_first, day_first) => month_first.or(day_first),
            }
        }
        _ => None,
    }
}

fn date_of(year: u16, month: u16, of_month: u16) -> Option<Word> {
    day(year.into(), month.into(), of_month.into())?;
    Some(Word::Date(year, month as u8, of_month as u8))
}

/// "2023-05-07T10:00", with seconds, fractions and an offset where they are.
fn moment(piece: &str) -> Option<Word> {
    let (date_text, time) = piece.split_once(['T', 't'])?;
    let Some(Word::Date(year, month, of_month)) = date(date_text).filter(|_| date_text.len() == 10)
    else {
        return None;
    };
    let (time, offset) = match time.find(['Z', 'z', '+', '-']) {
        None => (time, None),
        Some(place) => (&time[..place], Some(offset(&time[place..])?)),
    };
    let mut parts = time.split(':');
    let mut next = |most| {
        let part = parts.next()?;
        number(part).filter(|value| part.len() == 2 && *value <= most)
    };
    let (hour, minute) = (next(23)?, next(59)?);
    let (second, fraction, unit) = match parts.next() {
        None => (0, 0, MINUTE),
        Some(text) => seconds(text)?,
    };
    if parts.next().is_some() {
        return None;
    }
    let days = day(year.into(), month.into(), of_month.into())?;
    let clock = i64::from(hour) * HOUR + i64::from(minute) * MINUTE + second * SECOND + fraction;
    let micros = days * DAY + clock - offset.unwrap_or(0);
    Some(Word::Moment(micros, offset.is_some(), unit))
}

/// Seconds, microseconds, and what the last digit stands for.
fn seconds(text: &str) -> Option<(i64, i64, i64)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let second = number(whole).filter(|second| whole.len() == 2 && *second <= 60)?;
    let mut micros = 0;
    let mut unit = SECOND;
    for digit in fraction.bytes() {
        if !digit.is_ascii_digit() {
            return None;
        }
        if unit > 1 {
            unit /= 10;
            micros += i64::from(digit - b'0') * unit;
        }
    }
    Some((i64::from(second), micros, unit))
}

/// "Z", "+02:00", "-0730" in microseconds.
fn offset(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return (text.len() == 1).then_some(0),
    };
    let (hours, minutes) = match digits.len() {
        2 => (digits, "00"),
        4 => digits.split_at(2),
        _ => digits.split_once(':')?,
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60)
        .then_some(sign * (i64::from(hours) * HOUR + i64::from(minutes) * MINUTE))
}

/// "Q2".
fn quarter(piece: &str) -> Option<Word> {
    match piece.as_bytes() {
        [b'q' | b'Q', digit @ b'1'..=b'4'] => Some(Word::Quarter(digit - b'0')),
        _ => None,
    }
}

/// At most four digits.
fn number(digits: &str) -> Option<u16> {
    ((1..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
}
