//! From text to terms.

use unicode_segmentation::UnicodeSegmentation;

use super::fold::fold;
use super::is_stop_word;
use super::segment::{Chunk, Chunks, parts};
use super::stem::with_stem;

/// Terms are cut to at most so many bytes of UTF-8, between characters.
pub const MAX_TERM_BYTES: usize = 64;

/// Gives each term of a text to `sink` with its position, in order.
///
/// Positions count words, stop words included; an identifier as a whole has the position of its first part.
pub fn analyze(text: &str, sink: &mut impl FnMut(&str, u32)) {
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

impl<S: FnMut(&str, u32)> Analysis<'_, S> {
    fn chunk(&mut self, chunk: Chunk<'_>) {
        match chunk {
            Chunk::Plain(word) => self.word(word),
            Chunk::Compound(compound) => self.compound(compound),
            Chunk::Unspaced(run) => run.unicode_words().for_each(|word| {
                (self.sink)(cut(word), self.position);
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
        (self.sink)(cut(whole), self.position);
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
            with_stem(word, |stem| (self.sink)(stem, position));
        } else {
            (self.sink)(word, position);
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
