//! Names as keys: their folded form, the names that a query may mean, and what sharing one is worth.

/// A query may name something by at most so many words in a row.
const LONGEST_LINK: usize = 4;

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
    let words = folded_words(name);
    let words = match words.as_slice() {
        [article, rest @ ..] if !rest.is_empty() && is_article(article) => rest,
        all => all,
    };
    (!words.is_empty()).then(|| words.join(" "))
}

/// Every name that a query may mean: its runs of one to four words, folded, each once.
#[must_use]
pub fn linked_names(query: &str) -> Vec<String> {
    let words = folded_words(query);
    let mut names: Vec<String> = (1..=LONGEST_LINK)
        .flat_map(|length| words.windows(length).map(|run| run.join(" ")))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// What a shared name is worth: 1 for a name in no row, falling with the logarithm of the rows that hold it to 0 for a
/// name in all of them: `max(0, 1 - ln(1 + df) / ln(1 + N))`. It is the idf, scaled by its largest value.
#[must_use]
pub fn rarity(rows: u64, rows_with_name: u64) -> f32 {
    if rows == 0 {
        return 1.0;
    }
    (1.0 - (rows_with_name as f64).ln_1p() / (rows as f64).ln_1p()).max(0.0) as f32
}

fn folded_words(text: &str) -> Vec<String> {
    text.split_whitespace()
        .map(folded_word)
        .filter(|word| !word.is_empty())
        .collect()
}

fn folded_word(word: &str) -> String {
    let word = word
        .trim_matches(|letter: char| !letter.is_alphanumeric())
        .to_lowercase();
    let base = ["'s", "’s"]
        .iter()
        .find_map(|ending| word.strip_suffix(ending));
    base.map(str::to_owned).unwrap_or(word)
}

fn is_article(word: &str) -> bool {
    matches!(word, "the" | "a" | "an")
}
