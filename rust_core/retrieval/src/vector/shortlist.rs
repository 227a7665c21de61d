//! Which rows to look at again, from scores that are a little off.

use super::Collector;

/// How many rows are collected beyond twice those kept before the worse ones are dropped.
const SLACK: usize = 128;
/// A list that one search has made longer than this is not kept for the next one.
const MOST_KEPT: usize = 1 << 16;
/// How many partial results a reduction keeps side by side.
const LANES: usize = 16;
/// So many halvings bring the search for the best `count`'s worst score to 1/1,024 of the range of scores.
const HALVINGS: usize = 10;

/// Every row whose score is within a margin of the `count`-th best, and perhaps some more.
///
/// If no score is off by more than half the margin, the list has the exact best `count`: each of them scores at least as
/// much as the exact `count`-th less half the margin, and that one is at least the `count`-th score less half the margin.
///
/// Rows are kept in the order in which they came, and no list is sorted: the scores that separate the best are found by
/// halving an interval and counting, which a CPU does for many scores at once.
#[derive(Clone, Debug, Default)]
pub struct Shortlist {
    count: usize,
    margin: f32,
    /// At least `count` of the scores reach it, if there are so many and they have been pruned.
    floor: f32,
    threshold: f32,
    /// At this length the list is pruned.
    full: usize,
    scores: Vec<f32>,
    rows: Vec<u32>,
}

impl Shortlist {
    /// Empties the list for another use, keeping its memory.
    pub fn reset(&mut self, count: usize, margin: f32) {
        self.count = count;
        self.margin = margin;
        self.floor = f32::NEG_INFINITY;
        self.threshold = if count == 0 {
            f32::INFINITY
        } else {
            f32::NEG_INFINITY
        };
        if self.scores.capacity() > MOST_KEPT {
            *self = Self {
                scores: Vec::new(),
                rows: Vec::new(),
                ..*self
            };
        }
        self.scores.clear();
        self.rows.clear();
        self.make_room();
    }

    /// Drops the rows that are certainly not wanted and gives the others.
    pub fn pruned(&mut self) -> (&[f32], &[u32]) {
        self.prune();
        (&self.scores, &self.rows)
    }

    /// After [`Shortlist::pruned`]: a score that at least `count` rows reach, and few more than that; negative infinity
    /// if there are no more rows than `count`.
    pub fn floor(&self) -> f32 {
        if self.scores.len() > self.count {
            self.floor
        } else {
            f32::NEG_INFINITY
        }
    }

    /// How many rows are in the list, pruned or not.
    pub(crate) fn held(&self) -> usize {
        self.rows.len()
    }

    /// Makes `list` the rows of this one whose score passes a test, in the order in which they came.
    pub(crate) fn rows_whose(&self, passes: impl Fn(f32) -> bool, list: &mut Vec<u32>) {
        list.clear();
        list.resize(self.rows.len(), 0);
        let mut kept = 0;
        // Without a branch, because which rows pass is a matter of chance.
        for (&score, &row) in self.scores.iter().zip(&self.rows) {
            list[kept] = row;
            kept += usize::from(passes(score));
        }
        list.truncate(kept);
    }

    #[inline(never)]
    fn prune(&mut self) {
        if self.scores.len() > self.count {
            self.floor = floor_of_best(&self.scores, self.count);
            self.threshold = self.floor - self.margin;
            let mut kept = 0;
            // Without a branch, because which rows stay is a matter of chance.
            for place in 0..self.scores.len().min(self.rows.len()) {
                let score = self.scores[place];
                self.scores[kept] = score;
                self.rows[kept] = self.rows[place];
                kept += usize::from(score >= self.threshold);
            }
            self.scores.truncate(kept);
            self.rows.truncate(kept);
        }
        self.make_room();
    }

    fn make_room(&mut self) {
        self.full = 2 * self.scores.len().max(self.count) + SLACK;
        let room = self.full - self.scores.len();
        self.scores.reserve(room);
        self.rows.reserve(room);
    }
}

impl Collector for Shortlist {
    #[inline]
    fn threshold(&self) -> f32 {
        self.threshold
    }

    #[inline]
    fn push(&mut self, score: f32, row: u32) {
        if score >= self.threshold {
            self.scores.push(score);
            self.rows.push(row);
            if self.scores.len() == self.full {
                self.prune();
            }
        }
    }
}

/// A score that at least `count` of the scores reach, and few more than that.
///
/// # Panics
///
/// If there are fewer than `count` scores, or `count` is 0.
fn floor_of_best(scores: &[f32], count: usize) -> f32 {
    assert!(
        (1..=scores.len()).contains(&count),
        "the best {count} of {} scores",
        scores.len()
    );
    let reaching = |floor: f32| -> usize {
        let reaches = scores.iter().map(|&score| u32::from(score >= floor));
        reaches.sum::<u32>() as usize
    };
    let (mut low, mut high) = range_of(scores);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        let reached = reaching(middle);
        if reached < count {
            high = middle;
        } else {
            low = middle;
            if reached <= count + count / 16 {
                break;
            }
        }
    }
    low
}

/// The least and the greatest of some numbers.
fn range_of(scores: &[f32]) -> (f32, f32) {
    // Side by side and by comparison: `min` and `max` one after another wait for each other and look for NaN.
    let mut least = [f32::INFINITY; LANES];
    let mut greatest = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = scores.as_chunks::<LANES>();
    for chunk in chunks.iter().map(<[f32; LANES]>::as_slice).chain([rest]) {
        for ((least, greatest), &score) in least.iter_mut().zip(&mut greatest).zip(chunk) {
            *least = if score < *least { score } else { *least };
            *greatest = if score > *greatest { score } else { *greatest };
        }
    }
    (
        least.into_iter().fold(f32::INFINITY, f32::min),
        greatest.into_iter().fold(f32::NEG_INFINITY, f32::max),
    )
}
