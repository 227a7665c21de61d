//! Which speakers a query names.

use std::ops::Range;

use super::common_words::is_common;
use super::link::Folded;

/// A speaker is named by at most so many words in a row.
const LONGEST_NAME: usize = 4;

/// A word of a query.
struct Word {
    span: Range<usize>,
    /// Whether a name may be spelt so: what is also a common word must have a capital that no beginning of a sentence
    /// gave it.
    may_be_name: bool,
}

/// Words that join names into one subject.
const JOINING: [&str; 2] = ["and", "or"];

/// The speakers of whom a query speaks first, each once: the one whom it names first, and those who are joined to them by
/// `and` or `or`. Who asks *what advice did Tim give John* asks for what Tim said.
///
/// A speaker is named by the whole name, or by its first word where no whole name fits. Who is named by a word that fits
/// several is all of them.
///
/// # Arguments
///
/// * `query`: as it was written.
/// * `speakers`: names as [`normalize_name`](super::normalize_name) folds them, each once.
///
/// ```
/// use mnemic_retrieval::entity::named_speakers;
///
/// let speakers = ["caroline", "mel b", "will"];
/// assert_eq!(named_speakers("What is caroline's plan for Mel?", &speakers), [0]);
/// assert_eq!(named_speakers("What have Caroline and Mel planned?", &speakers), [0, 1]);
/// assert_eq!(named_speakers("Will it rain? Ask the melon.", &speakers), []);
/// assert_eq!(named_speakers("Where did Will go?", &speakers), [2]);
/// ```
#[must_use]
pub fn named_speakers(query: &str, speakers: &[&str]) -> Vec<usize> {
    let (folded, words) = words_of(query);
    let text_of = |span: Range<usize>| &folded.text[span];
    let mut named = Vec::new();
    let mut place = 0;
    while place < words.len() {
        let found = speakers_at(&folded.text, &words[place..], speakers);
        if let Some((length, found)) = found {
            named.extend(found);
            place += length;
            continue;
        }
        // What stands between the first names and does not join them ends what is spoken of first.
        if !named.is_empty() && !JOINING.contains(&text_of(words[place].span.clone())) {
            break;
        }
        place += 1;
    }
    named.sort_unstable();
    named.dedup();
    named
}

/// The speakers whose name some words begin with, and how many words that takes.
fn speakers_at(text: &str, words: &[Word], speakers: &[&str]) -> Option<(usize, Vec<usize>)> {
    let whole = (1..=LONGEST_NAME.min(words.len()))
        .rev()
        .find_map(|length| {
            let run = &words[..length];
            let name = &text[run[0].span.start..run[length - 1].span.end];
            let is_name = |&speaker: &&str| speaker == name && (length > 1 || run[0].may_be_name);
            Some((length, vec![speakers.iter().position(is_name)?]))
        });
    if whole.is_some() || !words[0].may_be_name {
        return whole;
    }
    let first = &text[words[0].span.clone()];
    let begins = |speaker: &str| speaker.split(' ').next() == Some(first);
    let found = (0..speakers.len()).filter(|&speaker| begins(speakers[speaker]));
    let found: Vec<usize> = found.collect();
    (!found.is_empty()).then_some((1, found))
}

/// The folded words of a query, and what their spelling says.
fn words_of(query: &str) -> (Folded, Vec<Word>) {
    let (mut folded, mut words) = (Folded::default(), Vec::new());
    let mut begins = true;
    for written in query.split_whitespace() {
        folded.push(written);
        let Some(span) = folded.spans.get(words.len()).cloned() else {
            continue;
        };
        let bare = written.trim_matches(|letter: char| !letter.is_alphanumeric());
        let is_capitalised = bare.starts_with(char::is_uppercase);
        let is_possessive = bare.len() > span.len() && !written.is_empty();
        let word = &folded.text[span.clone()];
        let may_be_name = !is_common(word) || is_capitalised && (!begins || is_possessive);
        words.push(Word { span, may_be_name });
        begins = written.ends_with(['.', '!', '?', ':']);
    }
    (folded, words)
}

#[cfg(test)]
mod tests {
    use super::named_speakers;

    #[test]
    fn a_whole_name_comes_before_first_words() {
        let speakers = ["caroline", "caroline smith", "caroline jones"];
        assert_eq!(named_speakers("ask Caroline Smith", &speakers), [1]);
        assert_eq!(named_speakers("ask Caroline", &speakers), [0]);
        assert_eq!(
            named_speakers("ask Caroline Jones and Caroline", &speakers),
            [0, 2]
        );
    }

    #[test]
    fn who_is_named_first_is_meant_with_those_joined_to_them() {
        let speakers = ["ann", "bo", "cy"];
        for (query, named) in [
            ("What advice did Bo give Ann?", vec![1]),
            ("What does Cy think of Ann and Bo?", vec![2]),
            ("What do Ann and Bo think of Cy?", vec![0, 1]),
            ("Did Bo, Ann or Cy sing?", vec![0, 1, 2]),
            ("Who taught Ann & Bo?", vec![0, 1]),
            ("Does Ann like Ann's house and Bo's?", vec![0]),
        ] {
            assert_eq!(named_speakers(query, &speakers), named, "{query}");
        }
    }

    #[test]
    fn a_first_word_names_all_whose_it_is() {
        let speakers = ["caroline smith", "caroline jones", "melanie"];
        assert_eq!(named_speakers("caroline’s dog", &speakers), [0, 1]);
        assert_eq!(named_speakers("carolines dog", &speakers), []);
    }

    #[test]
    fn a_common_word_is_a_name_if_its_capital_says_so() {
        let speakers = ["may", "user"];
        for (query, named) in [
            ("what may happen", vec![]),
            ("May it happen?", vec![]),
            ("May's plan", vec![0]),
            ("what did May plan?", vec![0]),
            ("what did the user say", vec![]),
            ("What did User say", vec![1]),
        ] {
            assert_eq!(named_speakers(query, &speakers), named, "{query}");
        }
    }
}
