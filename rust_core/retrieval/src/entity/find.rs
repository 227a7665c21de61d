//! Finding names in a text.

use std::collections::HashSet;
use std::ops::Range;

use foldhash::fast::RandomState;

use super::common_words::is_common;

/// A quotation of more words is speech, not a title.
const MAX_QUOTED_WORDS: usize = 6;
/// A longer quotation is no name either: the contract takes none of more bytes. It bounds the search for a closing mark.
const MAX_QUOTED_BYTES: usize = 256;
/// A run of more capitalised words is a heading or shouting.
const MAX_NAME_WORDS: usize = 6;
/// An acronym of more letters is shouting.
const MAX_ACRONYM_LETTERS: usize = 5;
/// Small words that may stand between the capitalised words of one name.
const CONNECTORS: [&str; 16] = [
    "of", "de", "da", "do", "del", "della", "der", "den", "di", "du", "la", "le", "van", "von",
    "bin", "al",
];
/// With the white space before it.
const USUAL_WORD_BYTES: usize = 5;
/// Opening and closing quotation marks. The single ones are left out: they are apostrophes too often.
const QUOTES: [(char, char); 4] = [('"', '"'), ('“', '”'), ('«', '»'), ('„', '“')];

/// A word of the text: white space around it and punctuation at its ends are cut off.
struct Word<'a> {
    text: &'a str,
    span: Range<usize>,
    is_identifier: bool,
    /// Nothing but white space stands between it and the word before.
    joined: bool,
    starts_sentence: bool,
}

/// The names in a text, as written (without a possessive ending), each once, in order of first appearance.
///
/// ```
/// use mnemic_retrieval::entity::find_entities;
///
/// assert_eq!(find_entities("Yesterday Caroline's friend Mel read \"Charlotte's Web\" in New York."),
///            ["Caroline", "Mel", "Charlotte's Web", "New York"]);
/// ```
#[must_use]
pub fn find_entities(text: &str) -> Vec<&str> {
    let quotations = quoted(text);
    let words = words(text);
    let identifiers = words.iter().filter(|word| word.is_identifier);
    let mut spans: Vec<Range<usize>> = identifiers.map(|word| word.span.clone()).collect();
    spans.extend_from_slice(&quotations);
    let known: HashSet<&str, RandomState> = words
        .iter()
        .filter(|word| {
            !word.starts_sentence && is_capitalised(word.text) && !is_common(&folded(word.text))
        })
        .map(|word| without_possessive(word.text))
        .collect();
    let is_taken = |word: &Word<'_>| {
        let next = quotations.partition_point(|quotation| quotation.end <= word.span.start);
        word.is_identifier
            || quotations
                .get(next)
                .is_some_and(|quotation| quotation.start < word.span.end)
    };
    for run in capitalised_runs(&words, is_taken) {
        spans.extend(name_of(&words[run], &known));
    }
    spans.sort_by_key(|span| (span.start, span.end));
    let mut seen = HashSet::<&str, RandomState>::default();
    spans
        .into_iter()
        .map(|span| without_possessive(&text[span]))
        .filter(|name| seen.insert(*name))
        .collect()
}

/// The span of the name in a run of capitalised words, if there is one.
fn name_of(run: &[Word<'_>], known: &HashSet<&str, RandomState>) -> Option<Range<usize>> {
    // "Yesterday Caroline": the sentence gave the first word its capital, unless it is known from elsewhere.
    let says_nothing = |word: &Word<'_>| {
        is_common(&folded(word.text)) && !known.contains(without_possessive(word.text))
    };
    let run = match run {
        [first, rest @ ..] if first.starts_sentence && says_nothing(first) => rest,
        all => all,
    };
    let (first, last) = (run.first()?, run.last()?);
    if run.len() == 1
        && (first.text.chars().count() < 2 || (says_nothing(first) && !is_acronym(first.text)))
    {
        return None;
    }
    let longest = run.iter().map(|word| word.text.chars().count()).max()?;
    let shouted = run
        .iter()
        .all(|word| !word.text.contains(char::is_lowercase));
    let is_heading =
        run.len() > MAX_NAME_WORDS || (shouted && (run.len() > 2 || longest > MAX_ACRONYM_LETTERS));
    (!is_heading).then_some(first.span.start..last.span.end)
}

/// Ranges of words that are capitalised and stand together; connectors join them, sentences and marks part them.
fn capitalised_runs(words: &[Word<'_>], is_taken: impl Fn(&Word<'_>) -> bool) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut place = 0;
    while place < words.len() {
        if !is_capitalised(words[place].text) || is_taken(&words[place]) {
            place += 1;
            continue;
        }
        let start = place;
        let mut end = place + 1;
        let joins = |next: usize| {
            words
                .get(next)
                .is_some_and(|word| word.joined && !word.starts_sentence && !is_taken(word))
        };
        while joins(end) && !is_possessive(words[end - 1].text) {
            if is_capitalised(words[end].text) {
                end += 1;
                continue;
            }
            let is_connector = |next: usize| {
                let word = words.get(next).map_or("", |word| word.text);
                CONNECTORS.contains(&word) || (next > end && word == "the") // "Lord of the Rings"
            };
            let after = (end..end + 2)
                .find(|&next| !is_connector(next))
                .unwrap_or(end + 2);
            let resumes = after > end
                && words
                    .get(after)
                    .is_some_and(|word| is_capitalised(word.text));
            if !resumes || !(end..=after).all(joins) {
                break;
            }
            end = after + 1;
        }
        runs.push(start..end);
        place = end;
    }
    runs
}

/// Spans of quoted phrases, without their marks, in order; none overlaps another.
fn quoted(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    if text.is_ascii() && !text.contains('"') {
        return spans;
    }
    let mut rest = 0;
    while let Some((start, open)) = text[rest..]
        .char_indices()
        .find(|(_, mark)| QUOTES.iter().any(|(open, _)| open == mark))
    {
        let inner = rest + start + open.len_utf8();
        let nearby = &text[inner..char_boundary(text, inner + MAX_QUOTED_BYTES)];
        let closing = QUOTES
            .iter()
            .filter(|(mark, _)| *mark == open)
            .filter_map(|(_, close)| nearby.find(*close))
            .min();
        let Some(length) = closing else {
            rest = inner;
            continue;
        };
        let phrase = &text[inner..inner + length];
        let cut = trimmed(phrase);
        let words = cut.split_whitespace().count();
        if (1..=MAX_QUOTED_WORDS).contains(&words) {
            let start = inner + (cut.as_ptr() as usize - phrase.as_ptr() as usize);
            spans.push(start..start + cut.len());
            rest = inner
                + length
                + text[inner + length..]
                    .chars()
                    .next()
                    .map_or(0, char::len_utf8);
        } else {
            rest = inner;
        }
    }
    spans
}

/// The first boundary of a character at or after a place, or the end.
fn char_boundary(text: &str, place: usize) -> usize {
    (place..text.len())
        .find(|&place| text.is_char_boundary(place))
        .unwrap_or(text.len())
}

/// The words of a text, with where its sentences begin.
fn words(text: &str) -> Vec<Word<'_>> {
    let mut words: Vec<Word<'_>> = Vec::with_capacity(text.len() / USUAL_WORD_BYTES);
    let mut starts_sentence = true;
    let mut joined = false;
    for token in text.split_whitespace() {
        let start = token.as_ptr() as usize - text.as_ptr() as usize;
        let word = trimmed(token);
        if word.is_empty() {
            // A dash or an emoji on its own parts names; only an end mark begins a sentence.
            joined = false;
            starts_sentence |= token.contains(['.', '!', '?', ':', '…', '•']);
            continue;
        }
        let offset = word.as_ptr() as usize - token.as_ptr() as usize;
        let closing = &token[offset + word.len()..];
        let opens = offset > 0 && !token.starts_with(['@', '#']);
        let begin = start + offset;
        words.push(Word {
            text: word,
            span: begin..begin + word.len(),
            is_identifier: is_identifier(word),
            joined: joined && !opens,
            starts_sentence: starts_sentence || opens,
        });
        let is_initial = closing == "." && (is_initials(word) || is_title(word));
        starts_sentence = !closing.is_empty()
            && !is_initial
            && closing.contains(['.', '!', '?', ':', '…', '。', '！', '？']);
        joined = closing.is_empty() || is_initial;
    }
    words
}

/// Without the marks at its ends; `@` and `#` before a letter or digit belong to the word.
fn trimmed(token: &str) -> &str {
    let end = token.trim_end_matches(|letter: char| !letter.is_alphanumeric());
    let start = end.trim_start_matches(|letter: char| !letter.is_alphanumeric());
    let prefix = &end[..end.len() - start.len()];
    if prefix.ends_with(['@', '#']) {
        &end[prefix.len() - 1..]
    } else {
        start
    }
}

/// `J` or `J.K`, of which the closing dot has been cut off.
fn is_initials(word: &str) -> bool {
    word.split('.')
        .all(|part| part.chars().count() == 1 && part.chars().all(char::is_uppercase))
}

fn is_title(word: &str) -> bool {
    matches!(
        word,
        "Mr" | "Mrs" | "Ms" | "Dr" | "Prof" | "St" | "Jr" | "Sr"
    )
}

/// A capital first, but for the pronoun.
fn is_capitalised(word: &str) -> bool {
    let is_pronoun = || matches!(word.split(['\'', '’']).next(), Some("I"));
    word.starts_with(char::is_uppercase) && !is_pronoun()
}

/// Two to five capitals, digits aside.
fn is_acronym(word: &str) -> bool {
    (2..=MAX_ACRONYM_LETTERS).contains(&word.chars().count())
        && word.chars().all(char::is_uppercase)
        && word != "OK"
}

/// Letters with digits, inner underscores, inner capitals after small letters, a handle, a tag or an address.
fn is_identifier(word: &str) -> bool {
    let (first, others) = word.as_bytes().split_at(1);
    if first[0].is_ascii_alphabetic() && others.iter().all(u8::is_ascii_lowercase) {
        return false; // as most words
    }
    let rest = word.trim_start_matches(['@', '#']);
    if rest.len() < word.len() {
        return true;
    }
    let word = without_possessive(word);
    let has_digit = word.chars().any(|letter| letter.is_ascii_digit());
    let has_letter = word.chars().any(char::is_alphabetic);
    let pairs = || word.chars().zip(word.chars().skip(1));
    let is_camel = pairs().any(|(a, b)| a.is_lowercase() && b.is_uppercase());
    let is_snake = word.contains('_');
    let is_address = word
        .split_once('@')
        .is_some_and(|(user, host)| !user.is_empty() && host.contains('.'));
    (has_digit && has_letter && !is_quantity(word))
        || is_camel
        || (is_snake && has_letter)
        || is_address
}

/// `3pm`, `20th`, `1990s`, `5km`, `10-year-old`: a number with its unit.
fn is_quantity(word: &str) -> bool {
    let rest = word.trim_start_matches(|letter: char| {
        letter.is_ascii_digit() || ".,:-/$€£%+".contains(letter)
    });
    let begins_with_number = rest.len() < word.len();
    begins_with_number
        && (rest.chars().count() <= 2
            || rest
                .chars()
                .all(|letter| letter.is_lowercase() || letter == '-'))
}

fn is_possessive(word: &str) -> bool {
    without_possessive(word).len() < word.len()
}

/// Without `'s` or a closing apostrophe.
pub(crate) fn without_possessive(word: &str) -> &str {
    ["'s", "’s", "'S", "’S"]
        .iter()
        .find_map(|ending| word.strip_suffix(ending))
        .unwrap_or(word)
}

/// As [`is_common`] wants it.
fn folded(word: &str) -> String {
    if word.is_ascii() {
        return word.to_ascii_lowercase();
    }
    word.to_lowercase().replace('’', "'")
}
