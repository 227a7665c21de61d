//! Chunks of folded text: words, identifiers, and runs of scripts without spaces.

use unicode_normalization::char::is_combining_mark;

/// What a character does to the chunk before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// A letter or digit of a script that parts words by spaces; a mark on one.
    Word,
    /// A mark that holds an identifier together if letters or digits stand on both sides.
    Connector,
    /// A character of a script that parts no words.
    Unspaced,
    /// Anything else ends a chunk.
    Boundary,
}

/// A stretch of text to be analysed on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunk<'a> {
    /// Letters and digits only.
    Plain(&'a str),
    /// Letters and digits with connectors inside, or one of the suffixes of `C++` and `C#`.
    Compound(&'a str),
    /// A run of a script without spaces.
    Unspaced(&'a str),
}

/// The chunks of a folded text, in order.
pub(super) struct Chunks<'a> {
    rest: &'a str,
}

impl<'a> Chunks<'a> {
    pub(super) fn new(folded: &'a str) -> Self {
        Self { rest: folded }
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (chunk, rest) = self.rest.split_at(length);
        self.rest = rest;
        chunk
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Chunk<'a>> {
        let start = self
            .rest
            .char_indices()
            .find(|&(_, character)| begins_chunk(character));
        let Some((start, first)) = start else {
            self.rest = "";
            return None;
        };
        self.take(start);
        if class(first) == Class::Unspaced {
            let length = run(self.rest, |character| {
                class(character) == Class::Unspaced || is_combining_mark(character)
            });
            return Some(Chunk::Unspaced(self.take(length)));
        }
        let (length, compound) = word_length(self.rest);
        let chunk = self.take(length);
        Some(if compound {
            Chunk::Compound(chunk)
        } else {
            Chunk::Plain(chunk)
        })
    }
}

/// The parts of a compound: what lies between its connectors, but for the commas of a number.
pub(super) fn parts(compound: &str) -> impl Iterator<Item = &str> {
    compound.split(is_connector).filter(|part| !part.is_empty())
}

/// The length of the word or identifier that the text begins with, and whether it has connectors.
fn word_length(text: &str) -> (usize, bool) {
    let (mut end, mut compound) = (0, false);
    loop {
        end += letters(&text[end..]);
        match joint(text, end) {
            Joint::End => return (end, compound),
            Joint::Suffix(length) => return (end + length, true),
            Joint::Through(length) => {
                end += length;
                compound = true;
            }
        }
    }
}

/// What follows letters and digits.
enum Joint {
    End,
    /// Marks of this length belong to the identifier and end it.
    Suffix(usize),
    /// Marks of this length belong to the identifier, which goes on behind them.
    Through(usize),
}

fn joint(text: &str, at: usize) -> Joint {
    let after = &text[at..];
    if after.is_empty() || after.starts_with(' ') {
        return Joint::End;
    }
    if let Some(behind) = after.strip_prefix(',') {
        return if groups_thousands(&text[..at], behind) {
            Joint::Through(1)
        } else {
            Joint::End
        };
    }
    let marks = &after[..run(after, is_connector)];
    let goes_on = after[marks.len()..]
        .starts_with(|next| class(next) == Class::Word && !is_combining_mark(next));
    if goes_on && (marks.len() == 1 || matches!(marks, "://" | "::" | "++")) {
        return Joint::Through(marks.len());
    }
    let suffix = ["++", "+", "#"]
        .into_iter()
        .find(|suffix| marks.starts_with(suffix));
    match suffix {
        Some(suffix) if text[..at].ends_with(|last: char| last.is_ascii_lowercase()) => {
            Joint::Suffix(suffix.len())
        }
        _ => Joint::End,
    }
}

/// Whether a comma between these stands in a number such as 1,000: a digit before, exactly three after.
fn groups_thousands(before: &str, after: &str) -> bool {
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    digits == 3 && before.ends_with(|last: char| last.is_ascii_digit())
}

fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|character| !belongs(character))
        .unwrap_or(text.len())
}

/// How many bytes of letters and digits the text begins with.
fn letters(text: &str) -> usize {
    let bytes = text.as_bytes();
    let is_ascii_word = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ascii = bytes.iter().take_while(|byte| is_ascii_word(byte)).count();
    if bytes.get(ascii).is_none_or(u8::is_ascii) {
        return ascii;
    }
    ascii + run(&text[ascii..], |character| class(character) == Class::Word)
}

fn begins_chunk(character: char) -> bool {
    character.is_alphanumeric() && matches!(class(character), Class::Word | Class::Unspaced)
}

fn is_connector(character: char) -> bool {
    class(character) == Class::Connector
}

fn class(character: char) -> Class {
    match character {
        'a'..='z' | '0'..='9' => Class::Word,
        '_' | '-' | '.' | ':' | '/' | '\\' | '@' | '+' | '#' | '&' | '\'' | '~' | '%' | '=' => {
            Class::Connector
        }
        _ if character.is_ascii() => Class::Boundary,
        _ if is_unspaced(character) => Class::Unspaced,
        _ if character.is_alphanumeric() || is_combining_mark(character) => Class::Word,
        _ => Class::Boundary,
    }
}

/// Thai to Tibetan, Myanmar, Khmer, kana, Han (with its iteration mark) and their extensions.
fn is_unspaced(character: char) -> bool {
    matches!(
        character,
        '\u{0E00}'..='\u{0FFF}'
            | '\u{1000}'..='\u{109F}'
            | '\u{1780}'..='\u{17FF}'
            | '\u{3005}'..='\u{3007}'
            | '\u{3040}'..='\u{30FF}'
            | '\u{31F0}'..='\u{31FF}'
            | '\u{3400}'..='\u{4DBF}'
            | '\u{4E00}'..='\u{9FFF}'
            | '\u{F900}'..='\u{FAFF}'
            | '\u{20000}'..='\u{3FFFF}'
    )
}
