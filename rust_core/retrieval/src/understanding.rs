//! What of a query tells memories apart.
//!
//! A name that most memories of a scope share says nothing about which of them is meant, and yet it draws a query's
//! embedding and its words towards all of them. So the names that are frequent in the searched memories are left out of
//! what is embedded and of the words; who is named still counts by its own signal. No list of participants is needed:
//! how often a word occurs in the scope tells the names from the rest.

use std::borrow::Cow;

use crate::entity::{is_common, without_possessive};
use crate::text::{QueryTerms, quotations, terms};

/// A capitalised word that more of the rows have carries no information.
const MOST_SHARE: f64 = 0.10;
/// In fewer rows a word has not shown that it is frequent, whatever their share is.
const LEAST_ROWS: u64 = 10;

/// How many rows have a term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TermFrequency {
    /// Those with the term.
    pub rows_with: u64,
    /// All that are searched.
    pub rows: u64,
}

/// A query as the searched memories spell it, without the names that all of them share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Understanding<'q> {
    /// The whole query, spelt as the memories spell it.
    pub query: Cow<'q, str>,
    /// What is embedded and whose words are looked for: the query itself if nothing was left out.
    pub text: Cow<'q, str>,
    /// The names that were left out, without a possessive ending, in order: of whom or what the query speaks.
    pub left_out: Vec<String>,
}

impl Understanding<'_> {
    /// The same, whether the query lives so long or not.
    #[must_use]
    pub fn into_owned<'q>(self) -> Understanding<'q> {
        Understanding {
            query: Cow::Owned(self.query.into_owned()),
            text: Cow::Owned(self.text.into_owned()),
            left_out: self.left_out,
        }
    }
}

/// Leaves the names out that more than a tenth of the searched rows have (at least ten rows).
///
/// A name is a capitalised word, with its possessive ending if it has one, that is neither a common word at the beginning
/// of a sentence nor quoted nor has digits in it. If nothing but stop words would remain, nothing is left out.
///
/// # Arguments
///
/// * `query`: as it was written.
/// * `frequency`: of a term of [`terms`] in the rows that are searched.
///
/// ```
/// use mnemic_retrieval::understanding::{TermFrequency, understand};
///
/// let in_most = |term: &str| TermFrequency { rows_with: if term == "carolin" { 300 } else { 2 }, rows: 500 };
/// let query = understand("What is Caroline's plan for Oslo?", in_most);
/// assert_eq!(query.text, "What is plan for Oslo?");
/// assert_eq!(query.left_out, ["Caroline"]);
/// ```
pub fn understand(
    query: &str,
    mut frequency: impl FnMut(&str) -> TermFrequency,
) -> Understanding<'_> {
    let mut kept = Vec::new();
    let mut left_out = Vec::new();
    for word in words(query) {
        let is_frequent = word.name.is_some_and(|name| {
            let terms = terms(name);
            terms
                .first()
                .is_some_and(|whole| is_frequent(frequency(whole)))
        });
        match word.name.filter(|_| is_frequent) {
            Some(name) => left_out.push(name.to_owned()),
            None => kept.push(word.written),
        }
    }
    if left_out.is_empty() {
        return as_written(query);
    }
    let text = kept.join(" ");
    if QueryTerms::new(&text).is_empty() {
        return as_written(query);
    }
    Understanding {
        query: Cow::Borrowed(query),
        text: Cow::Owned(text),
        left_out,
    }
}

fn as_written(query: &str) -> Understanding<'_> {
    Understanding {
        query: Cow::Borrowed(query),
        text: Cow::Borrowed(query),
        left_out: Vec::new(),
    }
}

fn is_frequent(frequency: TermFrequency) -> bool {
    let TermFrequency { rows_with, rows } = frequency;
    rows_with >= LEAST_ROWS && rows_with as f64 > MOST_SHARE * rows as f64
}

/// A word between white space.
struct Word<'q> {
    written: &'q str,
    /// Without punctuation and possessive ending, if it may be a name.
    name: Option<&'q str>,
}

fn words(query: &str) -> impl Iterator<Item = Word<'_>> {
    let quoted = quotations(query);
    let mut begins = true;
    query.split_whitespace().map(move |written| {
        let start = written.as_ptr() as usize - query.as_ptr() as usize;
        let next = quoted.partition_point(|span| span.end <= start);
        let is_quoted = quoted
            .get(next)
            .is_some_and(|span| span.start < start + written.len());
        let starts_sentence =
            std::mem::replace(&mut begins, written.ends_with(['.', '!', '?', ':']));
        let name = (!is_quoted).then(|| name_in(written, starts_sentence));
        Word {
            written,
            name: name.flatten(),
        }
    })
}

fn name_in(written: &str, starts_sentence: bool) -> Option<&str> {
    let is_tagged = written.starts_with(['@', '#']);
    let name = written.trim_matches(|mark: char| !mark.is_alphanumeric());
    let name = without_possessive(name);
    let has_digits = name.chars().any(|letter| letter.is_ascii_digit());
    let says_nothing = || is_common(&name.to_lowercase().replace('’', "'"));
    let is_name = name.starts_with(char::is_uppercase) && !is_tagged && !has_digits;
    (is_name && !(starts_sentence && says_nothing())).then_some(name)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;

    use super::{TermFrequency, understand};

    /// 200 memories: Caroline and Melanie are in half of them, `Oslo` in 21, `Rome` in 20, all else in one.
    fn frequency(term: &str) -> TermFrequency {
        let rows_with = match term {
            "carolin" | "melani" => 100,
            "oslo" | "paint" => 21,
            "rome" => 20,
            _ => 1,
        };
        TermFrequency {
            rows_with,
            rows: 200,
        }
    }

    #[test]
    fn names_that_more_than_a_tenth_of_the_memories_share_are_left_out() {
        for (query, text, left_out) in [
            (
                "What did Caroline paint in Rome?",
                "What did paint in Rome?",
                vec!["Caroline"],
            ),
            (
                "Caroline's dog and Melanie’s cat",
                "dog and cat",
                vec!["Caroline", "Melanie"],
            ),
            (
                "When did Melanie, in Oslo, sing?",
                "When did in sing?",
                vec!["Melanie", "Oslo"],
            ),
            (
                "what did caroline paint?",
                "what did caroline paint?",
                vec![],
            ),
            ("Painting in Lima", "Painting in Lima", vec![]),
            (
                "Does she like Painting in Lima",
                "Does she like in Lima",
                vec!["Painting"],
            ),
            (
                "Who met \"Caroline in Oslo\" today?",
                "Who met \"Caroline in Oslo\" today?",
                vec![],
            ),
            (
                "#Caroline or Caroline-2 sings",
                "#Caroline or Caroline-2 sings",
                vec![],
            ),
            ("  spaces   stay ", "  spaces   stay ", vec![]),
        ] {
            let found = understand(query, frequency);
            let names: Vec<&str> = found.left_out.iter().map(String::as_str).collect();
            assert_eq!((&*found.text, names), (text, left_out));
        }
    }

    #[test]
    fn a_query_of_nothing_but_names_keeps_them() {
        for query in ["Who is Caroline?", "Caroline", "Caroline and Melanie", ""] {
            let found = understand(query, frequency);
            assert_eq!((&*found.text, found.left_out.len()), (query, 0));
            assert!(matches!(found.text, Cow::Borrowed(_)));
        }
    }

    #[test]
    fn in_a_few_memories_nothing_is_frequent() {
        let in_all = |rows| {
            move |_: &str| TermFrequency {
                rows_with: rows,
                rows,
            }
        };
        assert_eq!(
            understand("the plan of Ann", in_all(9)).text,
            "the plan of Ann"
        );
        assert_eq!(
            understand("the plan of Ann", in_all(10)).text,
            "the plan of"
        );
        assert_eq!(
            understand("the plan of Ann", in_all(0)).text,
            "the plan of Ann"
        );
    }

    proptest! {
        #[test]
        fn what_is_kept_are_words_of_the_query_and_the_rest_is_left_out(
            query in "[A-Za-z\"'é日 .?#-]{0,60}",
            rows_with in 0..30_u64,
        ) {
            let found = understand(&query, |_| TermFrequency { rows_with, rows: 100 });
            let mut written = query.split_whitespace();
            for word in found.text.split_whitespace() {
                prop_assert!(written.any(|candidate| candidate == word));
            }
            let kept = found.text.split_whitespace().count();
            prop_assert_eq!(kept + found.left_out.len(), query.split_whitespace().count());
        }
    }
}
