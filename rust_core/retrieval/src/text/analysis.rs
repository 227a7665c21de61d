//! From text to terms.

use unicode_segmentation::UnicodeSegmentation;

use super::fold::fold;
use super::is_stop_word;
use super::segment::{Chunk, Chunks, parts};
use super::stem::with_stem;

/// Terms are cut to at most so many bytes of UTF-8, between characters.
pub const MAX_TERM_BYTES: usize = 64;

/// A term where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) term: &'a str,
    pub(super) position: u32,
    /// From its position on, so many are those of its parts; 0 if it has none.
    pub(super) parts: u32,
}

/// Gives each term of a text to `sink` with its position, in order.
///
/// Positions count words, stop words included; an identifier as a whole has the position of its first part.
pub fn analyze(text: &str, sink: &mut impl FnMut(&str, u32)) {
    tokens(text, &mut |token: Token<'_>| {
        sink(token.term, token.position);
    });
}

/// The same, with what identifiers are made of.
pub(super) fn tokens(text: &str, sink: &mut impl FnMut(Token<'_>)) {
    let folded = fold(text);
    let mut analysis = Analysis { position: 0, sink };
    for chunk in Chunks::new(&folded) {
        analysis.chunk(chunk);
    }
}

/// The terms of [`analyze`], repeats kept.
#[must_use]
pub fn terms(text: &str) -> Vec<String> {
    let mut terms = Vec::new();
    analyze(text, &mut |term, _| terms.push(term.to_owned()));
    terms
}

struct Analysis<'a, S> {
    position: u32,
    sink: &'a mut S,
}

impl<S: FnMut(Token<'_>)> Analysis<'_, S> {
    fn give(&mut self, term: &str, position: u32, parts: u32) {
        (self.sink)(Token {
            term,
            position,
            parts,
        });
    }

    fn chunk(&mut self, chunk: Chunk<'_>) {
        match chunk {
            Chunk::Plain(word) => self.word(word),
            Chunk::Compound(compound) => self.compound(compound),
            Chunk::Unspaced(run) => run.unicode_words().for_each(|word| {
                self.give(cut(word), self.position, 0);
                self.position += 1;
            }),
        }
    }

    fn compound(&mut self, compound: &str) {
        if is_stop_word(compound) {
            self.position += 1;
            return;
        }
        let whole = compound.strip_suffix("'s").unwrap_or(compound);
        if whole.chars().all(char::is_alphanumeric) {
            self.word(whole);
            return;
        }
        self.give(cut(whole), self.position, parts(whole).count() as u32);
        for part in parts(whole) {
            if part.contains(',') {
                self.word(&part.replace(',', ""));
            } else {
                self.word(part);
            }
        }
    }

    fn word(&mut self, word: &str) {
        let position = self.position;
        self.position += 1;
        let word = cut(word);
        if word.bytes().all(|byte| byte.is_ascii_lowercase()) {
            with_stem(word, |stem| self.give(stem, position, 0));
        } else {
            self.give(word, position, 0);
        }
    }
}

fn cut(term: &str) -> &str {
    let mut end = term.len().min(MAX_TERM_BYTES);
    while !term.is_char_boundary(end) {
        end -= 1;
    }
    &term[..end]
}
