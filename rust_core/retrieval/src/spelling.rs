//! Words of a query that no searched memory has, and what they were probably meant to be.
//!
//! A word is only doubted if none of the searched memories has it, if it is no word that everybody uses, and if it is not
//! meant to be taken exactly: no identifier, number, acronym, tag, nor part of a quotation. It is taken for the word of the
//! memories that is one slip away (see [`crate::text::Slips`]), and if there are several for the one that most of them have.
//! So a query that is spelt as the memories are is never touched.

use std::borrow::Cow;

use crate::entity::{is_starter, without_possessive};
use crate::text::{Slips, is_everyday, quotations, terms};

/// More unknown words of one query are left as they are, which bounds what it costs.
const MOST_DOUBTED: usize = 4;
/// A shorter word is one slip away from too many others.
const FEWEST_LETTERS: usize = 4;
/// But for a name that lacks a letter.
const FEWEST_LETTERS_OF_A_NAME: usize = 3;
/// Whoever writes longer words means something else.
const MOST_LETTERS: usize = 32;
/// Of so many capitals a word is an acronym.
const LONGEST_ACRONYM: usize = 5;

/// What the searched memories say about spelling.
pub(crate) trait Memories {
    /// Whether each of some terms is in one of them.
    fn have(&self, terms: &[&str]) -> Vec<bool>;

    /// Whether they have a name that a run of the query's words with this word in it may mean.
    fn have_name_with(&self, query: &str, word: &str) -> bool;

    /// Of some terms, ascending, the one that most of them have, as one of them writes it. `capitalised` excludes those
    /// that are not written with a capital there.
    fn spelling(&self, terms: &[String], capitalised: bool) -> Option<String>;
}

/// The query with what was misspelt as the memories spell it.
pub(crate) fn corrected<'q>(query: &'q str, memories: &impl Memories) -> Cow<'q, str> {
    let words: Vec<Word<'_>> = doubtful(query).collect();
    if words.is_empty() {
        return Cow::Borrowed(query);
    }
    let asked: Vec<&str> = words.iter().map(|word| word.term.as_str()).collect();
    let known = memories.have(&asked);
    let unknown = words.iter().zip(known).filter(|(_, known)| !known);
    let mut text = String::new();
    let mut end = 0;
    for (word, _) in unknown.take(MOST_DOUBTED) {
        if let Some(spelling) = spelling_of(query, word, memories) {
            text.push_str(&query[end..word.start]);
            text.push_str(&spelling);
            end = word.start + word.written.len();
        }
    }
    if end == 0 {
        return Cow::Borrowed(query);
    }
    text.push_str(&query[end..]);
    Cow::Owned(text)
}

fn spelling_of(query: &str, word: &Word<'_>, memories: &impl Memories) -> Option<String> {
    let slips = Slips::of(word.written);
    if slips.has_stop_word || slips.terms.is_empty() {
        return None;
    }
    let spelling = memories.spelling(&slips.terms, word.is_name)?;
    (!memories.have_name_with(query, word.written)).then_some(spelling)
}

/// A word that may be misspelt if no memory has it.
struct Word<'q> {
    /// Where it begins in the query.
    start: usize,
    /// Without marks and possessive ending.
    written: &'q str,
    term: String,
    /// Whether it has a capital that no beginning of a sentence gave it.
    is_name: bool,
}

fn doubtful(query: &str) -> impl Iterator<Item = Word<'_>> {
    let quoted = quotations(query);
    let mut begins = true;
    query.split_whitespace().filter_map(move |token| {
        let starts_sentence = std::mem::replace(&mut begins, token.ends_with(['.', '!', '?', ':']));
        let start = token.as_ptr() as usize - query.as_ptr() as usize;
        let next = quoted.partition_point(|span| span.end <= start);
        let is_quoted = quoted
            .get(next)
            .is_some_and(|span| span.start < start + token.len());
        if is_quoted || token.starts_with(['@', '#']) {
            return None;
        }
        let written = without_possessive(token.trim_matches(|mark: char| !mark.is_alphanumeric()));
        let is_name = !starts_sentence && written.starts_with(char::is_uppercase);
        let term = doubtful_term(written, is_name)?;
        Some(Word {
            start: written.as_ptr() as usize - query.as_ptr() as usize,
            written,
            term,
            is_name,
        })
    })
}

/// The term of a word that may be misspelt.
fn doubtful_term(written: &str, is_name: bool) -> Option<String> {
    let letters = written.chars().count();
    let fewest = if is_name {
        FEWEST_LETTERS_OF_A_NAME
    } else {
        FEWEST_LETTERS
    };
    let has_inner_capital = || {
        let pairs = written.chars().zip(written.chars().skip(1));
        pairs
            .into_iter()
            .any(|(a, b)| a.is_lowercase() && b.is_uppercase())
    };
    let is_acronym = || letters <= LONGEST_ACRONYM && !written.contains(char::is_lowercase);
    let is_of_letters = (fewest..=MOST_LETTERS).contains(&letters)
        && written.chars().all(char::is_alphabetic)
        && !has_inner_capital()
        && !is_acronym();
    if !is_of_letters || is_starter(&written.to_lowercase()) {
        return None;
    }
    let mut terms = terms(written);
    terms
        .pop()
        .filter(|term| terms.is_empty() && !is_everyday(term))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::{Memories, corrected};
    use crate::text::terms;

    /// Words as they are written, with how many memories have them, and a name that was given.
    struct Known(BTreeMap<String, (String, u64)>, &'static str);

    impl Known {
        fn new(words: &[(&str, u64)], name: &'static str) -> Self {
            let entry = |&(word, count): &(&str, u64)| {
                let term = terms(word).remove(0);
                (term, (word.to_owned(), count))
            };
            Self(words.iter().map(entry).collect(), name)
        }
    }

    impl Memories for Known {
        fn have(&self, terms: &[&str]) -> Vec<bool> {
            terms
                .iter()
                .map(|&term| self.0.contains_key(term))
                .collect()
        }

        fn have_name_with(&self, query: &str, word: &str) -> bool {
            !self.1.is_empty() && self.1.contains(word) && query.contains(self.1)
        }

        fn spelling(&self, terms: &[String], capitalised: bool) -> Option<String> {
            let found = terms.iter().filter_map(|term| self.0.get(term));
            let found =
                found.filter(|(word, _)| word.starts_with(char::is_uppercase) || !capitalised);
            let best = found.max_by_key(|(_, rows_with)| *rows_with);
            best.map(|(word, _)| word.clone())
        }
    }

    fn memories() -> Known {
        Known::new(
            &[
                ("Caroline", 50),
                ("John", 30),
                ("tournament", 3),
                ("violin", 2),
                ("violet", 9),
                ("hike", 4),
                ("wait", 7),
                ("jam", 2),
            ],
            "kuberntes dashboard",
        )
    }

    #[test]
    fn a_word_that_no_memory_has_is_taken_for_one_that_is_a_slip_away() {
        for (query, meant) in [
            (
                "Where was Caroilne's violn?",
                "Where was Caroline's violin?",
            ),
            ("the «violni» and the violni", "the «violni» and the violin"),
            ("torunaments, when?", "tournament, when?"),
            ("who went hikng?", "who went hike?"),
            ("what does caroilne like", "what does Caroline like"),
            ("Why did Joh call?", "Why did John call?"),
            // Of two that are a slip away the more usual one.
            ("a violett violi", "a violet violin"),
        ] {
            assert_eq!(corrected(query, &memories()), meant);
        }
    }

    #[test]
    fn what_is_meant_exactly_stays() {
        for query in [
            "Where was Caroline's violin?",
            "a \"violni\" and @caroilne, #violn, violn-2, violn2",
            "fetchViolni or VIOLN",
            // Everybody hides and orders; what is one slip from a stop word may be that.
            "hide the order",
            "waht he said",
            // Names are not taken for other words, and short ones not for other names.
            "ask James, Jan or Joe",
            "hik",
            "a kuberntes dashboard",
            "バイオリン скрипка",
            "",
        ] {
            let found = corrected(query, &memories());
            assert!(matches!(found, Cow::Borrowed(_)), "{found}");
        }
    }

    #[test]
    fn of_many_unknown_words_few_are_looked_up() {
        let query = "violn violn violn violn violn";
        let meant = "violin violin violin violin violn";
        assert_eq!(corrected(query, &memories()), meant);
    }

    proptest! {
        #[test]
        fn a_query_of_known_words_is_never_touched(
            words in prop::collection::vec("[a-zA-Zé]{1,10}", 0..8), marks in "[ ,.?!\"'-]{0,3}",
        ) {
            let query = words.join(&format!(" {marks} "));
            let known: Vec<(&str, u64)> = words
                .iter()
                .filter(|word| terms(word).len() == 1)
                .map(|word| (word.as_str(), 1))
                .collect();
            let found = corrected(&query, &Known::new(&known, ""));
            prop_assert!(matches!(found, Cow::Borrowed(_)), "{found}");
        }

        #[test]
        fn nothing_but_single_words_changes(query in "[a-zA-Zé\"'日 .?#-]{0,60}") {
            let found = corrected(&query, &memories());
            let words = |text: &str| text.split_whitespace().count();
            prop_assert_eq!(words(&found), words(&query));
        }
    }
}
