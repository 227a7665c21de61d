//! The best `k` of a stream of scores.

/// Takes rows with their scores and keeps the better ones.
pub trait Collector {
    /// A lower score certainly does not enter. It may lag behind what the list could tell, but is never too high.
    fn threshold(&self) -> f32;

    /// Offers a row. NaN is not kept.
    fn push(&mut self, score: f32, row: u32);

    /// Offers those of 64 rows whose bit is set, row `i` as `first_row + i`. Each of them reaches the threshold.
    fn push_block(&mut self, scores: &[f32; 64], reaching: u64, first_row: u32) {
        let mut rest = reaching;
        while rest != 0 {
            let place = rest.trailing_zeros();
            self.push(scores[place as usize], first_row + place);
            rest &= rest - 1;
        }
    }
}

/// A row and its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Higher is better; never NaN.
    pub score: f32,
    /// Which row.
    pub row: u32,
}

/// How many entries are collected beyond `k` at least before the worse ones are dropped.
const LEAST_SLACK: usize = 64;

/// The best `k` candidates by score descending, then row ascending, whatever the order of the pushes.
///
/// Collects at least twice `k` and then drops all but the best `k` by a quickselect, so that a push costs constant time
/// on average whatever `k` is.
#[derive(Clone, Debug, Default)]
pub struct TopK {
    k: usize,
    keys: Vec<u64>,
    threshold: f32,
    sorted: Vec<Candidate>,
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
        self.keys.clear();
        self.keys.reserve(self.capacity());
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

    /// The candidates kept, best first.
    pub fn as_slice(&mut self) -> &[Candidate] {
        self.select();
        self.keys.sort_unstable_by(|one, other| other.cmp(one));
        self.sorted.clear();
        self.sorted
            .extend(self.keys.iter().map(|&key| candidate(key)));
        &self.sorted
    }

    /// The candidates kept, best first.
    #[must_use]
    pub fn into_sorted(mut self) -> Vec<Candidate> {
        self.as_slice();
        self.sorted
    }

    /// How many entries there can be at a time.
    fn capacity(&self) -> usize {
        self.k + self.k.max(LEAST_SLACK)
    }

    /// Drops all but the best `k` and raises the threshold to the worst of them.
    #[inline(never)]
    fn select(&mut self) {
        if self.keys.len() < self.k.max(1) {
            return;
        }
        let (_, &mut worst, _) = self
            .keys
            .select_nth_unstable_by(self.k - 1, |one, other| other.cmp(one));
        self.threshold = candidate(worst).score;
        self.keys.truncate(self.k);
    }
}

impl Collector for TopK {
    /// After [`TopK::as_slice`] it is the `k`-th best score, or negative infinity if there are fewer than `k`.
    #[inline]
    fn threshold(&self) -> f32 {
        self.threshold
    }

    #[inline]
    fn push(&mut self, score: f32, row: u32) {
        if score >= self.threshold && self.k > 0 {
            self.keys.push(key(score, row));
            if self.keys.len() == self.capacity() {
                self.select();
            }
        }
    }
}

const SIGN: u32 = 1 << 31;

/// An integer that is greater for a greater score; of 0 and -0 the same.
///
/// The bits of positive floats are ordered as the floats are, those of negative ones the other way round.
#[inline]
pub(super) fn ordered(score: f32) -> u32 {
    let bits = (score + 0.0).to_bits(); // -0 becomes 0, so that equal scores are equal
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

/// The inverse of [`ordered`].
#[inline]
pub(super) fn score_of_ordered(ordered: u32) -> f32 {
    f32::from_bits(if ordered & SIGN == 0 {
        !ordered
    } else {
        ordered & !SIGN
    })
}

/// An integer that is greater for a better candidate: the score in the upper half, the row's complement in the lower.
fn key(score: f32, row: u32) -> u64 {
    u64::from(ordered(score)) << 32 | u64::from(!row)
}

/// The inverse of [`key`].
fn candidate(key: u64) -> Candidate {
    Candidate {
        score: score_of_ordered((key >> 32) as u32),
        row: !(key as u32),
    }
}
