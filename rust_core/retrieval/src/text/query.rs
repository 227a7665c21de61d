//! What the words of a query ask for: terms, and which of them should stand together.

use std::ops::Range;

use super::analysis::{Token, tokens};

/// Marks that open or close a phrase; any of them closes what any opened. Single ones are apostrophes too often.
const QUOTES: [char; 6] = [
    '"', '\u{201C}', '\u{201D}', '\u{201E}', '\u{00AB}', '\u{00BB}',
];
/// More terms of a phrase are not compared.
const LONGEST_PHRASE: usize = 64;

/// The distinct terms of a query, with its identifiers and quoted phrases. Terms are named by their places in the order
/// of [`QueryTerms::iter`].
#[derive(Clone, Debug, Default)]
pub struct QueryTerms {
    text: String,
    /// Ascending by the terms that they cut from the text.
    spans: Vec<Range<usize>>,
    identifiers: Vec<Identifier>,
    phrases: Vec<Phrase>,
}

/// A term that was written with marks inside, as `v1.2.3` is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identifier {
    /// The term as a whole.
    pub whole: usize,
    /// The terms between its marks, each once.
    pub parts: Vec<usize>,
}

/// Terms that were written between quotation marks, at two positions at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase {
    /// Each term with its position, counted from that of the first. Positions of stop words are left out: any word may
    /// stand there.
    pub places: Vec<(usize, u32)>,
}

/// A term on its way into [`QueryTerms`].
struct Found {
    span: Range<usize>,
    position: u32,
    /// How many positions after its own its parts take; 0 if it has none.
    parts: u32,
}

impl QueryTerms {
    /// The terms of a query.
    pub fn new(query: &str) -> Self {
        let mut text = String::with_capacity(query.len() + 16);
        let mut found = Vec::with_capacity(query.len() / 6 + 4);
        let mut quoted = Vec::new();
        let mut position = 0;
        for (piece, is_quoted) in pieces(query) {
            let first = found.len();
            let next = position;
            tokens(piece, &mut |token: Token<'_>| {
                let start = text.len();
                text.push_str(token.term);
                found.push(Found {
                    span: start..text.len(),
                    position: next + token.position,
                    parts: token.parts,
                });
                position = position.max(next + token.position + 1);
            });
            if is_quoted {
                quoted.push(first..found.len());
            }
        }
        let mut spans: Vec<Range<usize>> = found.iter().map(|term| term.span.clone()).collect();
        spans.sort_unstable_by(|a, b| text[a.clone()].cmp(&text[b.clone()]));
        spans.dedup_by(|a, b| text[a.clone()] == text[b.clone()]);
        let mut terms = Self {
            text,
            spans,
            identifiers: Vec::new(),
            phrases: Vec::new(),
        };
        for (place, term) in found.iter().enumerate().filter(|(_, term)| term.parts > 0) {
            let identifier = terms.identifier(term, &found[place + 1..]);
            if !terms.identifiers.contains(&identifier) {
                terms.identifiers.push(identifier);
            }
        }
        for quoted in quoted {
            let phrase = terms.phrase(&found[quoted]);
            terms
                .phrases
                .extend(phrase.filter(|phrase| !terms.phrases.contains(phrase)));
        }
        terms
    }

    fn identifier(&self, whole: &Found, following: &[Found]) -> Identifier {
        let end = whole.position + whole.parts;
        let mut parts: Vec<usize> = following
            .iter()
            .take_while(|term| term.position < end)
            .map(|term| self.place_of(term))
            .collect();
        parts.sort_unstable();
        parts.dedup();
        let whole = self.place_of(whole);
        parts.retain(|&part| part != whole);
        Identifier { whole, parts }
    }

    fn phrase(&self, terms: &[Found]) -> Option<Phrase> {
        let terms = &terms[..terms.len().min(LONGEST_PHRASE)];
        let (first, last) = (terms.first()?, terms.last()?);
        let place = |term: &Found| (self.place_of(term), term.position - first.position);
        (first.position < last.position).then(|| Phrase {
            places: terms.iter().map(place).collect(),
        })
    }

    fn place_of(&self, term: &Found) -> usize {
        let term = &self.text[term.span.clone()];
        let place = self
            .spans
            .binary_search_by(|span| self.text[span.clone()].cmp(term));
        place.expect("the spans were made of all that was found")
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// The terms, ascending.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.spans.iter().map(|span| &self.text[span.clone()])
    }

    /// Those of them that were written with marks inside.
    pub fn identifiers(&self) -> &[Identifier] {
        &self.identifiers
    }

    /// What was written between quotation marks.
    pub fn phrases(&self) -> &[Phrase] {
        &self.phrases
    }
}

/// A query cut at its quotation marks; whether a piece stood between two of them. A mark without another after it quotes
/// nothing.
fn pieces(query: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut rest = Some((query, false));
    std::iter::from_fn(move || {
        let (text, is_quoted) = rest.take()?;
        let Some((piece, after)) = text.split_once(QUOTES) else {
            return Some((text, false));
        };
        if !is_quoted && !after.contains(QUOTES) {
            return Some((text, false));
        }
        rest = Some((after, !is_quoted));
        Some((piece, is_quoted))
    })
}

/// What stands between quotation marks, as places in the query, ascending.
pub(crate) fn quotations(query: &str) -> Vec<Range<usize>> {
    let quoted = pieces(query).filter(|(_, is_quoted)| *is_quoted);
    let span = |(piece, _): (&str, bool)| {
        let start = piece.as_ptr() as usize - query.as_ptr() as usize;
        start..start + piece.len()
    };
    quoted.map(span).collect()
}

#[cfg(test)]
mod tests {
    use super::{Phrase, QueryTerms, pieces};

    fn terms(query: &QueryTerms) -> Vec<&str> {
        query.iter().collect()
    }

    #[test]
    fn quotation_marks_come_in_pairs() {
        let cut = |query| pieces(query).collect::<Vec<_>>();
        assert_eq!(cut("a b"), [("a b", false)]);
        assert_eq!(cut("a \"b"), [("a \"b", false)]);
        assert_eq!(
            cut("a \"b c\" d"),
            [("a ", false), ("b c", true), (" d", false)]
        );
        assert_eq!(
            cut("„b c“ «d»"),
            [
                ("", false),
                ("b c", true),
                (" ", false),
                ("d", true),
                ("", false)
            ]
        );
        assert_eq!(
            cut("\"a\" 5\" disk"),
            [("", false), ("a", true), (" 5\" disk", false)]
        );
    }

    #[test]
    fn terms_are_distinct_and_ordered() {
        let query = QueryTerms::new("red bikes and the red bike");
        assert_eq!(terms(&query), ["bike", "red"]);
        assert!(query.phrases().is_empty() && query.identifiers().is_empty());
    }

    #[test]
    fn an_identifier_knows_its_parts() {
        let query = QueryTerms::new("error ERR-4012 in v1.2.1");
        assert_eq!(
            terms(&query),
            ["1", "2", "4012", "err", "err-4012", "error", "v1", "v1.2.1"]
        );
        let found: Vec<_> = query
            .identifiers()
            .iter()
            .map(|found| (found.whole, found.parts.clone()))
            .collect();
        assert_eq!(found, [(4, vec![2, 3]), (7, vec![0, 1, 6])]);
    }

    #[test]
    fn a_phrase_keeps_the_places_of_stop_words() {
        let query = QueryTerms::new("see “lord of the rings” \"alone\"");
        assert_eq!(terms(&query), ["alon", "lord", "ring", "see"]);
        assert_eq!(
            query.phrases(),
            [Phrase {
                places: vec![(1, 0), (2, 3)]
            }]
        );
    }
}
