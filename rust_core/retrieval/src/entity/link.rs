//! Names as keys: their folded form, the names that a query may mean, and what sharing one is worth.

use std::ops::Range;

/// A query may name something by at most so many words in a row.
const LONGEST_LINK: usize = 4;

/// A name that less rarity than this is left of is worth nothing: one that a tenth of 10,000 rows share, or a fifth of 500.
const LEAST_RARITY: f64 = 0.25;

/// The form under which a name is kept: lower case, words trimmed of marks and possessive endings and joined by single
/// spaces, without a leading article. None if nothing is left.
///
/// ```
/// use mnemic_retrieval::entity::normalize_name;
///
/// assert_eq!(normalize_name("The  Beatles'").as_deref(), Some("beatles"));
/// assert_eq!(normalize_name(" ... "), None);
/// ```
#[must_use]
pub fn normalize_name(name: &str) -> Option<String> {
    let folded = Folded::new(name);
    let has_article = folded.spans.len() > 1 && is_article(&folded.text[folded.spans[0].clone()]);
    let name = folded.beginning_at(usize::from(has_article));
    (!name.is_empty()).then(|| name.to_owned())
}

/// Every name that a query may mean: its runs of one to four words, folded, each once.
#[must_use]
pub fn linked_names(query: &str) -> Vec<String> {
    with_linked_names(query, |names| {
        names.iter().map(|&name| name.to_owned()).collect()
    })
}

/// Calls `sink` with [`linked_names`], sorted.
pub(crate) fn with_linked_names<R>(query: &str, sink: impl FnOnce(&[&str]) -> R) -> R {
    let folded = Folded::new(query);
    let spans = &folded.spans;
    let mut names: Vec<&str> = (1..=LONGEST_LINK)
        .flat_map(|length| spans.windows(length))
        .map(|run| &folded.text[run[0].start..run[run.len() - 1].end])
        .collect();
    names.sort_unstable();
    names.dedup();
    sink(&names)
}

/// What a shared name is worth: 1 for a name in no row, falling with the logarithm of the rows that hold it to 0 for a
/// name in all of them: `1 - ln(1 + df) / ln(1 + N)`, and nothing below [`LEAST_RARITY`]. It is the idf, scaled by its largest
/// value.
#[must_use]
pub fn rarity(rows: u64, rows_with_name: u64) -> f32 {
    if rows == 0 {
        return 1.0;
    }
    let rarity = 1.0 - (rows_with_name as f64).ln_1p() / (rows as f64).ln_1p();
    if rarity < LEAST_RARITY {
        return 0.0;
    }
    rarity as f32
}

/// The folded words of a text, joined by single spaces, so that a run of them is a part of the text.
#[derive(Default)]
pub(super) struct Folded {
    pub(super) text: String,
    /// Where the words are.
    pub(super) spans: Vec<Range<usize>>,
}

impl Folded {
    fn new(text: &str) -> Self {
        let mut folded = Self {
            text: String::with_capacity(text.len() + 1),
            spans: Vec::with_capacity(text.len() / 4),
        };
        text.split_whitespace().for_each(|word| folded.push(word));
        folded
    }

    pub(super) fn push(&mut self, word: &str) {
        let before = self.text.len();
        if before > 0 {
            self.text.push(' ');
        }
        let start = self.text.len();
        let word = word.trim_matches(|letter: char| !letter.is_alphanumeric());
        if word.is_ascii() {
            self.text
                .extend(word.chars().map(|letter| letter.to_ascii_lowercase()));
        } else {
            self.text.push_str(&word.to_lowercase());
        }
        let folded = &self.text[start..];
        let base = ["'s", "’s"]
            .iter()
            .find_map(|ending| folded.strip_suffix(ending));
        let end = start + base.unwrap_or(folded).len();
        if end == start {
            self.text.truncate(before);
        } else {
            self.text.truncate(end);
            self.spans.push(start..end);
        }
    }

    /// The text from one of its words on.
    fn beginning_at(&self, word: usize) -> &str {
        self.spans
            .get(word)
            .map_or("", |span| &self.text[span.start..])
    }
}

fn is_article(word: &str) -> bool {
    matches!(word, "the" | "a" | "an")
}
