//! The retriever by meaning: its best rows, and the cosine of any row.

use std::borrow::Cow;

use super::sources::{Source, SourceRow, Sources};
use crate::partition::view::rows_of;
use crate::vector::{Candidate, Query, SimdPath, TopK, dot, scan, score_error_bound};

/// How many int8 candidates are taken for each that is wanted, at first and with each widening. Few of them are rescored.
const OVERSAMPLING: usize = 8;
const WIDENING: usize = 4;

/// The query's vector, ready for scores.
pub(super) struct VectorSignal {
    pub(super) query: Query,
    pub(super) path: SimdPath,
    pub(super) dimension: usize,
}

impl VectorSignal {
    /// The exact cosine of a row; None if it has no vector.
    pub(super) fn score(&self, sources: &Sources, row: SourceRow) -> Option<f32> {
        let (source, row) = sources.locate(row);
        let (segment, place) = source.view.locate(row);
        let stride = self.query.stride();
        let unit = || &segment.units.as_slice()[place * stride..][..stride];
        segment.has_vector.as_slice()[place].then(|| dot(self.path, self.query.row(), unit()))
    }

    /// The `count` selected rows with the highest cosine, exactly as if every row had been scored in `f32`.
    pub(super) fn best(&self, sources: &Sources, count: usize) -> Vec<(f32, SourceRow)> {
        let masks: Vec<Cow<'_, [u64]>> = sources.iter().map(with_vector).collect();
        let words = masks.iter().flat_map(|mask| mask.iter());
        let rows = words.map(|word| word.count_ones() as usize).sum();
        let mut taken = OVERSAMPLING * count;
        while taken < rows {
            let mut candidates = TopK::new(taken);
            for (source, mask) in sources.iter().zip(&masks) {
                self.scan(source, mask, &mut candidates);
            }
            if let Some(best) = self.best_of(sources, candidates.as_slice(), count) {
                return best;
            }
            taken *= WIDENING;
        }
        let rows = sources
            .iter()
            .zip(&masks)
            .flat_map(|(source, mask)| rows_of(mask).map(|row| row + source.offset));
        sources.best(self.rescored(sources, rows), count)
    }

    /// The exact best `count` of all rows, from the best by int8 in their order; None if these are too few to be sure.
    ///
    /// A row is out for certain once its int8 score and the largest possible error do not reach the worst of the best
    /// found so far, and then so is every row after it.
    fn best_of(
        &self,
        sources: &Sources,
        candidates: &[Candidate],
        count: usize,
    ) -> Option<Vec<(f32, SourceRow)>> {
        let scales = sources.iter().map(|source| source.view.extremes.scale);
        let error = score_error_bound(&self.query, scales.fold(0.0, f32::max), self.dimension);
        let rows = |candidates: &[Candidate]| {
            let rows: Vec<SourceRow> = candidates.iter().map(|candidate| candidate.row).collect();
            self.rescored(sources, rows.into_iter())
        };
        let mut best = rows(&candidates[..count.min(candidates.len())]);
        let worst = best
            .iter()
            .map(|(score, _)| *score)
            .fold(f32::INFINITY, f32::min);
        let is_out = |candidate: &Candidate| candidate.score + error < worst;
        let end = candidates.iter().position(is_out)?;
        best.extend(rows(&candidates[count.min(end)..end]));
        Some(sources.best(best, count))
    }

    fn scan(&self, source: &Source, mask: &[u64], candidates: &mut TopK) {
        let (view, stride) = (&source.view, self.query.stride());
        for segment in view.segments.iter() {
            let rows = segment.rows_below(view.limit);
            let first = segment.base as usize / 64;
            let mask = &mask[first.min(mask.len())..mask.len().min(first + rows.div_ceil(64))];
            if mask.iter().all(|word| *word == 0) {
                continue;
            }
            let codes = &segment.codes.as_slice()[..rows * stride];
            let scales = &segment.scales.as_slice()[..rows];
            scan(
                self.path,
                codes,
                scales,
                stride,
                Some(mask),
                source.offset + segment.base,
                &self.query,
                candidates,
            );
        }
    }

    fn rescored(
        &self,
        sources: &Sources,
        rows: impl Iterator<Item = SourceRow>,
    ) -> Vec<(f32, SourceRow)> {
        rows.filter_map(|row| self.score(sources, row).map(|score| (score, row)))
            .collect()
    }
}

/// The selected rows of a source that have a vector.
fn with_vector(source: &Source) -> Cow<'_, [u64]> {
    if source.view.counts.vectors == source.view.counts.live {
        return Cow::Borrowed(&source.selected);
    }
    let mut mask = source.selected.clone();
    for row in rows_of(&source.selected) {
        let (segment, place) = source.view.locate(row);
        if !segment.has_vector.as_slice()[place] {
            mask[row as usize / 64] &= !(1 << (row % 64));
        }
    }
    Cow::Owned(mask)
}
