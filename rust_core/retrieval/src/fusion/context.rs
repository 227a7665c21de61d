//! The context signal, from what its parts say of each candidate.

use super::{CONTEXT, Columns, Range, VECTOR, normalize};

/// What the parts of the context count among those that a query has.
const CONTEXT_WORDS: f64 = 0.4;
const CONTEXT_MEANING: f64 = 0.3;
const CONTEXT_EXCHANGE: f64 = 0.3;
/// What a message is worth that is neither a question nor an answer. A question is worth nothing, an answer more or less
/// than this.
const NO_EXCHANGE: f64 = 0.4;

/// What a message is to those next to it, when two people speak.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Exchange {
    /// Neither of the two below.
    Neither,
    /// It asks something, and another person answers.
    Asks,
    /// It answers what another person asked; with the cosine of that question, NaN if it has no vector.
    Answers(f32),
}

/// What of the query's words candidates have, 0 to 1 each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ContextWords<'a> {
    /// In their windows.
    pub(crate) window: &'a [f64],
    /// By themselves.
    pub(crate) own: &'a [f64],
}

impl Columns {
    /// Gives the parts of the context that the query has; the signal takes part if words or meaning are there.
    ///
    /// What is said around a message only lifts it. Its meaning is that of its window or its own, whichever is more; and
    /// a context is never less than what the message is by itself, in words and in meaning, so that the neighbours of a
    /// message that says what is asked for cannot make it lose to others.
    ///
    /// # Arguments
    ///
    /// * `words`: 0 to 1.
    /// * `meaning`: cosines, NaN where there is none; only if the vector's column is there.
    /// * `exchanges`: only if the vector's column is there.
    pub(crate) fn set_context(
        &mut self,
        words: Option<ContextWords<'_>>,
        meaning: Option<&[f64]>,
        exchanges: Option<&[Exchange]>,
    ) {
        let mut context = std::mem::take(&mut self.values[CONTEXT]);
        context.clear();
        let candidates = words.map(|words| words.window).or(meaning);
        context.resize(candidates.map_or(0, <[f64]>::len), 0.0);
        let own = self.column(VECTOR).unwrap_or_default();
        let cosines = Range::of(own);
        let mut total = 0.0;
        if let Some(words) = words {
            total += add(&mut context, CONTEXT_WORDS, words.window.iter().copied());
        }
        if let Some(meaning) = meaning {
            let range = Range::of(meaning);
            let lifted = meaning.iter().zip(own).map(|(&window, &own)| {
                normalize(VECTOR, window, range).max(normalize(VECTOR, own, cosines))
            });
            total += add(&mut context, CONTEXT_MEANING, lifted);
        }
        if let Some(exchanges) = exchanges {
            let worth = exchanges.iter().map(|exchange| exchange.worth(cosines));
            total += add(&mut context, CONTEXT_EXCHANGE, worth);
        }
        for value in &mut context {
            *value /= total;
        }
        if let (Some(words), Some(_)) = (words, meaning) {
            for ((value, &share), &cosine) in context.iter_mut().zip(words.own).zip(own) {
                *value = value.max(share.min(normalize(VECTOR, cosine, cosines)));
            }
        }
        self.takes_part[CONTEXT] = candidates.is_some();
        self.values[CONTEXT] = context;
    }
}

impl Exchange {
    /// 0 to 1: an answer is worth what its question would be by its cosine among those of the candidates.
    fn worth(self, cosines: Range) -> f64 {
        match self {
            Self::Asks => 0.0,
            Self::Answers(cosine) if !cosine.is_nan() => {
                normalize(VECTOR, f64::from(cosine), cosines).clamp(0.0, 1.0)
            }
            Self::Neither | Self::Answers(_) => NO_EXCHANGE,
        }
    }
}

/// Adds a share of some values to sums; gives the share.
fn add(sums: &mut [f64], share: f64, values: impl Iterator<Item = f64>) -> f64 {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += share * value;
    }
    share
}

#[cfg(test)]
mod tests {
    use super::{CONTEXT, Columns, ContextWords, Exchange, VECTOR};
    use crate::fusion::{SIGNALS, Weights};

    /// The scores that nothing but the context gives two candidates.
    fn of_context(
        cosines: [f64; 2],
        words: Option<ContextWords<'_>>,
        meaning: Option<&[f64]>,
        exchanges: Option<&[Exchange]>,
    ) -> Vec<f64> {
        let (mut columns, mut scores) = (Columns::default(), Vec::new());
        columns.set(VECTOR, cosines);
        columns.set_context(words, meaning, exchanges);
        let mut weights = [0.0; SIGNALS];
        weights[CONTEXT] = 1.0;
        let weights = Weights::new(weights).expect("valid weights");
        columns.fuse(&weights, 2, &mut scores);
        scores
    }

    #[test]
    fn context_is_the_mean_of_what_the_query_has_of_it() {
        let own = &[0.0, 0.0];
        let window = &[1.0, 0.3];
        let words = Some(ContextWords { window, own });
        let meaning: Option<&[f64]> = Some(&[f64::NAN, 0.25]);
        // The second one's own cosine is the least.
        let context = |words, meaning, exchanges| of_context([0.5, 0.1], words, meaning, exchanges);
        assert_eq!(context(words, None, None), [1.0, 0.3]);
        assert_eq!(context(None, meaning, None), [1.0, 1.0]);
        let both = [1.0, (0.4 * 0.3 + 0.3) / 0.7];
        assert_eq!(context(words, meaning, None), both);
        for (exchange, worth) in [
            (Exchange::Neither, 0.4),
            (Exchange::Asks, 0.0),
            (Exchange::Answers(0.2), 0.25),
            (Exchange::Answers(0.9), 1.0),
            (Exchange::Answers(f32::NAN), 0.4),
        ] {
            let exchanges = [Exchange::Neither, exchange];
            let scores = of_context([0.5, 0.1], words, meaning, Some(&exchanges));
            let expected = 0.4 * 0.3 + 0.3 + 0.3 * worth;
            assert!((scores[1] - expected).abs() < 1e-6, "{exchange:?}");
        }
    }

    #[test]
    fn what_is_said_around_a_message_only_lifts_it() {
        let asks = [Exchange::Asks, Exchange::Answers(0.9)];
        let context = |own: &[f64; 2]| {
            let words = ContextWords {
                window: &[1.0, 1.0],
                own,
            };
            of_context([0.9, 0.1], Some(words), Some(&[0.2, 0.8]), Some(&asks))
        };
        // The first one is a question and its window means little, but by itself it means what is asked for.
        for (own, expected) in [
            ([0.5, 1.0], [0.7, 1.0]),
            ([0.8, 0.0], [0.8, 1.0]),
            ([1.0, 0.0], [1.0, 1.0]),
        ] {
            let scores = context(&own);
            let near = |(score, expected): (&f64, &f64)| (score - expected).abs() < 1e-6;
            assert!(scores.iter().zip(&expected).all(near), "{scores:?}");
        }
    }
}
