//! A filter applied to a bitmap of rows: by posting lists and columns where there are any, row by row where not.

use super::facets::{Facets, NO_TIME};
use super::{Comparison, Filter, Node, Operator};
use crate::partition::{RecordBytes, ScopeIds, ValueRef};

/// Rows one after another, as a filter sees them.
pub(crate) struct Stretch<'a, F> {
    /// Of its first rows, perhaps not of all.
    pub(crate) facets: &'a Facets,
    /// The parts of a row that a comparison reads.
    pub(crate) row: F,
}

impl Filter {
    /// Clears the bits of rows that do not fulfil it.
    pub(crate) fn narrow<'a, F>(&self, stretch: &Stretch<'a, F>, words: &mut [u64])
    where
        F: Fn(usize) -> (&'a RecordBytes, &'a ScopeIds),
    {
        match &*self.node {
            Node::Comparison(comparison) => comparison.narrow(stretch, words),
            Node::All(filters) => {
                // The cheap ones first, so that the others look at fewer rows.
                for listed in [true, false] {
                    for filter in filters.iter().filter(|filter| filter.is_listed() == listed) {
                        filter.narrow(stretch, words);
                    }
                }
            }
            Node::Any(filters) => {
                let mut kept = vec![0; words.len()];
                for listed in [true, false] {
                    for filter in filters.iter().filter(|filter| filter.is_listed() == listed) {
                        let mut rest: Vec<u64> = words
                            .iter()
                            .zip(&kept)
                            .map(|(word, kept)| word & !kept)
                            .collect();
                        filter.narrow(stretch, &mut rest);
                        for (kept, more) in kept.iter_mut().zip(rest) {
                            *kept |= more;
                        }
                    }
                }
                words.copy_from_slice(&kept);
            }
            Node::Not(filter) => {
                let mut excluded = words.to_vec();
                filter.narrow(stretch, &mut excluded);
                for (word, excluded) in words.iter_mut().zip(excluded) {
                    *word &= !excluded;
                }
            }
        }
    }

    /// Whether it looks at no row by itself.
    fn is_listed(&self) -> bool {
        match &*self.node {
            Node::Comparison(comparison) => comparison.hashes.is_some(),
            Node::All(filters) | Node::Any(filters) => filters.iter().all(Self::is_listed),
            Node::Not(filter) => filter.is_listed(),
        }
    }
}

impl Comparison {
    fn narrow<'a, F>(&self, stretch: &Stretch<'a, F>, words: &mut [u64])
    where
        F: Fn(usize) -> (&'a RecordBytes, &'a ScopeIds),
    {
        let holds = |place: usize| {
            let (record, scope) = (stretch.row)(place);
            self.holds(record, scope)
        };
        let known = stretch.facets.rows().min(64 * words.len());
        let (whole, rest) = words.split_at_mut(known / 64);
        if let Some(hashes) = &self.hashes {
            let listed = self.listed(hashes, stretch, whole.len());
            let flip = if matches!(self.operator, Operator::NotEqual | Operator::NotIn) {
                u64::MAX
            } else {
                0
            };
            for (word, listed) in whole.iter_mut().zip(listed) {
                *word &= listed ^ flip;
            }
        } else if let Some(times) = stretch.facets.times(&self.field) {
            keep_each(whole, 0, |place| match times[place] {
                NO_TIME => holds(place),
                time => self.holds_of(Some(ValueRef::Integer(time))),
            });
        } else {
            keep_each(whole, 0, holds);
        }
        keep_each(rest, known / 64 * 64, holds);
    }

    /// The rows that are equal to one of the values, in the first so many words of a bitmap.
    fn listed<'a, F>(&self, hashes: &[u32], stretch: &Stretch<'a, F>, words: usize) -> Vec<u64>
    where
        F: Fn(usize) -> (&'a RecordBytes, &'a ScopeIds),
    {
        let equals = |place: u16| {
            let (record, scope) = (stretch.row)(usize::from(place));
            self.equals(record, scope)
        };
        let mut listed = vec![0; words];
        for &hash in hashes {
            let (places, are_alike) = stretch.facets.places(hash);
            // Rows of one value are all equal to what is asked for, or the hash is that of another value.
            let all = are_alike && places.first().is_some_and(|&place| equals(place));
            if !all && are_alike {
                continue;
            }
            for &place in places.iter().filter(|&&place| all || equals(place)) {
                if let Some(word) = listed.get_mut(usize::from(place) / 64) {
                    *word |= 1 << (place % 64);
                }
            }
        }
        listed
    }
}

/// Clears the bits of rows that a test excludes; the first bit is that of row `first`.
fn keep_each(words: &mut [u64], first: usize, holds: impl Fn(usize) -> bool) {
    for (index, word) in words.iter_mut().enumerate() {
        let mut rest = *word;
        while rest != 0 {
            let bit = rest.trailing_zeros();
            rest &= rest - 1;
            if !holds(first + 64 * index + bit as usize) {
                *word &= !(1 << bit);
            }
        }
    }
}
