//! How well an event time agrees with the times that a query names.

use super::civil::{DAY, HOUR, WEEK};
use super::{Reading, Reference, TimeExpressions, TimeRange, asks_when};

/// More readings of one query are not compared.
const MOST_READINGS: usize = 64;
/// An open range counts half far from the end that it names, and halves the rest in so many microseconds.
const OPEN_HALF_LIFE: f64 = 90.0 * DAY as f64;

/// The times that a query names, and whether it asks for one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueryTime {
    ranges: Vec<SoftRange>,
    asks_when: bool,
}

/// A range and how it fades.
#[derive(Clone, Copy, Debug, PartialEq)]
struct SoftRange {
    range: TimeRange,
    likelihood: f64,
    /// Microseconds; an open range is as wide as a day.
    width: f64,
    /// The half lives before and after it.
    before: f64,
    after: f64,
}

impl QueryTime {
    /// The times of a query, seen from a reference time.
    #[must_use]
    pub fn new(query: &str, reference: &Reference) -> Self {
        let expressions = TimeExpressions::new(query, reference);
        let ranges = expressions.flat_map(|expression| {
            let is_vague = expression.is_vague;
            let soft = move |reading: Reading| SoftRange::new(reading, is_vague);
            expression.readings.into_iter().map(soft)
        });
        Self {
            ranges: ranges.take(MOST_READINGS).collect(),
            asks_when: asks_when(query),
        }
    }

    /// Whether the query names a time.
    pub fn names_a_time(&self) -> bool {
        !self.ranges.is_empty()
    }

    /// Whether the query asks when something happened.
    pub fn asks_when(&self) -> bool {
        self.asks_when
    }

    /// How well an event agrees: 0 to 1, the best over the readings of the query's times.
    ///
    /// A reading's range is `w` long, at least an hour. Of an event within it the score is the reading's likelihood. An
    /// event `d` after its end has `2^(-d / h)` of it, with `h = min(1 week, 12 w) + w / 4`: what happened is often told
    /// days later ("I went there last week"), and a month is named less sharply than a day. An event `d` before its
    /// beginning has `2^(-2 d / h)`. Both half lives are longer by `w / 2` for a vague time ("around", "early"). An event
    /// that is itself known only to a range of `v > w` has `sqrt((w + h) / (v + h))` of that. Within a range with one end an
    /// event counts `(1 + 2^(-d / 90 days)) / 2` by its distance from that end.
    ///
    /// `end_micros` is the exclusive end of the event's own range; without it the range follows from `precision`, the
    /// number of `mnemic.v1.TimePrecision`.
    pub fn score(&self, time_micros: i64, end_micros: Option<i64>, precision: u8) -> f64 {
        let end = end_micros.unwrap_or_else(|| time_micros.saturating_add(length_of(precision)));
        let event = TimeRange::new(time_micros, end.max(time_micros));
        let scores = self.ranges.iter().map(|range| range.score(event));
        scores.fold(0.0, f64::max)
    }
}

impl SoftRange {
    fn new(reading: Reading, is_vague: bool) -> Self {
        let range = reading.range;
        let width = if range.is_open() {
            DAY as f64
        } else {
            range.length().max(HOUR) as f64
        };
        let half_life = (12.0 * width).min(WEEK as f64) + width / 4.0;
        let blur = if is_vague { width / 2.0 } else { 0.0 };
        Self {
            range,
            likelihood: reading.likelihood,
            width,
            before: half_life / 2.0 + blur,
            after: half_life + blur,
        }
    }

    fn score(&self, event: TimeRange) -> f64 {
        let TimeRange {
            start_micros,
            end_micros,
        } = self.range;
        let distance = |from: i64, to: i64| to.saturating_sub(from) as f64;
        let closeness = if event.start_micros >= end_micros {
            (-distance(end_micros, event.start_micros) / self.after).exp2()
        } else if event.end_micros <= start_micros && event.start_micros < start_micros {
            (-distance(event.end_micros, start_micros) / self.before).exp2()
        } else if start_micros == i64::MIN && end_micros < i64::MAX {
            half_far(distance(event.end_micros, end_micros))
        } else if end_micros == i64::MAX && start_micros > i64::MIN {
            half_far(distance(start_micros, event.start_micros))
        } else {
            1.0
        };
        let own = event.length() as f64;
        let sharpness = if own > self.width {
            ((self.width + self.after) / (own + self.after)).sqrt()
        } else {
            1.0
        };
        self.likelihood * closeness * sharpness
    }
}

fn half_far(distance: f64) -> f64 {
    f64::midpoint(1.0, (-distance.max(0.0) / OPEN_HALF_LIFE).exp2())
}

/// How long an event takes that is known to a precision of the contract.
fn length_of(precision: u8) -> i64 {
    match precision {
        2 => DAY,
        3 => WEEK,
        4 => 30 * DAY,
        5 => 365 * DAY,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::civil::day;
    use super::{DAY, HOUR, QueryTime, Reference};

    fn noon(year: i64, month: i64, of_month: i64) -> i64 {
        day(year, month, of_month).expect("a date") * DAY + 12 * HOUR
    }

    fn score(query: &str, event: i64) -> f64 {
        let reference = Reference::utc(noon(2023, 11, 22));
        QueryTime::new(query, &reference).score(event, None, 0)
    }

    fn assert_near(query: &str, event: i64, expected: f64) {
        let found = score(query, event);
        assert!(
            (found - expected).abs() < 0.01,
            "{query}: {found}, not {expected}"
        );
    }

    #[test]
    fn a_day_fades_over_the_week_after_it_and_faster_before() {
        let query = "What did Ann do on May 7, 2023?";
        assert_near(query, noon(2023, 5, 7), 1.0);
        assert_near(query, noon(2023, 5, 8), (-0.5_f64 / 7.25).exp2());
        assert_near(query, noon(2023, 5, 14), (-6.5_f64 / 7.25).exp2());
        assert_near(query, noon(2023, 5, 6), (-0.5 / 3.625_f64).exp2());
        assert_near(query, noon(2023, 4, 30), (-6.5 / 3.625_f64).exp2());
        assert!(score(query, noon(2023, 8, 1)) < 0.01);
    }

    #[test]
    fn the_edges_of_a_month_are_softer_than_those_of_a_day_and_those_of_an_hour_are_sharper() {
        assert_near("in May 2023", noon(2023, 5, 31), 1.0);
        let after = |query| score(query, noon(2023, 6, 10));
        assert!(after("in May 2023") > after("on May 31, 2023"));
        assert!(after("early May 2023") < after("in May 2023"));
        let event = noon(2023, 11, 20);
        assert!(score("an hour ago", event) < 0.1 && score("today", event) > 0.5);
    }

    #[test]
    fn an_event_that_is_known_less_exactly_than_asked_counts_less() {
        let query = QueryTime::new("on May 7, 2023", &Reference::utc(0));
        let of = |precision| query.score(noon(2023, 5, 1) - 12 * HOUR, None, precision);
        assert!((of(4) - (8.25_f64 / 37.25).sqrt()).abs() < 1e-9);
        assert!(of(5) < of(4) && of(4) > of(2));
        let month = QueryTime::new("in May 2023", &Reference::utc(0));
        assert!((month.score(noon(2023, 5, 7), None, 2) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_month_without_a_year_is_the_last_one_and_the_years_before_are_fainter() {
        assert_near("in June", noon(2023, 6, 5), 1.0);
        assert_near("in June", noon(2022, 6, 5), 0.8);
        assert_near("in June", noon(2024, 6, 5), 0.5);
    }

    #[test]
    fn an_open_range_prefers_what_is_near_its_end() {
        assert_near("before 2020", noon(2019, 12, 31), 1.0);
        assert_near("before 2020", noon(2010, 1, 1), 0.5);
        assert!(score("before 2020", noon(2020, 3, 1)) < 0.01);
        assert_near("after May 3, 2023", noon(2023, 8, 2), 0.75);
    }

    #[test]
    fn hostile_times_have_a_score() {
        let query = QueryTime::new(
            "before 2020, after 2021 and in May",
            &Reference::utc(i64::MAX),
        );
        for time in [i64::MIN, i64::MAX, 0] {
            for end in [None, Some(i64::MIN), Some(i64::MAX)] {
                let score = query.score(time, end, 4);
                assert!((0.0..=1.0).contains(&score), "{score}");
            }
        }
    }
}
