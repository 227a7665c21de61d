//! What a window is worth, from the numbers of its messages.

use crate::text::Bm25;

/// What the words of a window are worth: BM25 of the window as if it were one text, with the statistics of the texts.
///
/// # Arguments
///
/// * `terms`: what a posting of each term of the query is worth, and how often the window has it.
/// * `length`: the terms of the window.
/// * `average`: the mean of `length` over the candidates.
pub(super) fn words(terms: impl Iterator<Item = (f32, u32)>, length: u32, average: f32) -> f64 {
    let bm25 = Bm25::default();
    let worth = terms
        .map(|(weight, frequency)| f64::from(bm25.term_score(weight, frequency, length, average)));
    worth.sum()
}

/// What a window means: the mean of the cosines of its messages, weighted by their shares. A message without a vector, whose
/// cosine is NaN, does not count; NaN if none has one.
pub(super) fn meaning(messages: impl Iterator<Item = (f32, f32)>) -> f64 {
    let (mut sum, mut shares) = (0.0, 0.0);
    for (share, cosine) in messages.filter(|(_, cosine)| !cosine.is_nan()) {
        sum += f64::from(share) * f64::from(cosine);
        shares += f64::from(share);
    }
    sum / shares
}
