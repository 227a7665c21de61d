//! What the analysis of text promises, by example and by property.

use mnemic_retrieval::text::{Bm25, MAX_TERM_BYTES, analyze, is_stop_word, terms};
use proptest::prelude::*;

fn positions(text: &str) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    analyze(text, &mut |term, position| {
        found.push((term.to_owned(), position));
    });
    found
}

#[test]
fn texts_become_these_terms() {
    let table: &[(&str, &[&str])] = &[
        ("", &[]),
        (" \t\n", &[]),
        ("!!! … — 🙂", &[]),
        ("Running dogs", &["run", "dog"]),
        ("She doesn't eat the fish", &["eat", "fish"]),
        ("She doesn’t eat", &["eat"]),
        ("who are you", &[]),
        ("Anna's cat, Anna’s cat", &["anna", "cat", "anna", "cat"]),
        ("it's he's that's", &[]),
        ("rock'n'roll", &["rock'n'roll", "rock", "n", "roll"]),
        ("(hello,world)!yes", &["hello", "world", "yes"]),
        ("GPT-4o", &["gpt-4o", "gpt", "4o"]),
        ("user_id", &["user_id", "user", "id"]),
        ("__init__", &["init"]),
        ("v1.2.3", &["v1.2.3", "v1", "2", "3"]),
        ("on 2023-05-07.", &["2023-05-07", "2023", "05", "07"]),
        ("foo@bar.com", &["foo@bar.com", "foo", "bar", "com"]),
        (
            "<https://x.y/z>",
            &["https://x.y/z", "https", "x", "y", "z"],
        ),
        ("std::vec::Vec", &["std::vec::vec", "std", "vec", "vec"]),
        ("C++, C# or C", &["c++", "c", "c#", "c", "c"]),
        ("C++17", &["c++17", "c", "17"]),
        ("C++/Java", &["c++", "c", "java"]),
        ("ORD-12345", &["ord-12345", "ord", "12345"]),
        ("ORD-12345's", &["ord-12345", "ord", "12345"]),
        ("Pi is 3.14.", &["pi", "3.14", "3", "14"]),
        ("1,000", &["1,000", "1000"]),
        ("1,234,567.89", &["1,234,567.89", "1234567", "89"]),
        ("1,2,3", &["1", "2", "3"]),
        ("2021,2022", &["2021", "2022"]),
        ("the end...Start -- again", &["end", "start"]),
        ("10:30am", &["10:30am", "10", "30am"]),
        ("**bold** `code`", &["bold", "code"]),
        ("well-known", &["well-known", "well", "known"]),
        ("and/or", &["and/or"]),
        ("Café Zoë naïve", &["cafe", "zoe", "naiv"]),
        ("Cafe\u{301} ＧＰＴ ﬁsh", &["cafe", "gpt", "fish"]),
        ("Straße Łódź Ærø", &["strass", "lodz", "aero"]),
        ("co\u{AD}operate", &["cooper"]),
        ("Ο Αλέξανδρος", &["ο", "αλεξανδροσ"]),
        ("Москва и Йошкар", &["москва", "и", "йошкар"]),
        ("我喜欢Python3", &["我", "喜", "欢", "python3"]),
        (
            "订单ORD-12345已发货。",
            &["订", "单", "ord-12345", "ord", "12345", "已", "发", "货"],
        ),
        ("カタカナと", &["カタカナ", "と"]),
        ("서울에서 만나요", &["서울에서", "만나요"]),
    ];
    for (text, expected) in table {
        assert_eq!(&terms(text), expected, "{text:?}");
    }
}

#[test]
fn positions_count_stop_words_and_a_whole_stands_at_its_first_part() {
    let expected = [
        ("saw", 1),
        ("ord-12345", 3),
        ("ord", 3),
        ("12345", 4),
        ("today", 5),
    ];
    let expected: Vec<_> = expected
        .map(|(term, position)| (term.to_owned(), position))
        .into();
    assert_eq!(positions("I saw the ORD-12345 today"), expected);
}

#[test]
fn a_long_term_is_cut_between_characters() {
    assert_eq!(terms(&"я".repeat(100)), ["я".repeat(MAX_TERM_BYTES / 2)]);
    assert_eq!(
        terms(&format!("x{}", "я".repeat(100)))[0].len(),
        MAX_TERM_BYTES - 1
    );
}

#[test]
fn stop_words_are_lower_case_words_and_contractions() {
    assert!(is_stop_word("the") && is_stop_word("yourselves") && is_stop_word("aren't"));
    assert!(!is_stop_word("vegetarian") && !is_stop_word("The"));
}

#[test]
fn bm25_agrees_with_figures_worked_by_hand() {
    let bm25 = Bm25::default();
    assert_eq!((bm25.k1, bm25.b), (0.9, 0.4));
    let idf = bm25.idf(10, 2); // ln(1 + 8.5 / 2.5)
    assert!((idf - 1.481_604_5).abs() < 1e-6, "{idf}");
    let score = bm25.term_score(idf, 3, 20, 10.0); // 3 / (3 + 0.9 * (0.6 + 0.4 * 2))
    assert!((score - idf * 3.0 / 4.26).abs() < 1e-6, "{score}");
    assert!(bm25.term_score(idf, 0, 20, 10.0) == 0.0);
    assert!((bm25.term_score(idf, 1, 0, 0.0) - idf / 1.9).abs() < 1e-6);
}

/// Text with more of what the analysis looks at than arbitrary characters have.
fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        "[a-zA-Z]{1,12}",
        "[-a-zA-Z0-9_.,:/@+#&'’ ]{0,20}",
        "[\u{0300}-\u{0310}éßİſKﬁ我んกἈ\u{200D}\u{FE0F}🙂]{0,6}",
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_term_is_short_lower_case_and_no_stop_word_and_positions_rise(text in any_text()) {
        let mut last = 0;
        for (term, position) in positions(&text) {
            prop_assert!(!term.is_empty() && term.len() <= MAX_TERM_BYTES, "{term:?}");
            prop_assert!(term.starts_with(char::is_alphanumeric), "{term:?}");
            prop_assert_eq!(&term, &term.to_ascii_lowercase());
            prop_assert!(position >= last);
            last = position;
        }
        prop_assert_eq!(positions(&text), positions(&text));
    }

    #[test]
    fn ascii_case_does_not_matter(text in any_text()) {
        prop_assert_eq!(positions(&text), positions(&text.to_ascii_uppercase()));
        prop_assert_eq!(positions(&text), positions(&text.to_ascii_lowercase()));
    }

    #[test]
    fn the_terms_of_a_text_are_those_of_its_space_separated_pieces(left in any_text(), right in any_text()) {
        let mut expected = terms(&left);
        expected.extend(terms(&right));
        prop_assert_eq!(terms(&format!("{left} {right}")), expected);
    }

    #[test]
    fn a_query_for_any_word_of_a_text_finds_it(words in prop::collection::vec("[a-zA-Z0-9]{1,8}([-_.@:/][a-zA-Z0-9]{1,8}){0,2}", 1..8)) {
        let indexed = terms(&words.join(" "));
        for word in &words {
            for term in terms(word) {
                prop_assert!(indexed.contains(&term), "{term:?} of {word:?} in {indexed:?}");
            }
        }
    }

    #[test]
    fn bm25_grows_with_frequency_and_rarity_and_shrinks_with_length(
        documents in 1_u64..1_000_000,
        frequency in 1_u64..1_000_000,
        tf in 1_u32..1_000,
        length in 1_u32..10_000,
        average in 1.0_f32..1_000.0,
    ) {
        let bm25 = Bm25::default();
        let idf = bm25.idf(documents, frequency);
        prop_assert!(idf > 0.0 && idf >= bm25.idf(documents, frequency + 1));
        let score = bm25.term_score(idf, tf, length, average);
        prop_assert!(score > 0.0 && score <= idf);
        prop_assert!(bm25.term_score(idf, tf + 1, length, average) >= score);
        prop_assert!(bm25.term_score(idf, tf, length + 1, average) <= score);
    }
}
