//! Times of the calendar: absolute ones, and partial ones that the reference time completes.

use mnemic_retrieval::time::{
    Direction, Kind, Precision, Reference, TimeExpressions, names_a_time,
};

use crate::support::{all, assert_named, bounds, micros, one, range, reference};

#[test]
fn dates_in_every_usual_form() {
    assert_named(
        r"
        on 2023-05-07. | 2023-05-07 | 2023-05-07
        2023/05/07 | 2023/05/07 | 2023-05-07
        on 7 May 2023 | 7 May 2023 | 2023-05-07
        the 7th of May, 2023 | 7th of May, 2023 | 2023-05-07
        May 7th, 2023 | May 7th, 2023 | 2023-05-07
        May 7 2023 | May 7 2023 | 2023-05-07
        MAY 7, 2023 | MAY 7, 2023 | 2023-05-07
        may 7 2023 | may 7 2023 | 2023-05-07
        December 1,2023 | December 1,2023 | 2023-12-01
        7-May-2023 | 7-May-2023 | 2023-05-07
        Aug. 15, 2023 | Aug. 15, 2023 | 2023-08-15
        Sunday, 7 May 2023 | Sunday, 7 May 2023 | 2023-05-07
        Sunday the 7th of May 2023 | Sunday the 7th of May 2023 | 2023-05-07
        on 8th December, 2023? | 8th December, 2023 | 2023-12-08
        25/12/2023 | 25/12/2023 | 2023-12-25
        07.05.2023 | 07.05.2023 | 2023-05-07
        4/13/21 | 4/13/21 | 2021-04-13
        ",
    );
    let moment = one("at 2023-05-07T10:00:00+02:00");
    assert_eq!(moment.precision, Precision::Instant);
    assert_eq!(
        bounds(moment.range()),
        (micros("2023-05-07T8"), micros("2023-05-07T8") + 1_000_000)
    );
}

#[test]
fn months_years_seasons_and_longer() {
    assert_named(
        r"
        in May 2023 | May 2023 | 2023-05-01..2023-06-01
        in May of 2023 | May of 2023 | 2023-05-01..2023-06-01
        in September, 2023 | September, 2023 | 2023-09-01..2023-10-01
        2023-05 | 2023-05 | 2023-05-01..2023-06-01
        in 2021 | 2021 | 2021-01-01..2022-01-01
        our 2021 trip | 2021 | 2021-01-01..2022-01-01
        the beach 2021 | 2021 | 2021-01-01..2022-01-01
        in the year 1969 | 1969 | 1969-01-01..1970-01-01
        in summer 2021 | summer 2021 | 2021-06-01..2021-09-01
        in the summer of 2021 | summer of 2021 | 2021-06-01..2021-09-01
        fall 2021 | fall 2021 | 2021-09-01..2021-12-01
        winter 2021 | winter 2021 | 2021-12-01..2022-03-01
        Q2 2023 | Q2 2023 | 2023-04-01..2023-07-01
        in the 1990s | 1990s | 1990-01-01..2000-01-01
        in the '90s | 90s | 1990-01-01..2000-01-01
        at Christmas 2022 | Christmas 2022 | 2022-12-25
        ",
    );
}

#[test]
fn what_recurs_is_the_last_one_unless_the_sentence_speaks_of_the_future() {
    assert_named(
        r"
        What did he do in June? | June | 2023-06-01..2023-07-01
        What did he do in December? | December | 2022-12-01..2023-01-01
        in November | November | 2023-11-01..2023-12-01
        What will he do in June? | June | 2024-06-01..2024-07-01
        She is going to move in June. | June | 2024-06-01..2024-07-01
        I'll call. It was in June | June | 2023-06-01..2023-07-01
        on Aug 15th | Aug 15th | 2023-08-15
        on December 1 | December 1 | 2022-12-01
        on February 29 | February 29 | 2020-02-29
        on Friday | Friday | 2023-11-17
        on Wednesday | Wednesday | 2023-11-22
        We'll meet on Friday | Friday | 2023-11-24
        See you Monday! | Monday | 2023-11-27
        paid on the 7th | 7th | 2023-11-07
        paid on the 31st | 31st | 2023-10-31
        over the weekend | weekend | 2023-11-18..2023-11-20
        during the summer | summer | 2023-06-01..2023-09-01
        What are her plans for the summer? | summer | 2024-06-01..2024-09-01
        at Christmas | Christmas | 2022-12-25
        on 5/7 | 5/7 | 2023-05-07
        the June trip | June | 2023-06-01..2023-07-01
        ",
    );
    let june = one("in June");
    assert_eq!(
        (june.kind, june.direction),
        (Kind::Partial, Direction::Unknown)
    );
    let others: Vec<_> = june.readings.iter().skip(1).take(2).collect();
    assert_eq!(bounds(others[0].range), range("2022-06-01..2022-07-01"));
    assert!(others.iter().all(|other| other.likelihood < 1.0));
    assert!(
        june.readings
            .iter()
            .any(|other| bounds(other.range) == range("2024-06-01..2024-07-01"))
    );
    assert_eq!(one("I'll be there in June").direction, Direction::Future);
    assert_eq!(one("he was there in June").direction, Direction::Past);
}

#[test]
fn an_ambiguous_date_has_both_readings() {
    let date = one("on 5/7/2023");
    let ranges: Vec<_> = date
        .readings
        .iter()
        .map(|reading| bounds(reading.range))
        .collect();
    assert_eq!(ranges, [range("2023-05-07"), range("2023-07-05")]);
    assert_eq!(one("on 7/7/2023").readings.len(), 1);
    let winter = one("winter 2021");
    assert_eq!(
        bounds(winter.readings[1].range),
        range("2020-12-01..2021-03-01")
    );
}

#[test]
fn parts_of_times() {
    assert_named(
        r"
        early May 2023 | early May 2023 | 2023-05-01..2023-05-11T8
        in mid-June 2023 | mid-June 2023 | 2023-06-11..2023-06-21
        late 2022 | late 2022 | 2022-09-01T8..2023-01-01
        in the beginning of November 2022 | beginning of November 2022 | 2022-11-01..2022-11-11
        at the end of the month | end of the month | 2023-11-21..2023-12-01
        the first week of June | first week of June | 2023-06-01..2023-06-08
        the second week of November | second week of November | 2023-11-08..2023-11-15
        the last week of May 2023 | last week of May 2023 | 2023-05-25..2023-06-01
        the first weekend of June | first weekend of June | 2023-06-03..2023-06-05
        the last Friday in May 2023 | last Friday in May 2023 | 2023-05-26
        the third Thursday of this month | third Thursday of this month | 2023-11-16
        the first half of September 2022 | first half of September 2022 | 2022-09-01..2022-09-16
        the last day of 2022 | last day of 2022 | 2022-12-31
        the 7th of last month | 7th of last month | 2023-10-07
        the week of May 17, 2023 | week of May 17, 2023 | 2023-05-15..2023-05-22
        on the evening of 7 July, 2023 | evening of 7 July, 2023 | 2023-07-07T17..2023-07-08
        May 7, 2023 in the morning | May 7, 2023 in the morning | 2023-05-07T5..2023-05-07T12
        on May 7, 2023 at 5 pm | May 7, 2023 at 5 pm | 2023-05-07T17..2023-05-07T18
        2023-05-07, 5pm | 2023-05-07, 5pm | 2023-05-07T17..2023-05-07T18
        ",
    );
    assert!(
        one("early May 2023").is_vague && one("around 2021").is_vague && !one("in 2021").is_vague
    );
    assert_eq!(one("around May 2021").precision_number(), 6);
    assert_eq!(one("May 2021").precision_number(), 4);
    assert_eq!(one("on May 7, 2023 at 17:45").precision, Precision::Instant);
}

#[test]
fn ranges_and_what_lies_beside_a_date() {
    assert_named(
        r"
        between August 11 and August 15 2023 | between August 11 and August 15 2023 | 2023-08-11..2023-08-16
        between May and July 2023 | between May and July 2023 | 2023-05-01..2023-08-01
        from November to February 2023 | from November to February 2023 | 2022-11-01..2023-03-01
        from the 3rd to the 5th of May | from the 3rd to the 5th of May | 2023-05-03..2023-05-06
        May 3-5, 2023 | May 3-5, 2023 | 2023-05-03..2023-05-06
        11–15 August 2023 | 11–15 August 2023 | 2023-08-11..2023-08-16
        2019-2021 | 2019-2021 | 2019-01-01..2022-01-01
        between 2019 and 2021 | between 2019 and 2021 | 2019-01-01..2022-01-01
        from Monday until Friday | from Monday until Friday | 2023-11-13..2023-11-18
        since 2019 | since 2019 | 2019-01-01..now
        since last May | since last May | 2023-05-01..now
        we will have been here since May | since May | 2023-05-01..now
        before May 2023 | before May 2023 | ..2023-05-01
        by July 10, 2022 | by July 10, 2022 | ..2022-07-11
        after May 3, 2023 | after May 3, 2023 | 2023-05-04..
        until next Friday | until next Friday | now..2023-12-02
        the week before August 3, 2023 | week before August 3, 2023 | 2023-07-27..2023-08-03
        two weeks before August 11, 2023 | two weeks before August 11, 2023 | 2023-07-25..2023-08-01
        two days after August 11, 2023 | two days after August 11, 2023 | 2023-08-13
        the Sunday before October 25, 2022 | Sunday before October 25, 2022 | 2022-10-23
        last weekend before April 10, 2023 | last weekend before April 10, 2023 | 2023-04-08..2023-04-10
        two weekends before 17 July 2023 | two weekends before 17 July 2023 | 2023-07-08..2023-07-10
        the month after May 2023 | month after May 2023 | 2023-06-01..2023-07-01
        ",
    );
}

#[test]
fn ordinary_words_and_numbers_are_no_times() {
    for text in [
        "You may be right, and they march on.",
        "May I come in?",
        "the process may be long",
        "I may have two ideas",
        "a second opinion",
        "the sun sat low",
        "we wed in the sun",
        "a fall from the roof",
        "spring is my favourite song",
        "in an august company",
        "March forward!",
        "the March on Washington",
        "she sat down",
        "second thoughts",
        "version 1.2.3 and v2.0",
        "call 555-2021 or +1 555 2021",
        "at 10:30",
        "it costs $2021",
        "2,021 steps",
        "2000 steps a day",
        "1999 dollars",
        "room 3021",
        "in 5000",
        "the 7th floor",
        "on the 7th floor",
        "the 2nd one",
        "every Friday",
        "each summer",
        "once a week",
        "twice a year",
        "for four years",
        "10 years",
        "per month",
        "a one-year-old child",
        "see you later",
        "a great day",
        "the next day",
        "my day was fine",
        "good morning",
        "day by day",
        "3/4 of it",
        "ISBN 1-2-3",
        "https://example.com/2023/05/07",
        "Cyberpunk 2077",
        "5 miles",
        "these days",
        "some day",
        "long ago",
        "before dinner",
        "since then",
        "week 3",
        "a week",
        "the week before",
        "after school",
        "we haven't talked in a few days",
        "between 5 and 7 people",
        "from 3 to 5 dogs",
        "1/0",
        "February 30",
        "2023-13-01",
        "99/99/2023",
    ] {
        let found = all(text);
        assert!(found.is_empty(), "{text}: {found:?}");
        assert!(!names_a_time(text), "{text}");
    }
}

#[test]
fn times_are_found_in_the_middle_of_talk() {
    assert_named(
        r"
        What did John's teammates give him when they met on Aug 15th? | Aug 15th | 2023-08-15
        How many times has Melanie gone to the beach in 2023? | 2023 | 2023-01-01..2024-01-01
        Which US states might Tim be in during September 2022? | September 2022 | 2022-09-01..2022-10-01
        What charity event did John organize recently in 2022? | 2022 | 2022-01-01..2023-01-01
        Café — naïve 日本 on 7 May 2023 ☕ | 7 May 2023 | 2023-05-07
        ",
    );
    let two = all("last Friday on 23 January, 2022");
    assert_eq!(two.len(), 2);
    assert!(names_a_time("I went there yesterday") && names_a_time("on 3 June"));
}

#[test]
fn days_begin_where_the_offset_says() {
    // 23:30 on the 22nd in UTC is 01:30 on the 23rd two hours east.
    let reference = Reference {
        time_micros: reference().time_micros + 8 * 3_600_000_000,
        utc_offset_minutes: 120,
    };
    let found: Vec<_> = TimeExpressions::new(
        "yesterday, on 2023-05-07T10:00Z, at 2023-05-07T10:00",
        &reference,
    )
    .map(|found| bounds(found.range()).0)
    .collect();
    assert_eq!(
        found,
        [
            micros("2023-11-21T22"),
            micros("2023-05-07T10"),
            micros("2023-05-07T8")
        ]
    );
}
