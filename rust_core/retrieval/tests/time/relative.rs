//! Times that count from the reference time.

use mnemic_retrieval::time::{Direction, Kind, Precision};

use crate::support::{assert_named, bounds, one, range};

#[test]
fn days_and_parts_of_days() {
    assert_named(
        r"
        I went yesterday. | yesterday | 2023-11-21
        Today was fun | Today | 2023-11-22
        today's news | today | 2023-11-22
        the day before yesterday | day before yesterday | 2023-11-20
        the day after tomorrow | day after tomorrow | 2023-11-24
        tonight | tonight | 2023-11-22T18..2023-11-23T5
        last night | last night | 2023-11-21T18..2023-11-22T5
        this morning | this morning | 2023-11-22T5..2023-11-22T12
        yesterday evening | yesterday evening | 2023-11-21T17..2023-11-22
        yesterday at 5pm | yesterday at 5pm | 2023-11-21T17..2023-11-21T18
        on Friday night | Friday night | 2023-11-17T18..2023-11-18T5
        three days ago | three days ago | 2023-11-19
        in 3 days | in 3 days | 2023-11-25
        2 days from now | 2 days from now | 2023-11-24
        ",
    );
    assert_eq!(one("tomorrow at 17:00").precision, Precision::Instant);
    assert_eq!(one("an hour ago").precision, Precision::Hour);
}

#[test]
fn the_last_and_the_next() {
    assert_named(
        r"
        last week | last week | 2023-11-13..2023-11-20
        this week | this week | 2023-11-20..2023-11-27
        next week | next week | 2023-11-27..2023-12-04
        last weekend | last weekend | 2023-11-18..2023-11-20
        this weekend | this weekend | 2023-11-25..2023-11-27
        this past weekend | this past weekend | 2023-11-18..2023-11-20
        last month | last month | 2023-10-01..2023-11-01
        next month | next month | 2023-12-01..2024-01-01
        last year | last year | 2022-01-01..2023-01-01
        last Friday | last Friday | 2023-11-17
        last Tuesday | last Tuesday | 2023-11-21
        this Friday | this Friday | 2023-11-24
        next Friday | next Friday | 2023-12-01
        this coming Friday | this coming Friday | 2023-12-01
        last summer | last summer | 2023-06-01..2023-09-01
        next summer | next summer | 2024-06-01..2024-09-01
        last fall | last fall | 2022-09-01..2022-12-01
        last August | last August | 2023-08-01..2023-09-01
        last May | last May | 2023-05-01..2023-06-01
        the week before last | week before last | 2023-11-06..2023-11-13
        the weekend after next | weekend after next | 2023-12-09..2023-12-11
        late last year | late last year | 2022-09-01T8..2023-01-01
        the end of last month | end of last month | 2023-10-21T16..2023-11-01
        ",
    );
    assert_eq!(
        bounds(one("the past week").range()),
        (range("now..").0 - 7 * 86_400_000_000, range("now..").0)
    );
    let friday = one("next Friday");
    assert_eq!(
        bounds(friday.readings[1].range),
        range("2023-11-24"),
        "the nearest is meant too"
    );
}

#[test]
fn so_many_periods_away() {
    assert_named(
        r"
        two weeks ago | two weeks ago | 2023-11-06..2023-11-13
        a month ago | a month ago | 2023-10-01..2023-11-01
        four years ago | four years ago | 2019-01-01..2020-01-01
        10 years ago | 10 years ago | 2013-01-01..2014-01-01
        about five years ago | about five years ago | 2018-01-01..2019-01-01
        a few weeks ago | a few weeks ago | 2023-10-16..2023-11-13
        a couple of days ago | a couple of days ago | 2023-11-20
        two or three days ago | two or three days ago | 2023-11-19..2023-11-21
        2-3 weeks ago | 2-3 weeks ago | 2023-10-30..2023-11-13
        two weekends ago | two weekends ago | 2023-11-11..2023-11-13
        three summers ago | three summers ago | 2021-06-01..2021-09-01
        a year and a half ago | a year and a half ago | 2022-05-01..2022-06-01
        a few years back. | a few years back | 2018-01-01..2022-01-01
        in two weeks | in two weeks | 2023-12-04..2023-12-11
        in a month | in a month | 2023-12-01..2024-01-01
        ",
    );
    for vague in [
        "a few weeks ago",
        "about five years ago",
        "a couple of days ago",
        "some two weeks ago",
        "in the past few days",
    ] {
        let expected = vague != "some two weeks ago";
        assert_eq!(one(vague).is_vague, expected, "{vague}");
    }
    let (start, end) = bounds(one("the last 3 months").range());
    assert_eq!((end - start, end), (90 * 86_400_000_000, range("now..").0));
}

#[test]
fn the_rest_of_a_period() {
    assert_named(
        r"
        earlier this week | earlier this week | 2023-11-20..now
        later this month | later this month | now..2023-12-01
        earlier today | earlier today | 2023-11-22..now
        ",
    );
}

#[test]
fn kind_and_direction() {
    for (text, kind, direction) in [
        ("yesterday", Kind::Relative, Direction::Past),
        ("this week", Kind::Relative, Direction::Present),
        ("in three days", Kind::Relative, Direction::Future),
        ("on 2021-05-07", Kind::Absolute, Direction::Past),
        ("in 2024", Kind::Absolute, Direction::Future),
        ("on Friday", Kind::Partial, Direction::Unknown),
        (
            "the week before August 3",
            Kind::Partial,
            Direction::Unknown,
        ),
        (
            "the week before last Friday",
            Kind::Relative,
            Direction::Past,
        ),
    ] {
        let found = one(text);
        assert_eq!((found.kind, found.direction), (kind, direction), "{text}");
    }
}
