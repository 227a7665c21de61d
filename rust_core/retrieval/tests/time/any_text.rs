//! What holds for the times of any text.

use mnemic_retrieval::time::{QueryTime, Reference, TimeExpressions, asks_when, names_a_time};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

/// Words, numbers and marks that times are made of, and some that break them.
const PIECES: &[&str] = &[
    "May",
    "may",
    "March",
    "Sunday",
    "sat",
    "7",
    "7th",
    "31",
    "2023",
    "99",
    "9999",
    "first",
    "last",
    "next",
    "this",
    "the",
    "of",
    "in",
    "on",
    "at",
    "by",
    "from",
    "to",
    "between",
    "and",
    "since",
    "before",
    "after",
    "until",
    "week",
    "weeks",
    "month",
    "years",
    "decade",
    "weekend",
    "ago",
    "back",
    "early",
    "mid-",
    "late",
    "end",
    "half",
    "a",
    "few",
    "couple",
    "now",
    "yesterday",
    "tonight",
    "tomorrow",
    "morning",
    "night",
    "5pm",
    "17:30",
    "2023-05-07",
    "5/7/2023",
    "2023-05-07T10:00Z",
    "9999-12-31T23:59:59+14:00",
    "0001-01-01",
    "1990s",
    "Q2",
    "summer",
    "fall",
    "Christmas",
    "will",
    "did",
    "around",
    "every",
    ",",
    ".",
    "-",
    "–",
    "'s",
    "(",
    "é",
    "日",
    "\u{202e}",
    "İ",
    "’",
    "\0",
    "999 decades",
    "February 29",
    "2 to 3",
];

fn times_like() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(PIECES);
    let gap = prop::sample::select(&[" ", " ", " ", "", "-", ", ", "\n"][..]);
    prop::collection::vec((piece, gap), 0..24).prop_map(|pieces| {
        pieces
            .into_iter()
            .flat_map(|(piece, gap)| [piece, gap])
            .collect()
    })
}

fn references() -> impl Strategy<Value = Reference> {
    let times = prop_oneof![
        any::<i64>(),
        Just(i64::MIN),
        Just(i64::MAX),
        -62_135_596_800_000_000..=253_402_300_799_999_999_i64,
        1_600_000_000_000_000..1_800_000_000_000_000_i64,
    ];
    (times, prop_oneof![-840..840_i32, any::<i32>()]).prop_map(
        |(time_micros, utc_offset_minutes)| Reference {
            time_micros,
            utc_offset_minutes,
        },
    )
}

fn check(text: &str, reference: &Reference) -> TestCaseResult {
    let mut from = 0;
    for found in TimeExpressions::new(text, reference) {
        prop_assert!(from <= found.span.start && found.span.start < found.span.end);
        prop_assert!(
            text.get(found.span.clone()).is_some(),
            "{:?} cuts a character",
            found.span
        );
        prop_assert!(found.readings[0].likelihood >= 1.0);
        for pair in found.readings.windows(2) {
            prop_assert!(pair[0].likelihood >= pair[1].likelihood);
        }
        for reading in &found.readings {
            prop_assert!(
                reading.range.start_micros < reading.range.end_micros,
                "{:?}",
                found
            );
            prop_assert!(reading.likelihood > 0.0 && reading.likelihood <= 1.0);
        }
        from = found.span.end;
    }
    let query = QueryTime::new(text, reference);
    for time in [i64::MIN, reference.time_micros, 0, i64::MAX] {
        for precision in 0..=7 {
            let score = query.score(time, None, precision);
            prop_assert!((0.0..=1.0).contains(&score), "{}", score);
        }
    }
    let _ = asks_when(text);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn times_have_ordered_ranges_and_whole_characters(text in times_like(), reference in references()) {
        check(&text, &reference)?;
    }

    #[test]
    fn any_characters_do(text in any::<String>(), reference in references()) {
        check(&text, &reference)?;
    }

    /// Only whether a number alone is a year depends on the reference time.
    #[test]
    fn whether_a_text_names_a_time_is_the_same_everywhere(text in times_like()) {
        let reference = Reference::utc(1_700_000_000_000_000);
        prop_assert_eq!(TimeExpressions::new(&text, &reference).next().is_some(), names_a_time(&text));
    }
}

#[test]
fn long_texts_take_linear_work() {
    // Each repeats what makes the grammar look ahead. Quadratic work would take minutes here.
    for piece in [
        "first day of the ",
        "the week before ",
        "between 1 and ",
        "from May to ",
        "since after by ",
        "1-",
        "a few ",
        "May ",
        "mid-",
        "a.",
        "early ",
    ] {
        let text = piece.repeat(1_000_000 / piece.len());
        TimeExpressions::new(&text, &Reference::utc(0)).count();
        let _ = asks_when(&text[..100_000]);
    }
}
