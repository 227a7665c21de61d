//! What somebody may have meant whose fingers slipped once.

use std::ops::RangeInclusive;

use rust_stemmers::{Algorithm, Stemmer};

use super::fold::fold;
use super::is_stop_word;

/// A name of so few letters may lack one; another letter would make another name of it.
const FEWEST_LETTERS: usize = 3;

/// The words that are one slip away from a word: a letter too few, one too many, another one, or two in the wrong order.
/// The first letter is never the wrong one: it seldom is, and it keeps `hare` and `care` apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Slips {
    /// Their terms, ascending, each once.
    pub(crate) terms: Vec<String>,
    /// Whether one of them is a stop word, which is no term.
    pub(crate) has_stop_word: bool,
}

impl Slips {
    /// Those of a word of letters as [`terms`](super::terms) takes it. None are known of a word that is not written in Latin,
    /// Greek or Cyrillic letters.
    pub(crate) fn of(word: &str) -> Self {
        let letters: Vec<char> = fold(word).chars().collect();
        let mut slips = Self::default();
        let Some(alphabet) = letters.first().and_then(|&first| alphabet_of(first)) else {
            return slips;
        };
        let stemmer = Stemmer::create(Algorithm::English);
        each(&letters, &alphabet, |word| {
            if is_stop_word(word) {
                slips.has_stop_word = true;
            } else if word.is_ascii() {
                slips.terms.push(stemmer.stem(word).into_owned());
            } else {
                slips.terms.push(word.to_owned());
            }
        });
        slips.terms.sort_unstable();
        slips.terms.dedup();
        slips
    }
}

/// The letters of the script of a folded letter.
fn alphabet_of(letter: char) -> Option<RangeInclusive<char>> {
    ['a'..='z', 'α'..='ω', 'а'..='я']
        .into_iter()
        .find(|alphabet| alphabet.contains(&letter))
}

/// Calls `sink` with each word that one slip makes; some come more than once.
fn each(letters: &[char], alphabet: &RangeInclusive<char>, mut sink: impl FnMut(&str)) {
    let mut word = String::with_capacity(4 * (letters.len() + 1));
    let mut give = |parts: [&[char]; 3]| {
        word.clear();
        word.extend(parts.into_iter().flatten());
        sink(&word);
    };
    for place in 1..=letters.len() {
        let (before, after) = letters.split_at(place);
        for letter in alphabet.clone() {
            give([before, &[letter], after]);
        }
        if letters.len() <= FEWEST_LETTERS {
            continue;
        }
        if let [first, rest @ ..] = after {
            give([before, &[], rest]);
            for letter in alphabet.clone().filter(|letter| letter != first) {
                give([before, &[letter], rest]);
            }
        }
        if let [first, second, rest @ ..] = after
            && first != second
        {
            give([before, &[*second, *first], rest]);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Slips;
    use crate::text::terms;

    fn has(word: &str, meant: &str) -> bool {
        let meant = terms(meant);
        Slips::of(word).terms.contains(&meant[0])
    }

    #[test]
    fn a_slip_is_one_letter_or_one_exchange() {
        for (word, meant) in [
            ("caroilne", "Caroline"),
            ("carline", "caroline"),
            ("carroline", "caroline"),
            ("carolyne", "caroline"),
            ("TORUNAMENT", "tournaments"),
            ("paintnig", "painted"),
            ("Zürih", "Zürich"),
            ("Joh", "John"),
            ("Μαρα", "μαρία"),
            ("Москав", "москва"),
        ] {
            assert!(has(word, meant), "{word}: {meant}");
        }
        for (word, meant) in [
            ("torunamnet", "tournament"),
            ("haroline", "caroline"),
            ("jon", "jan"),
            ("jon", "joy"),
            ("שלום", "שלם"),
        ] {
            assert!(!has(word, meant), "{word}: {meant}");
        }
    }

    #[test]
    fn a_stop_word_is_told() {
        assert!(Slips::of("thier").has_stop_word);
        assert!(!Slips::of("violni").has_stop_word);
    }

    proptest! {
        #[test]
        fn what_one_slip_made_of_a_word_leads_back_to_it(
            word in "[a-z]{4,12}", place in 1..12_usize, letter in "[a-z]", slip in 0..4,
        ) {
            let place = 1 + place % (word.len() - 1);
            let (before, after) = word.split_at(place);
            let mut pair = after.chars();
            let (first, second) = (pair.next(), pair.next());
            let written = match (slip, first, second) {
                (0, _, _) => format!("{before}{letter}{after}"),
                (1, _, _) => format!("{before}{letter}{}", &after[1..]),
                (2, Some(first), Some(second)) => format!("{before}{second}{first}{}", &after[2..]),
                _ => format!("{before}{}", &after[1..]),
            };
            prop_assume!(written != word && written.len() > 3);
            let meant = terms(&word);
            prop_assume!(!meant.is_empty());
            prop_assert!(Slips::of(&written).terms.contains(&meant[0]), "{written}: {word}");
        }
    }
}
