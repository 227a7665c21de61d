//! Quoted phrases as the documentation defines them.

use std::collections::BTreeSet;

use mnemic_retrieval::text::analyze;

/// What stands between pairs of quotation marks and has at least two terms, each once.
pub(crate) fn phrases(text: &str) -> BTreeSet<&str> {
    let pieces: Vec<&str> = text.split('"').collect();
    let quoted = pieces
        .iter()
        .skip(1)
        .step_by(2)
        .take((pieces.len() - 1) / 2);
    quoted
        .copied()
        .filter(|piece| placed(piece).len() > 1)
        .collect()
}

/// Whether the terms of a phrase stand in a text as they do in the phrase.
pub(crate) fn has_phrase(text: &str, phrase: &str) -> bool {
    let (text, phrase) = (placed(text), placed(phrase));
    let first = phrase[0].1;
    let begins = |start: u32| {
        let mut all = phrase
            .iter()
            .map(|(term, at)| (term.clone(), start + at - first));
        all.all(|wanted| text.contains(&wanted))
    };
    text.iter().any(|&(_, start)| begins(start))
}

/// Terms with their positions.
fn placed(text: &str) -> Vec<(String, u32)> {
    let mut placed = Vec::new();
    analyze(text, &mut |term, position| {
        placed.push((term.to_owned(), position));
    });
    placed
}
