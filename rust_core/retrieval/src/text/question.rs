//! Whether a text asks something.

/// Marks that end a sentence, of several scripts.
const ENDS: [char; 9] = ['.', '!', '?', '…', '。', '！', '？', '؟', '\u{037E}'];
/// Those of them that end a question; the last is the Greek one.
const QUESTIONS: [char; 4] = ['?', '？', '؟', '\u{037E}'];

/// Whether the last sentence of a text is a question: whether the last mark that ends a sentence is a question mark.
///
/// A mark before a letter or a digit ends nothing (`v1.2`, `/search?q=`). What follows the last mark, be it a note in
/// brackets or a smiley, is no sentence.
///
/// ```
/// use mnemic_retrieval::text::ends_in_question;
///
/// assert!(ends_in_question("I went to Oslo. Have you been there? :-)"));
/// assert!(!ends_in_question("Oslo? I have been there."));
/// ```
#[must_use]
pub fn ends_in_question(text: &str) -> bool {
    let mut next = None;
    for character in text.chars().rev() {
        let ends_sentence = ENDS.contains(&character) && !next.is_some_and(char::is_alphanumeric);
        if ends_sentence {
            return QUESTIONS.contains(&character);
        }
        next = Some(character);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::ends_in_question;

    #[test]
    fn the_last_sentence_decides() {
        for (text, is_question) in [
            ("", false),
            ("no mark at all", false),
            ("What is it?", true),
            ("What is it?!", false),
            ("Really?? \u{1F600}", true),
            ("Did you see it? [a picture of a dog]", true),
            ("“Did you see it?”", true),
            ("Did you see it? Yes, I did.", false),
            ("see https://example.org/search?q=oslo", false),
            ("Have you tried v1.2.3 yet?", true),
            ("Which one? v1.2.3", true),
            ("何ですか？", true),
            ("そうです。", false),
            ("ما هذا؟", true),
        ] {
            assert_eq!(ends_in_question(text), is_question, "{text}");
        }
    }
}
