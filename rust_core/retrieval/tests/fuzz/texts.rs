//! Texts that break segmentation, folding or the search for names.

use std::collections::HashSet;

use mnemic_retrieval::entity::{find_entities, linked_names, normalize_name};
use mnemic_retrieval::text::{MAX_TERM_BYTES, analyze, is_stop_word, terms};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use unicode_normalization::UnicodeNormalization;

use crate::strategies::{long_texts, texts};

/// The longest expansion of NFKC is from 3 bytes to 33; an identifier is a term as a whole and in its parts.
const LARGEST_EXPANSION: usize = 2 * 11;

/// What holds for the terms of any text.
fn check_terms(text: &str) -> TestCaseResult {
    let (mut bytes, mut last) = (0, 0);
    let mut broken = None;
    analyze(text, &mut |term: &str, position| {
        let fits = (1..=MAX_TERM_BYTES).contains(&term.len());
        if !fits || !term.contains(char::is_alphanumeric) || position < last {
            broken.get_or_insert_with(|| (term.to_owned(), position, last));
        }
        bytes += term.len();
        last = position;
    });
    prop_assert_eq!(broken, None, "an empty, too long or disordered term");
    prop_assert!(
        bytes <= LARGEST_EXPANSION * text.len(),
        "more terms than text"
    );
    Ok(())
}

/// What holds for the names in any text.
fn check_names(text: &str) -> TestCaseResult {
    let names = find_entities(text);
    let mut from = 0;
    let mut seen = HashSet::new();
    for name in names {
        prop_assert!(!name.is_empty() && seen.insert(name), "{:?} twice", name);
        let start = name.as_ptr() as usize - text.as_ptr() as usize;
        prop_assert!(start >= from, "{:?} is out of order", name);
        prop_assert_eq!(&text[start..start + name.len()], name);
        from = start;
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_text_has_terms_and_names(text in texts()) {
        check_terms(&text)?;
        check_names(&text)?;
    }

    #[test]
    fn composed_and_decomposed_spellings_have_the_same_terms(text in texts()) {
        let composed: String = text.nfc().collect();
        let decomposed: String = text.nfd().collect();
        prop_assert_eq!(terms(&composed), terms(&decomposed));
        prop_assert_eq!(terms(&text), terms(&composed));
    }

    #[test]
    fn invisible_characters_change_no_term(text in "[a-z]{1,6}([ .-][a-zA-Zéя0-9]{1,6}){0,4}", places in prop::collection::vec(0..40_usize, 0..4)) {
        let mut letters: Vec<char> = text.chars().collect();
        for place in places {
            letters.insert(place % (letters.len() + 1), '\u{AD}');
        }
        let hyphenated: String = letters.into_iter().collect();
        prop_assert_eq!(terms(&hyphenated), terms(&text));
    }

    #[test]
    fn an_identifier_that_was_found_is_found_again(text in texts()) {
        for term in terms(&text) {
            let is_word = term.bytes().all(|byte| byte.is_ascii_lowercase()); // stems have stems of their own
            if term.is_ascii() && !is_word && term.len() < MAX_TERM_BYTES && !term.ends_with("'s") {
                prop_assert!(terms(&term).contains(&term), "{term:?} is {:?}", terms(&term));
            }
        }
    }

    #[test]
    fn a_name_that_was_found_is_linked_by_its_own_words(text in texts()) {
        for name in find_entities(&text) {
            let Some(normal) = normalize_name(name) else { continue };
            prop_assert!(!normal.is_empty() && !normal.starts_with(' ') && !normal.ends_with(' '));
            let links = linked_names(name);
            prop_assert!(links.windows(2).all(|pair| pair[0] < pair[1]), "sorted, each once");
            if normal.split(' ').count() <= 4 {
                prop_assert!(links.contains(&normal), "{normal:?} of {name:?} is not in {links:?}");
            }
        }
    }

    #[test]
    fn stop_words_are_never_terms_of_plain_words(words in prop::collection::vec("[a-z']{1,8}", 0..12)) {
        for word in &words {
            prop_assert!(!is_stop_word(word) || terms(word).is_empty(), "{word}");
        }
    }
}

proptest! {
    // Each is a hundred thousand bytes: what looks at all of them for each of them takes minutes here.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 8, ..ProptestConfig::default() })]

    #[test]
    fn a_long_text_has_terms_and_names(text in long_texts()) {
        check_terms(&text)?;
        check_names(&text)?;
        let links = linked_names(&text);
        prop_assert!(links.iter().map(String::len).sum::<usize>() <= 4 * 4 * (text.len() + 4) * 3);
    }
}

/// A megabyte of each, for which a search that begins anew at every mark would take minutes.
#[test]
fn repetitions_of_one_pattern_take_no_longer_than_other_text() {
    const BYTES: usize = 1_000_000;
    let patterns = [
        "a-",
        "a--",
        "1,",
        "1,000,",
        "a++",
        "a::",
        "://",
        "+",
        "a.b",
        "'s",
        "a's",
        "\u{301}",
        "e\u{301}\u{323}",
        "字",
        "字\u{301}",
        "ไทย",
        "\u{FDFA}",
        "\u{AD}",
        "\u{1F1E6}",
        "«",
        "„ ",
        "„a b c d e f g ",
        "“”",
        "\"a b c d e f g",
        "A1 ",
        "a_b ",
        "New York ",
        "Bank of the ",
        "X. ",
        "X.Y.",
        "The ",
        "@",
        "#a",
        "\u{345}",
        "İ",
        "\u{1112}\u{1161}",
    ];
    for pattern in patterns {
        let text = pattern.repeat(BYTES / pattern.len());
        check_terms(&text).unwrap_or_else(|error| panic!("{pattern:?}: {error}"));
        check_names(&text).unwrap_or_else(|error| panic!("{pattern:?}: {error}"));
        assert!(linked_names(&text).len() <= 4 * text.len());
    }
}
