//! The way through a posting list, from the newest row to the oldest.

use super::{Term, Worth};
use crate::partition::dictionary::Posting;
use crate::partition::segment::RowNumber;

/// The postings of a term that have not been passed yet.
pub(super) struct Cursor<'a> {
    /// The last of them.
    slice: &'a [Posting],
    /// Those before it.
    before: Vec<&'a [Posting]>,
    pub(super) worth: Worth,
    /// Whether rows have to be asked for their lengths.
    pub(super) has_long: bool,
    /// How many there were.
    pub(super) length: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(term: &'a Term, limit: RowNumber) -> Self {
        let mut before = Vec::with_capacity(16);
        before.extend(term.list.slices(limit));
        Self {
            length: before.iter().map(|slice| slice.len()).sum(),
            slice: &[],
            before,
            worth: term.worth,
            has_long: term.list.extent().has_long,
        }
    }

    /// Passes the postings from a row on and returns the one before them.
    pub(super) fn pass(&mut self, row: RowNumber) -> Option<Posting> {
        loop {
            match self.slice.last() {
                Some(last) if last.row < row => return Some(*last),
                Some(_) => self.slice = &self.slice[..below(self.slice, row)],
                None => self.slice = self.before.pop()?,
            }
        }
    }

    /// Passes the postings from a row on and gives them to `sink` slice by slice.
    pub(super) fn take(&mut self, row: RowNumber, mut sink: impl FnMut(&'a [Posting])) {
        loop {
            let (rest, taken) = self.slice.split_at(below(self.slice, row));
            sink(taken);
            self.slice = rest;
            if !rest.is_empty() {
                return;
            }
            let Some(slice) = self.before.pop() else {
                return;
            };
            self.slice = slice;
        }
    }

    /// The posting of a row; those behind it are passed.
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
    use super::below;
    use crate::partition::dictionary::Posting;

    #[test]
    fn the_place_of_a_row_is_found_from_the_end() {
        for length in 0..40_u32 {
            let postings: Vec<Posting> = (0..length).map(|n| Posting::new(3 * n, 1, 1)).collect();
            for row in 0..3 * length + 3 {
                let expected = postings.iter().filter(|posting| posting.row < row).count();
                assert_eq!(below(&postings, row), expected, "{row} of {length}");
            }
        }
    }
}
