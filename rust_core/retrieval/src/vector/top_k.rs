//! The best `k` of a stream of scores.

use std::cmp::Ordering;

/// A row and its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Higher is better; never NaN.
    pub score: f32,
    /// Which row.
    pub row: u32,
}

impl Candidate {
    /// Best first: by score descending, then by row ascending.
    fn order(self, other: Self) -> Ordering {
        other
            .score
            .partial_cmp(&self.score)
            .unwrap_or(Ordering::Equal)
            .then(self.row.cmp(&other.row))
    }
}

/// Up to this `k` an insertion into a sorted list is cheaper than collecting and selecting.
const SORTED_UP_TO: usize = 64;

/// The best `k` candidates by score descending, then row ascending, whatever the order of the pushes.
///
/// A small `k` keeps a sorted list. A larger one collects twice as many as asked for and then drops the worse half by
/// a quickselect, so that a push costs constant time on average.
#[derive(Clone, Debug, Default)]
pub struct TopK {
    k: usize,
    entries: Vec<Candidate>,
    threshold: f32,
}

impl TopK {
    /// An empty list for the best `k`.
    #[must_use]
    pub fn new(k: usize) -> Self {
        let mut best = Self::default();
        best.reset(k);
        best
    }

    /// Empties the list for another use, keeping its memory.
    pub fn reset(&mut self, k: usize) {
        self.k = k;
        self.entries.clear();
        self.entries.reserve(self.capacity());
        self.threshold = if k == 0 {
            f32::INFINITY
        } else {
            f32::NEG_INFINITY
        };
    }

    /// How many it keeps.
    pub fn k(&self) -> usize {
        self.k
    }

    /// A lower score certainly does not enter: the worst of `k` kept scores, or negative infinity before there are `k`.
    ///
    /// It may lag behind the `k`-th best of all pushes until [`TopK::as_slice`] settles the list.
    #[inline]
    pub fn threshold(&self) -> f32 {
        self.threshold
    }

    /// Offers a row. NaN is not kept.
    #[inline]
    pub fn push(&mut self, score: f32, row: u32) {
        if score >= self.threshold {
            self.insert(Candidate {
                score: score + 0.0,
                row,
            }); // -0 becomes 0, so that equal scores are equal
        }
    }

    /// The candidates kept, best first.
    pub fn as_slice(&mut self) -> &[Candidate] {
        if self.k > SORTED_UP_TO {
            self.select();
            self.entries
                .sort_unstable_by(|one, other| one.order(*other));
        }
        &self.entries
    }

    /// The candidates kept, best first.
    #[must_use]
    pub fn into_sorted(mut self) -> Vec<Candidate> {
        self.as_slice();
        self.entries
    }

    /// How many entries there can be at a time.
    fn capacity(&self) -> usize {
        if self.k > SORTED_UP_TO {
            2 * self.k
        } else {
            self.k
        }
    }

    fn insert(&mut self, candidate: Candidate) {
        if self.k > SORTED_UP_TO {
            self.entries.push(candidate);
            if self.entries.len() == self.capacity() {
                self.select();
            }
            return;
        }
        let full = self.entries.len() == self.k;
        if full
            && self
                .entries
                .last()
                .is_none_or(|worst| candidate.order(*worst).is_ge())
        {
            return;
        }
        if full {
            self.entries.pop();
        }
        let place = self
            .entries
            .partition_point(|entry| entry.order(candidate).is_lt());
        self.entries.insert(place, candidate);
        if self.entries.len() == self.k {
            self.threshold = self.entries[self.k - 1].score;
        }
    }

    /// Drops all but the best `k` and raises the threshold to the worst of them.
    fn select(&mut self) {
        if self.entries.len() < self.k {
            return;
        }
        let (_, worst, _) = self
            .entries
            .select_nth_unstable_by(self.k - 1, |one, other| one.order(*other));
        self.threshold = worst.score;
        self.entries.truncate(self.k);
    }
}
