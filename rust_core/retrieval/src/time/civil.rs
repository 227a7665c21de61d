//! Days, weeks, months and years of the Gregorian calendar, without time zones: a fixed offset has been added before.
//!
//! All functions saturate at the first day of year 1 and the last of year 9999.

use super::{Precision, TimeRange};

pub(super) const SECOND: i64 = 1_000_000;
pub(super) const MINUTE: i64 = 60 * SECOND;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;
pub(super) const WEEK: i64 = 7 * DAY;

const FIRST_YEAR: i64 = 1;
const LAST_YEAR: i64 = 9_999;
/// The days since 1970-01-01 of 0001-01-01 and of the day after 9999-12-31.
const FIRST_DAY: i64 = -719_162;
const END_DAY: i64 = 2_932_897;

/// A day of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: i64,
    /// 1 to 12.
    pub(super) month: i64,
    /// 1 to 31.
    pub(super) day: i64,
}

/// Three months, by the weather of the northern half of the earth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Season {
    Spring,
    Summer,
    Autumn,
    Winter,
}

/// What times are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Period {
    Minute,
    Hour,
    Day,
    Week,
    Weekend,
    Month,
    Quarter,
    Year,
    Decade,
    /// 0 is Monday.
    Weekday(u8),
    /// 1 is January.
    NamedMonth(u8),
    Season(Season),
}

impl Period {
    pub(super) fn precision(self) -> Precision {
        match self {
            Self::Minute => Precision::Instant,
            Self::Hour => Precision::Hour,
            Self::Day | Self::Weekday(_) => Precision::Day,
            Self::Weekend => Precision::Weekend,
            Self::Week => Precision::Week,
            Self::Month | Self::NamedMonth(_) => Precision::Month,
            Self::Quarter | Self::Season(_) => Precision::Season,
            Self::Year => Precision::Year,
            Self::Decade => Precision::Decade,
        }
    }

    /// The period that is `steps` away from the one at a moment: 0 is the one that holds it (for a weekday, the one of the
    /// same week; for a month or a season with a name, the one of the same year), -1 the last that is over, 1 the next that
    /// has not begun.
    pub(super) fn occurrence(self, moment: i64, steps: i64) -> TimeRange {
        let day = day_of(moment);
        let Date { year, month, .. } = date_of(day);
        match self {
            Self::Minute => around(moment, steps, MINUTE),
            Self::Hour => around(moment, steps, HOUR),
            Self::Day => days(day + steps, 1),
            Self::Week => days(monday_of(day) + 7 * steps, 7),
            Self::Weekend => days(monday_of(day) + 7 * steps + 5, 2),
            Self::Month => month_range(12 * year + month - 1 + steps, 1),
            Self::Quarter => month_range(12 * year + (month - 1) / 3 * 3 + 3 * steps, 3),
            Self::Year => month_range(12 * (year + steps), 12),
            Self::Decade => month_range(12 * (year / 10 * 10 + 10 * steps), 120),
            Self::Weekday(weekday) => weekday_range(day, i64::from(weekday), steps),
            Self::NamedMonth(named) => {
                let of_year = |year| month_range(12 * year + i64::from(named) - 1, 1);
                nth_from(moment, year, steps, of_year)
            }
            Self::Season(season) => {
                let of_year = |year| season_range(year, season);
                nth_from(moment, year, steps, of_year)
            }
        }
    }

    /// How long one is, about.
    pub(super) fn length(self) -> i64 {
        match self {
            Self::Minute => MINUTE,
            Self::Hour => HOUR,
            Self::Day | Self::Weekday(_) => DAY,
            Self::Weekend => 2 * DAY,
            Self::Week => WEEK,
            Self::Month | Self::NamedMonth(_) => 30 * DAY,
            Self::Quarter | Self::Season(_) => 91 * DAY,
            Self::Year => 365 * DAY,
            Self::Decade => 3_652 * DAY,
        }
    }
}

/// `steps` times a length away, as long as one.
fn around(moment: i64, steps: i64, length: i64) -> TimeRange {
    let middle = moment + steps * length;
    TimeRange::new(middle - length / 2, middle + length / 2)
}

fn weekday_range(day: i64, weekday: i64, steps: i64) -> TimeRange {
    let in_this_week = monday_of(day) + weekday;
    let first = match steps {
        0 => in_this_week,
        1.. => in_this_week + 7 * (steps - i64::from(in_this_week > day)),
        _ => in_this_week + 7 * (steps + i64::from(in_this_week < day)),
    };
    days(first, 1)
}

/// The occurrence of what happens once a year.
fn nth_from(moment: i64, year: i64, steps: i64, of_year: impl Fn(i64) -> TimeRange) -> TimeRange {
    match steps {
        0 => of_year(year),
        1.. => {
            let has_begun = of_year(year).start_micros <= moment;
            of_year(year + steps - i64::from(!has_begun))
        }
        _ => {
            let is_over = of_year(year).end_micros <= moment;
            let has_last_ended = of_year(year - 1).end_micros <= moment;
            of_year(year + steps + i64::from(is_over) - i64::from(!has_last_ended))
        }
    }
}

/// The day that holds a moment, counted from 1970-01-01.
pub(super) fn day_of(moment: i64) -> i64 {
    moment.div_euclid(DAY).clamp(FIRST_DAY, END_DAY - 1)
}

/// 0 is Monday.
pub(super) fn weekday_of(day: i64) -> i64 {
    (day + 3).rem_euclid(7)
}

fn monday_of(day: i64) -> i64 {
    day - weekday_of(day)
}

/// So many whole days.
pub(super) fn days(first: i64, count: i64) -> TimeRange {
    let first = first.clamp(FIRST_DAY, END_DAY - 1);
    let end = (first + count).min(END_DAY);
    TimeRange::new(first * DAY, end * DAY)
}

/// So many whole months from one that is counted from the first of year 0.
pub(super) fn month_range(first: i64, count: i64) -> TimeRange {
    let first = first.clamp(12 * FIRST_YEAR, 12 * LAST_YEAR + 11);
    let begin = |index: i64| day_number(index.div_euclid(12), index.rem_euclid(12) + 1, 1);
    let end = (first + count).min(12 * (LAST_YEAR + 1));
    TimeRange::new(begin(first) * DAY, begin(end) * DAY)
}

/// The season that begins in a year.
pub(super) fn season_range(year: i64, season: Season) -> TimeRange {
    let month = match season {
        Season::Spring => 2,
        Season::Summer => 5,
        Season::Autumn => 8,
        Season::Winter => 11,
    };
    month_range(12 * year + month, 3)
}

/// The day of a date; None if there is none such.
pub(super) fn day(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_possible = (FIRST_YEAR..=LAST_YEAR).contains(&year) && (1..=12).contains(&month);
    let number = day_number(year, month, day);
    (is_possible && (1..=31).contains(&day) && date_of(number) == Date { year, month, day })
        .then_some(number)
}

/// Howard Hinnant, "chrono-compatible low-level date algorithms", `days_from_civil`.
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The date of a day: `civil_from_days` of the same.
pub(super) fn date_of(day: i64) -> Date {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = shifted_month + if shifted_month < 10 { 3 } else { -9 };
    Date {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month,
        day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::{
        DAY, Date, END_DAY, FIRST_DAY, Period, Season, date_of, day, day_number, weekday_of,
    };

    fn dates(period: Period, today: (i64, i64, i64), steps: i64) -> (Date, Date) {
        let today = day(today.0, today.1, today.2).expect("a date");
        let range = period.occurrence(today * DAY + 15 * super::HOUR, steps);
        (
            date_of(range.start_micros / DAY),
            date_of(range.end_micros / DAY - 1),
        )
    }

    fn date(year: i64, month: i64, day: i64) -> Date {
        Date { year, month, day }
    }

    #[test]
    fn days_and_dates_agree_over_all_years() {
        assert_eq!(day_number(1, 1, 1), FIRST_DAY);
        assert_eq!(day_number(10_000, 1, 1), END_DAY);
        for number in (FIRST_DAY..END_DAY).step_by(13) {
            let Date { year, month, day } = date_of(number);
            assert_eq!(super::day(year, month, day), Some(number));
        }
        assert_eq!(day(2023, 2, 29), None);
        assert_eq!(day(2024, 2, 29).map(weekday_of), Some(3), "a Thursday");
    }

    #[test]
    fn the_last_and_the_next_of_a_period() {
        let wednesday = (2023, 5, 17);
        for (period, steps, first, last) in [
            (Period::Week, -1, date(2023, 5, 8), date(2023, 5, 14)),
            (Period::Weekend, -1, date(2023, 5, 13), date(2023, 5, 14)),
            (Period::Weekend, 0, date(2023, 5, 20), date(2023, 5, 21)),
            (Period::Month, -5, date(2022, 12, 1), date(2022, 12, 31)),
            (Period::Quarter, -1, date(2023, 1, 1), date(2023, 3, 31)),
            (Period::Decade, -1, date(2010, 1, 1), date(2019, 12, 31)),
            (Period::Weekday(2), -1, date(2023, 5, 10), date(2023, 5, 10)),
            (Period::Weekday(0), -1, date(2023, 5, 15), date(2023, 5, 15)),
            (Period::Weekday(4), 1, date(2023, 5, 19), date(2023, 5, 19)),
            (Period::Weekday(2), 1, date(2023, 5, 24), date(2023, 5, 24)),
            (
                Period::NamedMonth(5),
                -1,
                date(2022, 5, 1),
                date(2022, 5, 31),
            ),
            (
                Period::NamedMonth(3),
                -1,
                date(2023, 3, 1),
                date(2023, 3, 31),
            ),
            (
                Period::NamedMonth(5),
                1,
                date(2024, 5, 1),
                date(2024, 5, 31),
            ),
            (
                Period::Season(Season::Winter),
                -1,
                date(2022, 12, 1),
                date(2023, 2, 28),
            ),
            (
                Period::Season(Season::Summer),
                -1,
                date(2022, 6, 1),
                date(2022, 8, 31),
            ),
            (
                Period::Season(Season::Summer),
                1,
                date(2023, 6, 1),
                date(2023, 8, 31),
            ),
        ] {
            assert_eq!(
                dates(period, wednesday, steps),
                (first, last),
                "{period:?} {steps}"
            );
        }
        // In January the winter that began last year is not over.
        assert_eq!(
            dates(Period::Season(Season::Winter), (2023, 1, 10), -1).0,
            date(2021, 12, 1)
        );
    }
}
