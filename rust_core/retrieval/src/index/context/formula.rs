//! What a window is worth, from the numbers of its messages.

/// What the words of a window are worth: of the idf of all terms of the query that a text without an end has, the share of
/// those that the window has.
///
/// # Arguments
///
/// * `terms`: the idf of each term, and whether the window has it.
/// * `total`: the idf of all that a text without an end has; a window whose texts have ended may have more.
pub(super) fn words(terms: impl Iterator<Item = (f32, bool)>, total: f32) -> f64 {
    let had = terms.filter(|&(_, is_had)| is_had);
    let sum: f32 = had.map(|(idf, _)| idf).sum();
    if total > 0.0 {
        f64::from((sum / total).min(1.0))
    } else {
        0.0
    }
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
