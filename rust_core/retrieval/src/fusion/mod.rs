//! From the signals of the candidates to one score.
//!
//! Each signal is normalised over the candidates of the query: the vector's cosine by `(x - min) / (max - min)`, words
//! by `x / max`, names by `x / max(1, max)`. Time, actor, recency and context are between 0 and 1 as they are; context is
//! the weighted mean of its words, its meaning, normalised as cosines are, and its exchange, and never less than what the
//! message is by itself. A name is worth 1 when no
//! row shares it, so a name that most rows share stays worth little even when the query names nothing else. Cosines that
//! differ by no more than rounding are equal: each of them counts fully if it is above 0. The score is the weighted sum of
//! what takes part, divided by the sum of those weights, so that it stays between 0 and 1 whatever takes part.

mod context;

use crate::Error;
pub(crate) use context::{ContextWords, Exchange};

/// How many signals there are.
pub const SIGNALS: usize = 7;
/// Their names, in the order of every array over signals, which is that of the contract's fields.
pub const SIGNAL_NAMES: [&str; SIGNALS] = [
    "vector", "lexical", "entity", "time", "actor", "recency", "context",
];

pub(crate) const VECTOR: usize = 0;
pub(crate) const LEXICAL: usize = 1;
pub(crate) const ENTITY: usize = 2;
pub(crate) const TIME: usize = 3;
pub(crate) const ACTOR: usize = 4;
pub(crate) const RECENCY: usize = 5;
pub(crate) const CONTEXT: usize = 6;

/// Cosines of unit vectors in `f32` are known to about this.
const ROUNDING: f64 = 1e-6;

/// After so many microseconds (30 days) recency is worth half.
const RECENCY_HALF_LIFE: f64 = 30.0 * 24.0 * 3600.0 * 1e6;

/// How much each signal counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights([f64; SIGNALS]);

impl Weights {
    /// Weights in the order of [`SIGNAL_NAMES`].
    ///
    /// # Errors
    ///
    /// One is not between 0 and 1, or all are 0.
    pub fn new(weights: [f64; SIGNALS]) -> Result<Self, Error> {
        for (weight, name) in weights.iter().zip(SIGNAL_NAMES) {
            if !(0.0..=1.0).contains(weight) {
                return Err(Error::field_of(
                    format!("weights.{name}"),
                    format!("{weight} is not between 0 and 1"),
                ));
            }
        }
        if weights.iter().all(|weight| *weight == 0.0) {
            return Err(Error::field_of(
                "weights",
                "all are 0; at least one must be above",
            ));
        }
        Ok(Self(weights))
    }

    /// Whether a signal counts at all.
    pub(crate) fn counts(&self, signal: usize) -> bool {
        self.0[signal] > 0.0
    }
}

/// One signal of one hit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SignalScore {
    /// In its own unit; 0 if the row has none.
    pub raw: f64,
    /// Over the candidates of the query, 0 to 1.
    pub normalized: f64,
    /// After division by the sum of weights.
    pub weight: f64,
    /// The place that this signal alone would give among the candidates, from 1; 0 if it gave none.
    pub rank: u32,
}

/// What a score is made of, by signal; None where a signal took no part.
pub type Parts = [Option<SignalScore>; SIGNALS];

/// The signals of the candidates of one query, a column each; some take no part in the query. The columns' memory lives
/// from query to query.
///
/// A NaN in the vector's column says that the row has no vector.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    values: [Vec<f64>; SIGNALS],
    takes_part: [bool; SIGNALS],
    /// Memory for a column that is put into another order.
    spare: Vec<f64>,
}

/// How the columns of a query become scores.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fusion {
    weights: [f64; SIGNALS],
    ranges: [Range; SIGNALS],
}

/// The least and the greatest value of a column.
#[derive(Clone, Copy, Debug)]
struct Range {
    smallest: f64,
    largest: f64,
}

impl Columns {
    /// Leaves no signal that takes part.
    pub(crate) fn clear(&mut self) {
        self.takes_part = [false; SIGNALS];
    }

    /// Gives a signal's values, one for each candidate; it takes part from here on.
    pub(crate) fn set(&mut self, signal: usize, values: impl IntoIterator<Item = f64>) {
        self.takes_part[signal] = true;
        self.values[signal].clear();
        self.values[signal].extend(values);
    }

    /// Puts the values of a signal that takes part into another order: each at its former place, or the next of the fresh
    /// ones where there is none.
    pub(crate) fn rearrange(
        &mut self,
        signal: usize,
        places: impl IntoIterator<Item = Option<usize>>,
        fresh: impl IntoIterator<Item = f64>,
    ) {
        let former = &self.values[signal];
        let mut fresh = fresh.into_iter();
        self.spare.clear();
        self.spare
            .extend(places.into_iter().map(|place| match place {
                Some(place) => former[place],
                None => fresh.next().expect("there is one for each new place"),
            }));
        std::mem::swap(&mut self.values[signal], &mut self.spare);
    }

    /// The values of a signal that takes part.
    pub(crate) fn column(&self, signal: usize) -> Option<&[f64]> {
        self.takes_part[signal].then_some(self.values[signal].as_slice())
    }

    /// Scores `candidates` candidates, each 0 to 1.
    pub(crate) fn fuse(
        &self,
        weights: &Weights,
        candidates: usize,
        scores: &mut Vec<f64>,
    ) -> Fusion {
        let taking_part = |signal: usize| {
            if self.takes_part[signal] {
                weights.0[signal]
            } else {
                0.0
            }
        };
        let sum: f64 = (0..SIGNALS).map(taking_part).sum();
        let weight = |signal| {
            if sum > 0.0 {
                taking_part(signal) / sum
            } else {
                0.0
            }
        };
        let column = |signal| self.column(signal).unwrap_or_default();
        let fusion = Fusion {
            weights: std::array::from_fn(weight),
            ranges: std::array::from_fn(|signal| Range::of(column(signal))),
        };
        scores.clear();
        scores.resize(candidates, 0.0);
        for signal in 0..SIGNALS {
            let (weight, range) = (fusion.weights[signal], fusion.ranges[signal]);
            for (score, &value) in scores.iter_mut().zip(column(signal)) {
                *score += weight * normalize(signal, value, range);
            }
        }
        fusion
    }

    /// The raw value of a candidate's signal, for ties; the least possible where there is none.
    pub(crate) fn raw(&self, signal: usize, candidate: usize) -> f64 {
        let value = self.column(signal).map(|column| column[candidate]);
        value
            .filter(|value| !value.is_nan())
            .unwrap_or(f64::NEG_INFINITY)
    }

    /// The largest raw value of a signal; 0 where it takes no part or no candidate has one.
    pub(crate) fn largest(&self, signal: usize) -> f64 {
        let largest = Range::of(self.column(signal).unwrap_or_default()).largest;
        if largest.is_finite() { largest } else { 0.0 }
    }

    /// What the score of a candidate is made of.
    pub(crate) fn parts(
        &self,
        fusion: &Fusion,
        candidate: usize,
        ranks: &[Option<Vec<u32>>; SIGNALS],
    ) -> Parts {
        std::array::from_fn(|signal| {
            let raw = self.column(signal)?[candidate];
            Some(SignalScore {
                raw: if raw.is_nan() { 0.0 } else { raw },
                normalized: normalize(signal, raw, fusion.ranges[signal]),
                weight: fusion.weights[signal],
                rank: ranks[signal].as_ref()?[candidate],
            })
        })
    }

    /// The rank of each candidate by each signal; `order` breaks ties: it lists the candidates, the preferred first.
    pub(crate) fn ranks(&self, order: &[usize]) -> [Option<Vec<u32>>; SIGNALS] {
        std::array::from_fn(|signal| self.column(signal).map(|column| ranks(column, order)))
    }
}

/// `2^(-age / 30 days)`, 1 for what lies ahead.
pub(crate) fn recency(time_micros: i64, now_micros: i64) -> f64 {
    let age = now_micros.saturating_sub(time_micros).max(0) as f64;
    (-age / RECENCY_HALF_LIFE).exp2()
}

impl Range {
    /// Without the NaN.
    fn of(column: &[f64]) -> Self {
        let none = Self {
            smallest: f64::INFINITY,
            largest: f64::NEG_INFINITY,
        };
        column.iter().fold(none, |range, &value| Self {
            smallest: range.smallest.min(value),
            largest: range.largest.max(value),
        })
    }
}

fn normalize(signal: usize, value: f64, Range { smallest, largest }: Range) -> f64 {
    match signal {
        _ if value.is_nan() => 0.0,
        TIME | ACTOR | RECENCY | CONTEXT => value,
        VECTOR if largest - smallest > ROUNDING => (value - smallest) / (largest - smallest),
        VECTOR => f64::from(value > ROUNDING),
        ENTITY => value / largest.max(1.0),
        _ if largest > 0.0 => value / largest,
        _ => 0.0,
    }
}

fn ranks(column: &[f64], order: &[usize]) -> Vec<u32> {
    let mut ranked: Vec<usize> = order
        .iter()
        .copied()
        .filter(|&candidate| !column[candidate].is_nan() && column[candidate] != 0.0)
        .collect();
    // Stable, so that equal values keep the order of ties.
    ranked.sort_by(|&a, &b| column[b].total_cmp(&column[a]));
    let mut ranks = vec![0; column.len()];
    for (place, candidate) in ranked.into_iter().enumerate() {
        ranks[candidate] = place as u32 + 1;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::{Columns, ENTITY, LEXICAL, RECENCY, SIGNALS, VECTOR, Weights, recency};

    /// Weights of these signals; the others have none.
    fn weights<const N: usize>(named: [(usize, f64); N]) -> [f64; SIGNALS] {
        let mut weights = [0.0; SIGNALS];
        for (signal, weight) in named {
            weights[signal] = weight;
        }
        weights
    }

    fn scores(columns: &[(usize, &[f64])], weights: [f64; SIGNALS]) -> Vec<f64> {
        let mut all = Columns::default();
        for (signal, column) in columns {
            all.set(*signal, column.iter().copied());
        }
        let (weights, mut scores) = (Weights::new(weights).expect("valid weights"), Vec::new());
        all.fuse(&weights, columns[0].1.len(), &mut scores);
        scores
    }

    #[test]
    fn a_signal_that_takes_no_part_leaves_its_weight_to_the_others() {
        assert_eq!(
            scores(
                &[(LEXICAL, &[4.0, 1.0])],
                weights([(VECTOR, 0.9), (LEXICAL, 0.1)])
            ),
            [1.0, 0.25]
        );
    }

    #[test]
    fn the_score_is_the_weighted_mean_of_the_normalised_signals() {
        let columns: [(usize, &[f64]); 3] = [
            (VECTOR, &[0.5, 0.3, f64::NAN]),
            (LEXICAL, &[0.0, 2.0, 1.0]),
            (ENTITY, &[0.0, 0.0, 0.0]),
        ];
        let weights = weights([(VECTOR, 0.5), (LEXICAL, 0.25), (ENTITY, 0.25)]);
        assert_eq!(scores(&columns, weights), [0.5, 0.25, 0.125]);
    }

    #[test]
    fn equal_cosines_count_fully_if_they_are_above_zero() {
        assert_eq!(
            scores(&[(VECTOR, &[0.5, 0.5])], weights([(VECTOR, 1.0)])),
            [1.0, 1.0]
        );
        assert_eq!(
            scores(&[(VECTOR, &[-0.5])], weights([(VECTOR, 1.0)])),
            [0.0]
        );
    }

    #[test]
    fn recency_halves_in_thirty_days_and_never_exceeds_one() {
        let month = 30 * 24 * 3600 * 1_000_000_i64;
        assert_eq!(
            (
                recency(month, 0),
                recency(0, 0),
                recency(0, month),
                recency(i64::MIN, i64::MAX) < 1e-9
            ),
            (1.0, 1.0, 0.5, true)
        );
        assert_eq!(
            scores(&[(RECENCY, &[0.5, 0.25])], weights([(RECENCY, 1.0)])),
            [0.5, 0.25]
        );
    }

    #[test]
    fn weights_are_between_zero_and_one_and_not_all_zero() {
        for weights in [
            [0.0; SIGNALS],
            weights([(VECTOR, -0.1), (LEXICAL, 1.0)]),
            weights([(VECTOR, 1.1)]),
            weights([(VECTOR, f64::NAN), (LEXICAL, 1.0)]),
        ] {
            assert_eq!(
                Weights::new(weights).map_err(|error| error.reason()),
                Err("INVALID_FIELD")
            );
        }
    }
}
