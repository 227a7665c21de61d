//! Which rows to look at again, from scores that are a little off.

use super::kernels::{BLOCK, lists};
use super::scan::assert_runs;
use super::{Collector, SimdPath};

/// How many rows are collected beyond twice those kept before the worse ones are dropped.
const SLACK: usize = 128;
/// A list that one search has made longer than this is not kept for the next one.
const MOST_KEPT: usize = 1 << 16;
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
    /// The CPU can run it.
    path: SimdPath,
    count: usize,
    margin: f32,
    /// At least `count` of the scores reach it, if there are so many and they have been pruned.
    floor: f32,
    threshold: f32,
    /// How many rows are in the list; behind them is room.
    held: usize,
    /// At this length the list is pruned. There is room for a block more.
    full: usize,
    scores: Vec<f32>,
    rows: Vec<u32>,
}

impl Shortlist {
    /// Empties the list for another use, keeping its memory.
    ///
    /// # Panics
    ///
    /// If the CPU cannot run `path`.
    pub fn reset(&mut self, path: SimdPath, count: usize, margin: f32) {
        assert_runs(path);
        self.path = path;
        self.count = count;
        self.margin = margin;
        self.floor = f32::NEG_INFINITY;
        self.threshold = if count == 0 {
            f32::INFINITY
        } else {
            f32::NEG_INFINITY
        };
        self.held = 0;
        if self.scores.len() > MOST_KEPT {
            (self.scores, self.rows) = (Vec::new(), Vec::new());
        }
        self.make_room();
    }

    /// Drops the rows that are certainly not wanted and gives the others.
    pub fn pruned(&mut self) -> (&[f32], &[u32]) {
        self.prune();
        (&self.scores[..self.held], &self.rows[..self.held])
    }

    /// After [`Shortlist::pruned`]: a score that at least `count` rows reach, and few more than that; negative infinity
    /// if there are no more rows than `count`.
    pub fn floor(&self) -> f32 {
        if self.held > self.count {
            self.floor
        } else {
            f32::NEG_INFINITY
        }
    }

    /// How many rows are in the list, pruned or not.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Makes `list` the rows of this one whose score passes a test, in the order in which they came.
    pub(crate) fn rows_whose(&self, passes: impl Fn(f32) -> bool, list: &mut Vec<u32>) {
        list.clear();
        list.resize(self.held, 0);
        let mut kept = 0;
        // Without a branch, because which rows pass is a matter of chance.
        for (&score, &row) in self.scores[..self.held].iter().zip(&self.rows) {
            list[kept] = row;
            kept += usize::from(passes(score));
        }
        list.truncate(kept);
    }

    #[inline(never)]
    fn prune(&mut self) {
        if self.held > self.count {
            let (scores, rows) = (&mut self.scores[..self.held], &mut self.rows[..self.held]);
            self.floor = floor_of_best(self.path, scores, self.count);
            self.threshold = self.floor - self.margin;
            // SAFETY: the path runs here, as `reset` has asserted, or is that of every CPU; the lists are of one length.
            self.held = unsafe { lists::keep(self.path, scores, rows, self.threshold) };
        }
        self.make_room();
    }

    fn make_room(&mut self) {
        self.full = 2 * self.held.max(self.count) + SLACK;
        let room = self.full + BLOCK;
        if self.scores.len() < room {
            self.scores.resize(room, 0.0);
            self.rows.resize(room, 0);
        }
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
            self.scores[self.held] = score;
            self.rows[self.held] = row;
            self.held += 1;
            if self.held == self.full {
                self.prune();
            }
        }
    }

    fn push_block(&mut self, scores: &[f32; BLOCK], reaching: u64, first_row: u32) {
        let room = (
            &mut self.scores[self.held..][..BLOCK],
            &mut self.rows[self.held..][..BLOCK],
        );
        // SAFETY: the path runs here, as for `prune`, and there is room for a block.
        self.held += unsafe { lists::append(self.path, scores, reaching, first_row, room) };
        if self.held >= self.full {
            self.prune();
        }
    }
}

/// A score that at least `count` of the scores reach, and few more than that.
///
/// # Panics
///
/// If there are fewer than `count` scores, `count` is 0, or the CPU cannot run `path`.
fn floor_of_best(path: SimdPath, scores: &[f32], count: usize) -> f32 {
    assert!(
        (1..=scores.len()).contains(&count),
        "the best {count} of {} scores",
        scores.len()
    );
    assert_runs(path);
    // SAFETY: the path runs here.
    let (mut low, mut high) = unsafe { lists::range(path, scores) };
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        // SAFETY: the path runs here.
        let reached = unsafe { lists::count(path, scores, middle) };
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
