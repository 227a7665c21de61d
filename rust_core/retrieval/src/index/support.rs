//! How sure it is that what was found answers the query.

/// With a confidence below, the answer to a search says that it abstains.
pub const ABSTAIN_BELOW: f64 = 0.5;

/// What speaks for an answer, whatever the weights: both are absolute and not relative to the candidates, so that they
/// can be low for all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Support {
    /// The highest cosine of a candidate.
    pub cosine: f64,
    /// The largest share of what the query's words could be worth that a candidate has, 0 to 1. A word that no memory has
    /// counts like the rarest.
    pub coverage: f64,
}

/// How the support becomes a probability: a logistic model fitted for one embedding model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// The weight of [`Support::cosine`].
    pub cosine: f64,
    /// The weight of [`Support::coverage`].
    pub coverage: f64,
    /// What is added to their sum.
    pub bias: f64,
}

impl Calibration {
    /// `1 / (1 + e^-(cosine · weight + coverage · weight + bias))`.
    #[must_use]
    pub fn confidence(self, support: Support) -> f64 {
        let odds = self.cosine * support.cosine + self.coverage * support.coverage + self.bias;
        1.0 / (1.0 + (-odds).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::{Calibration, Support};

    #[test]
    fn confidence_grows_with_either_support_and_is_a_half_where_they_balance_the_bias() {
        let calibration = Calibration {
            cosine: 10.0,
            coverage: 8.0,
            bias: -5.0,
        };
        let of = |cosine, coverage| calibration.confidence(Support { cosine, coverage });
        assert!((of(0.5, 0.0) - 0.5).abs() < 1e-12);
        assert!(of(0.5, 0.1) > of(0.5, 0.0));
        assert!(of(0.6, 0.1) > of(0.5, 0.1));
        assert!(of(-1.0, 0.0) > 0.0 && of(1.0, 1.0) < 1.0);
    }
}
