//! The way through a posting list, from the newest row to the oldest.

use crate::partition::dictionary::Posting;
use crate::partition::segment::RowNumber;
use crate::vector::prefetch;

/// So many postings are asked for at once: four lines of the cache. Behind them the processor sees where it goes on.
const POSTINGS_AHEAD: usize = 32;

/// The postings of a term that have not been passed yet.
pub(super) struct Cursor<'a, 's> {
    /// The last of them.
    slice: &'a [Posting],
    /// Those before it.
    before: &'s [&'a [Posting]],
    /// How many there were.
    pub(super) length: usize,
}

impl<'a, 's> Cursor<'a, 's> {
    /// Over slices that follow one another.
    pub(super) fn new(slices: &'s [&'a [Posting]]) -> Self {
        Self {
            slice: &[],
            before: slices,
            length: slices.iter().map(|slice| slice.len()).sum(),
        }
    }

    /// Asks for the next postings before they are read.
    pub(super) fn prefetch(&self) {
        let next = self.before.last().filter(|_| self.slice.is_empty());
        let slice = next.copied().unwrap_or(self.slice);
        prefetch(&slice[slice.len().saturating_sub(POSTINGS_AHEAD)..]);
    }

    /// Passes the postings from a row on and returns the one before them.
    #[inline]
    pub(super) fn pass(&mut self, row: RowNumber) -> Option<Posting> {
        loop {
            match self.slice.last() {
                Some(last) if last.row < row => return Some(*last),
                Some(_) => self.slice = &self.slice[..below(self.slice, row)],
                None => (self.slice, self.before) = self.before.split_last()?,
            }
        }
    }

    /// Passes the postings from a row on and gives each of them to `sink`.
    #[inline]
    pub(super) fn take(&mut self, row: RowNumber, mut sink: impl FnMut(Posting)) {
        loop {
            while let Some((&posting, rest)) = self.slice.split_last() {
                if posting.row < row {
                    return;
                }
                sink(posting);
                self.slice = rest;
            }
            let Some((&slice, before)) = self.before.split_last() else {
                return;
            };
            (self.slice, self.before) = (slice, before);
        }
    }

    /// The posting of a row; those behind it are passed.
    #[inline]
    pub(super) fn find(&mut self, row: RowNumber) -> Option<Posting> {
        self.pass(row + 1).filter(|posting| posting.row == row)
    }
}

/// How many postings of a slice are below a row, found from the end because it seldom is far.
fn below(slice: &[Posting], row: RowNumber) -> usize {
    let (mut end, mut step) = (slice.len(), 1);
    while end > 0 {
        let start = end.saturating_sub(step);
        if slice[start].row < row {
            let between = &slice[start + 1..end];
            return start + 1 + between.partition_point(|posting| posting.row < row);
        }
        (end, step) = (start, 2 * step);
    }
    0
}

#[cfg(test)]
mod tests {
    use super::{Cursor, below};
    use crate::partition::dictionary::Posting;

    fn postings(rows: impl Iterator<Item = u32>) -> Vec<Posting> {
        rows.map(|row| Posting::new(row, 1, 1)).collect()
    }

    #[test]
    fn the_place_of_a_row_is_found_from_the_end() {
        for length in 0..40_u32 {
            let postings = postings((0..length).map(|n| 3 * n));
            for row in 0..3 * length + 3 {
                let expected = postings.iter().filter(|posting| posting.row < row).count();
                assert_eq!(below(&postings, row), expected, "{row} of {length}");
            }
        }
    }

    #[test]
    fn postings_are_taken_and_found_across_slices() {
        let all = postings((0..100).map(|n| 2 * n));
        let slices: Vec<&[Posting]> = all.chunks(7).collect();
        let mut cursor = Cursor::new(&slices);
        assert_eq!(cursor.length, 100);
        let mut taken = Vec::new();
        cursor.take(150, |posting| taken.push(posting.row));
        assert_eq!(taken, (75..100).rev().map(|n| 2 * n).collect::<Vec<_>>());
        let found = |posting: Option<Posting>| posting.map(|posting| posting.row);
        assert_eq!(found(cursor.find(100)), Some(100));
        assert_eq!(found(cursor.find(99)), None);
        assert_eq!(found(cursor.find(0)), Some(0));
        assert_eq!(found(cursor.pass(0)), None);
    }
}
