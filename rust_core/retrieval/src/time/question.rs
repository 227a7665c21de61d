//! Questions that want to know a time.

/// What follows "when" in a question: "When did …", but not "When Ann moved, who helped?".
const ASKING_VERBS: [&str; 34] = [
    "am",
    "are",
    "aren't",
    "can",
    "could",
    "did",
    "didn't",
    "do",
    "does",
    "doesn't",
    "exactly",
    "had",
    "has",
    "have",
    "is",
    "isn't",
    "may",
    "might",
    "must",
    "roughly",
    "shall",
    "should",
    "was",
    "wasn't",
    "were",
    "weren't",
    "will",
    "won't",
    "would",
    "wouldn't",
    "approximately",
    "precisely",
    "around",
    "about",
];
/// Before a "when" that is asked for in other words: "tell me when she moved".
const ASKING_PHRASES: [&str; 5] = ["me", "us", "know", "remember", "and"];
/// "what year", "which day".
const ASKED_UNITS: [&str; 14] = [
    "date", "dates", "day", "days", "month", "months", "quarter", "season", "time", "week",
    "weekend", "weeks", "year", "years",
];
/// "how many days ago".
const COUNTED_UNITS: [&str; 6] = ["days", "hours", "months", "weeks", "years", "minutes"];
const COUNTED_FROM: [&str; 6] = ["ago", "since", "before", "after", "until", "passed"];
/// As many words lie between "how many weeks" and "ago" or "since".
const WORDS_BETWEEN: usize = 4;

/// Whether a query asks when something happened or will: "when did", "what year", "on which day", "how long ago", "the date
/// of". A duration ("how long did it take") is none.
///
/// ```
/// use mnemic_retrieval::time::asks_when;
///
/// assert!(asks_when("When did Caroline join the choir?"));
/// assert!(!asks_when("What did Caroline say when she joined the choir?"));
/// ```
#[must_use]
pub fn asks_when(query: &str) -> bool {
    let lower = query.to_ascii_lowercase().replace('’', "'");
    let words: Vec<&str> = lower
        .split_whitespace()
        .map(|word| word.trim_matches(|mark: char| !mark.is_alphanumeric()))
        .filter(|word| !word.is_empty())
        .collect();
    let is_one_clause = query.trim_end().ends_with('?') && !query.contains(',');
    (0..words.len()).any(|at| asks_at(&words, at))
        || (is_one_clause && words.first() == Some(&"when") && is_whole_question(&words))
}

fn asks_at(words: &[&str], at: usize) -> bool {
    let word = |place: usize| words.get(place).copied().unwrap_or("");
    let is_first = at == 0;
    match (word(at), word(at + 1)) {
        ("when", next) if is_first || word(at - 1) == "since" || word(at - 1) == "until" => {
            ASKING_VERBS.contains(&next)
        }
        ("when", "" | "did" | "does" | "will") | ("date" | "dates", "of") => true, // "He moved when?"
        ("when", _) => ASKING_PHRASES.contains(&word(at - 1)) && is_asking(words, at),
        ("when's", _) => is_first,
        ("what" | "which", "time") => !matches!(word(at + 2), "of" | "zone" | "zones"),
        ("what" | "which", unit) => ASKED_UNITS.contains(&unit),
        ("what's" | "is", "the") => word(at + 2) == "date",
        ("how", "long") => matches!(word(at + 2), "ago" | "since"),
        ("how", "many") if COUNTED_UNITS.contains(&word(at + 2)) => {
            let rest = words.get(at + 3..).unwrap_or_default();
            rest.iter()
                .take(WORDS_BETWEEN)
                .any(|word| COUNTED_FROM.contains(word))
        }
        _ => false,
    }
}

/// "When Jon has lost his job?": nothing else is asked.
fn is_whole_question(words: &[&str]) -> bool {
    const OTHERS: [&str; 12] = [
        "what", "who", "whom", "whose", "where", "why", "which", "how", "did", "does", "do", "is",
    ];
    !words[1..].iter().any(|word| OTHERS.contains(word))
}

/// "Tell me when", "do you know when", "and when": not "I know when".
fn is_asking(words: &[&str], at: usize) -> bool {
    let before = &words[..at];
    let has = |word: &str| before.contains(&word);
    match before.last() {
        Some(&"me" | &"us") => has("tell") || has("remind") || has("show"),
        Some(&"and") => has("where") || has("who") || has("what") || has("why") || has("how"),
        _ => has("you"),
    }
}

#[cfg(test)]
mod tests {
    use super::asks_when;

    #[test]
    fn questions_for_a_time_are_told_from_others() {
        for query in [
            "When did Melanie run a charity race?",
            "when is the launch",
            "When’s Ann's birthday?",
            "What date did they marry?",
            "On which day did Tim land?",
            "In what year did John start surfing?",
            "How long ago was her 18th birthday?",
            "which month was John in Italy",
            "What time does the gym open?",
            "How many weeks ago did Maria adopt Coco?",
            "How many days passed between the two meetings?",
            "Tell me when she moved",
            "Since when does he paint?",
            "Where and when was the picnic?",
            "What is the date of the wedding?",
            "Who won, and when did they win?",
            "Do you remember when we met?",
            "What's the date of the exam?",
            "He moved when?",
            "When Jon has lost his job?",
        ] {
            assert!(asks_when(query), "{query}");
        }
        for query in [
            "",
            "What did Ann do when she was ill?",
            "When Ann moved, who helped her?",
            "When Ann moved who helped?",
            "When it rains.",
            "What times of the day does she like?",
            "How long did the trip take?",
            "How many dogs does she have?",
            "How many days does she work?",
            "the whenever",
            "What does Ann like?",
            "I know when to stop",
            "What did she say when he left?",
            "What did he do last year?",
            "Which time zone is he in?",
            "What does Jon do and what does he feel when dancing?",
        ] {
            assert!(!asks_when(query), "{query}");
        }
    }
}
