//! The messages of all windows, each once, and their numbers in the order of their rows.

use crate::index::sources::{Source, SourceRow};

/// A set of rows that knows how many of its rows come before each. What it does takes time for its rows and not for those
/// of the sources: its memory lives from search to search, and only what was written to is cleared.
#[derive(Default)]
pub(super) struct Members {
    /// A bit for each row of the sources.
    words: Vec<u64>,
    /// How many rows the words before each have; only of words that have some, once they were numbered.
    before: Vec<u32>,
    /// The words that have some, ascending once they were numbered.
    touched: Vec<u32>,
    /// All of them, ascending, once they were numbered.
    rows: Vec<SourceRow>,
}

impl Members {
    /// Leaves no rows; those to come are below `end`.
    pub(super) fn clear(&mut self, end: SourceRow) {
        for word in self.touched.drain(..) {
            self.words[word as usize] = 0;
        }
        let words = (end as usize).div_ceil(64).max(self.words.len());
        self.words.resize(words, 0);
        self.before.resize(words, 0);
    }

    /// Adds a row.
    #[inline]
    pub(super) fn add(&mut self, row: SourceRow) {
        let word = &mut self.words[row as usize / 64];
        if *word == 0 {
            self.touched.push(row / 64);
        }
        *word |= 1 << (row % 64);
    }

    /// Numbers the rows, ascending.
    pub(super) fn number(&mut self) {
        self.touched.sort_unstable();
        self.rows.clear();
        for &touched in &self.touched {
            self.before[touched as usize] = self.rows.len() as u32;
            let mut word = self.words[touched as usize];
            while word != 0 {
                self.rows.push(64 * touched + word.trailing_zeros());
                word &= word - 1;
            }
        }
    }

    /// The rows, ascending, once they were numbered.
    pub(super) fn rows(&self) -> &[SourceRow] {
        &self.rows
    }

    /// The number of a row, if it is one of them.
    #[inline]
    pub(super) fn number_of(&self, row: SourceRow) -> Option<usize> {
        let place = row as usize / 64;
        let word = self.words[place];
        let bit = 1 << (row % 64);
        let below = (word & (bit - 1)).count_ones();
        (word & bit != 0).then(|| (self.before[place] + below) as usize)
    }

    /// The numbers of those that a source has.
    pub(super) fn of(&self, source: &Source) -> std::ops::Range<usize> {
        let start = self.rows.partition_point(|&row| row < source.offset);
        let count = self.rows[start..].partition_point(|&row| row < source.end());
        start..start + count
    }
}

#[cfg(test)]
mod tests {
    use super::Members;

    #[test]
    fn rows_are_numbered_in_their_order_each_once() {
        let mut members = Members::default();
        // Again and again in the same memory, which may have become larger.
        for (end, rows) in [
            (1_000, vec![999, 3, 64, 3, 63]),
            (64, vec![5]),
            (2_000, vec![1_999, 0, 640]),
            (10, vec![]),
        ] {
            members.clear(end);
            for &row in &rows {
                members.add(row);
            }
            members.number();
            let mut expected = rows.clone();
            expected.sort_unstable();
            expected.dedup();
            assert_eq!(members.rows(), expected);
            for row in 0..end {
                assert_eq!(members.number_of(row), expected.binary_search(&row).ok());
            }
        }
    }
}
