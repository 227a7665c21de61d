//! A set of rows that knows how many of its rows come before each.

use crate::index::sources::{Source, SourceRow};

/// Rows over all sources.
#[derive(Default)]
pub(super) struct Marks {
    words: Vec<u64>,
    /// How many rows the words before each have, once they were numbered.
    before: Vec<u32>,
    /// All of them, ascending, once they were numbered.
    rows: Vec<SourceRow>,
}

impl Marks {
    /// Leaves no rows; those to come are below `end`.
    pub(super) fn clear(&mut self, end: SourceRow) {
        self.words.clear();
        self.words.resize((end as usize).div_ceil(64), 0);
    }

    /// Adds a row.
    pub(super) fn add(&mut self, row: SourceRow) {
        self.words[row as usize / 64] |= 1 << (row % 64);
    }

    /// Whether a row is in it.
    #[inline]
    pub(super) fn has(&self, row: SourceRow) -> bool {
        self.words[row as usize / 64] >> (row % 64) & 1 == 1
    }

    /// Numbers the rows, ascending.
    pub(super) fn number(&mut self) {
        self.before.clear();
        let mut before = 0;
        self.before.extend(self.words.iter().map(|word| {
            let first = before;
            before += word.count_ones();
            first
        }));
        self.rows.clear();
        self.rows.extend(rows_of(&self.words, 0));
    }

    /// The rows, ascending, once they were numbered.
    pub(super) fn numbered(&self) -> &[SourceRow] {
        &self.rows
    }

    /// The number of one of the rows.
    #[inline]
    pub(super) fn number_of(&self, row: SourceRow) -> usize {
        let word = row as usize / 64;
        let below = self.words[word] & ((1 << (row % 64)) - 1);
        self.before[word] as usize + below.count_ones() as usize
    }

    /// Those of them that a source has.
    pub(super) fn numbered_of(&self, source: &Source) -> &[SourceRow] {
        let end = source.end();
        let start = self.rows.partition_point(|&row| row < source.offset);
        let count = self.rows[start..].partition_point(|&row| row < end);
        &self.rows[start..start + count]
    }

    /// The rows of a source, ascending.
    pub(super) fn rows_of(&self, source: &Source) -> impl Iterator<Item = SourceRow> {
        let first = source.offset as usize / 64;
        let words = &self.words[first..][..source.view.live.len()];
        rows_of(words, source.offset)
    }
}

fn rows_of(words: &[u64], first: SourceRow) -> impl Iterator<Item = SourceRow> {
    let words = (first..).step_by(64).zip(words);
    words.flat_map(|(first, &word)| {
        std::iter::successors((word != 0).then_some(word), |&word| {
            let rest = word & (word - 1);
            (rest != 0).then_some(rest)
        })
        .map(move |word| first + word.trailing_zeros())
    })
}
