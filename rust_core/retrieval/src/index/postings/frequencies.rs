//! How often rows have a term.

use super::{PostingSignal, Term};
use crate::index::sources::{Source, SourceRow};

/// To look a row up in a list takes about as long as to pass so many postings.
const POSTINGS_FOR_A_LOOK_UP: usize = 16;

impl PostingSignal {
    /// The terms that a source knows and that are worth something.
    pub(in crate::index) fn terms_of(&self, source: usize) -> impl Iterator<Item = &Term> {
        self.terms[source].iter()
    }

    /// Whether there are phrases, which are no terms.
    pub(in crate::index) fn has_phrases(&self) -> bool {
        !self.phrases.is_empty()
    }

    /// What a term that a row has so often gives to its score, to the bit as [`PostingSignal::scan`] has it.
    pub(in crate::index) fn worth(
        &self,
        term: &Term,
        source: &Source,
        row: SourceRow,
        frequency: u16,
    ) -> f32 {
        let saturation = self.saturation.map_or(1.0, |saturation| {
            let (segment, place) = source.view.locate(row - source.offset);
            saturation.at(f32::from(frequency), segment.lengths()[place] as f32)
        });
        term.weight * saturation + term.lift
    }
}

impl Term {
    /// What a posting is worth, if the term does not saturate.
    pub(in crate::index) fn weight(&self) -> f32 {
        self.weight
    }

    /// Gives the numbers of those of some rows of a source that have the term to `sink`, with how often. The rows are
    /// ascending; their numbers are their places, and `number_of` knows them too.
    pub(in crate::index) fn find(
        &self,
        source: &Source,
        rows: &[SourceRow],
        number_of: impl Fn(SourceRow) -> Option<usize>,
        mut sink: impl FnMut(usize, u16),
    ) {
        for mut slice in self.list.slices(source.view.limit) {
            if slice.len() < POSTINGS_FOR_A_LOOK_UP * rows.len() {
                for posting in slice {
                    if let Some(number) = number_of(posting.row + source.offset) {
                        sink(number, posting.frequency);
                    }
                }
                continue;
            }
            for (number, &row) in rows.iter().enumerate() {
                let wanted = row - source.offset;
                slice = &slice[slice.partition_point(|posting| posting.row < wanted)..];
                let found = slice.first().filter(|posting| posting.row == wanted);
                if let Some(posting) = found {
                    sink(number, posting.frequency);
                }
            }
        }
    }
}
