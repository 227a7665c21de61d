//! From text to tokens: words and numbers with what stands between them.

use super::lexicon::{LONGEST_WORD, Use, Word, look_up};
use super::numeric;

/// A run of letters, digits and marks with digits in it that is longer is no time.
const LONGEST_NUMERIC: usize = 40;

/// What stands between a token and the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gap {
    /// White space only.
    Space,
    Comma,
    Hyphen,
    /// A dash with or without spaces.
    Dash,
    /// Brackets, quotation marks, slashes …
    Mark,
    /// The end of a sentence; what the first token has.
    Stop,
}

/// A word or a number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    /// Bytes of the text.
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) word: Word,
    pub(super) before: Gap,
    pub(super) is_capitalised: bool,
    /// Counted from 0.
    pub(super) sentence: u32,
}

/// The tokens of a text. A token takes at least one byte.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer {
        text,
        tokens: Vec::with_capacity(text.len() / 5 + 2),
        gap: Gap::Stop,
        sentence: 0,
    };
    let mut at = 0;
    while at < text.len() {
        at = lexer.step(at);
    }
    lexer.tokens
}

struct Lexer<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    gap: Gap,
    sentence: u32,
}

impl Lexer<'_> {
    /// Takes a run or one character of a gap; returns where to go on.
    fn step(&mut self, at: usize) -> usize {
        let end = run_end(self.text, at);
        if end > at {
            self.run(at, end);
            return end;
        }
        let mark = self.text[at..].chars().next().expect("not at the end");
        self.mark(mark, at + mark.len_utf8());
        at + mark.len_utf8()
    }

    fn mark(&mut self, mark: char, behind: usize) {
        let gap = match mark {
            ',' => Gap::Comma,
            '-' | '\u{2010}' | '\u{2011}' => Gap::Hyphen,
            '\u{2012}'..='\u{2015}' => Gap::Dash,
            '.' if self.ends_abbreviation() && self.text[behind..].starts_with(' ') => Gap::Space,
            '.' | '!' | '?' | ';' | '\n' | '…' | '。' | '！' | '？' => Gap::Stop,
            mark if mark.is_whitespace() => Gap::Space,
            _ => Gap::Mark,
        };
        if gap == Gap::Stop && self.gap != Gap::Stop {
            self.sentence += 1;
        }
        self.gap = self.gap.max(gap);
    }

    /// "Aug." and "p.m." do not end a sentence by their dot.
    fn ends_abbreviation(&self) -> bool {
        let last = self.tokens.last().map(|token| token.word);
        self.gap == Gap::Space
            && matches!(
                last,
                Some(
                    Word::Month(_, Use::Short | Use::Ambiguous)
                        | Word::Weekday(_, Use::Ambiguous)
                        | Word::Am
                        | Word::Pm
                )
            )
    }

    fn push(&mut self, start: usize, end: usize, word: Word) {
        self.tokens.push(Token {
            start,
            end,
            word,
            before: self.gap,
            is_capitalised: self.text[start..].starts_with(|first: char| first.is_uppercase()),
            sentence: self.sentence,
        });
        self.gap = Gap::Space;
    }

    /// Letters, digits and single marks between them.
    fn run(&mut self, start: usize, end: usize) {
        let end = start + without_possessive(&self.text[start..end]).len();
        let run = &self.text[start..end];
        if !run.bytes().any(|byte| byte.is_ascii_digit()) {
            self.words(start, end);
            return;
        }
        if run.len() > LONGEST_NUMERIC || self.is_marked(start, end) {
            self.push(start, end, Word::Opaque);
            return;
        }
        // "December 1,2023" and "last week,on May 3": commas join only the thousands of a number.
        let mut from = start;
        for piece in run.split(',') {
            let until = from + piece.len();
            if from > start {
                self.gap = Gap::Comma;
            }
            if !run.contains(',') || !numeric::groups_thousands(run) {
                self.piece(from, until);
            }
            from = until + 1;
        }
        if run.contains(',') && numeric::groups_thousands(run) {
            self.push(start, end, Word::Opaque);
        }
    }

    /// A run without commas.
    fn piece(&mut self, start: usize, end: usize) {
        let piece = &self.text[start..end];
        if !piece.bytes().any(|byte| byte.is_ascii_digit()) {
            self.words(start, end);
        } else if let Some(word) = numeric::word_of(piece) {
            self.push(start, end, word);
        } else if numeric::is_made_of_parts(piece, part_of) {
            let mut from = start;
            for part in piece.split(['-', '.']) {
                if from > start {
                    self.gap = if piece.as_bytes()[from - start - 1] == b'-' {
                        Gap::Hyphen
                    } else {
                        Gap::Space
                    };
                }
                self.push(from, from + part.len(), part_of(part));
                from += part.len() + 1;
            }
        } else {
            self.push(start, end, Word::Opaque);
        }
    }

    /// Amounts, tags, negative numbers and percentages.
    fn is_marked(&self, start: usize, end: usize) -> bool {
        let before = self.text[..start].chars().next_back();
        let after = self.text[end..].chars().next();
        let is_negative = || {
            let rest = self.text[..start].strip_suffix('-');
            rest.is_some_and(|rest| rest.chars().next_back().is_none_or(char::is_whitespace))
        };
        before.is_some_and(|mark| "$€£¥₹#@=&*~^\\_/+<>|%".contains(mark))
            || after.is_some_and(|mark| "%°€£$+_".contains(mark))
            || is_negative()
    }

    /// A run without digits.
    fn words(&mut self, start: usize, end: usize) {
        let run = &self.text[start..end];
        if let Some(half) = numeric::meridiem(run) {
            self.push(start, end, half);
            return;
        }
        let mut from = start;
        for word in run.split(|mark| is_connector(mark) && !is_apostrophe(mark)) {
            if from > start {
                self.gap = match self.text.as_bytes()[from - 1] {
                    b'-' => Gap::Hyphen,
                    b',' => Gap::Comma,
                    b'.' => Gap::Stop,
                    _ => Gap::Mark,
                };
                self.sentence += u32::from(self.gap == Gap::Stop);
            }
            if !word.is_empty() {
                let base = without_possessive(word);
                self.push(from, from + base.len(), part_of(base));
            }
            from += word.len() + 1;
        }
    }
}

/// A word, a number or an ordinal.
fn part_of(part: &str) -> Word {
    if part.starts_with(|first: char| first.is_ascii_digit()) {
        return numeric::word_of(part).unwrap_or(Word::Opaque);
    }
    let mut lower = [0; LONGEST_WORD];
    let mut length = 0;
    for letter in part.chars() {
        let letter = if is_apostrophe(letter) { '\'' } else { letter };
        if !letter.is_ascii() || length == LONGEST_WORD {
            return Word::Other;
        }
        lower[length] = letter.to_ascii_lowercase() as u8;
        length += 1;
    }
    std::str::from_utf8(&lower[..length]).map_or(Word::Other, look_up)
}

/// Where the run that begins here ends; the same place if none does.
fn run_end(text: &str, start: usize) -> usize {
    let mut end = start;
    for (offset, letter) in text[start..].char_indices() {
        let at = start + offset;
        if letter.is_alphanumeric() {
            end = at + letter.len_utf8();
        } else if at > end || end == start || !is_connector(letter) {
            break;
        }
    }
    end
}

fn is_connector(mark: char) -> bool {
    matches!(mark, '-' | '/' | '.' | ':' | ',' | '_' | '+' | '@' | '&') || is_apostrophe(mark)
}

fn is_apostrophe(mark: char) -> bool {
    matches!(mark, '\'' | '’')
}

fn without_possessive(word: &str) -> &str {
    let base = word.strip_suffix(['s', 'S']);
    let base = base.and_then(|base| base.strip_suffix(is_apostrophe));
    base.filter(|base| !base.is_empty()).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::super::lexicon::{Use, Word};
    use super::{Gap, tokens};

    fn words(text: &str) -> Vec<(Gap, Word)> {
        let tokens = tokens(text);
        tokens
            .iter()
            .map(|token| (token.before, token.word))
            .collect()
    }

    #[test]
    fn runs_are_cut_where_times_are_written_together() {
        assert_eq!(
            words("December 1,2023"),
            [
                (Gap::Stop, Word::Month(12, Use::Name)),
                (Gap::Space, Word::Number(1)),
                (Gap::Comma, Word::Number(2023))
            ]
        );
        assert_eq!(
            words("mid-May, Aug. 11-15"),
            [
                (Gap::Stop, Word::Mid),
                (Gap::Hyphen, Word::Month(5, Use::Ambiguous)),
                (Gap::Comma, Word::Month(8, Use::Short)),
                (Gap::Space, Word::Number(11)),
                (Gap::Hyphen, Word::Number(15))
            ]
        );
        assert_eq!(words("10 a.m.")[1], (Gap::Space, Word::Am));
    }

    #[test]
    fn numbers_that_are_no_times_are_opaque() {
        for text in [
            "v1.2.3",
            "1.2.3",
            "$2021",
            "2,021",
            "2021km",
            "#2021",
            "555-2021",
            "192.168.0.1",
            "3.14",
            "2021%",
            "A2021",
            "x/2023/05/07",
            "-2021",
            "12345",
            "2023_05_07",
            "20/20",
            "1:75",
        ] {
            let found = words(text);
            assert!(
                found.iter().all(|(_, word)| matches!(
                    word,
                    Word::Opaque | Word::Other | Word::Slashed(..)
                )),
                "{text}: {found:?}"
            );
        }
    }
}
