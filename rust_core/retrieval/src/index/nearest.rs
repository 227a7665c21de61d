//! The retriever by meaning: the rows with the highest cosine.

use std::cell::Cell;
use std::sync::Arc;

use super::sources::{Source, SourceRow, Sources};
use crate::partition::segment::Segment;
use crate::partition::view::rows_of;
use crate::vector::plan::Plan;
use crate::vector::{
    BitQuery, Query, Shortlist, SimdPath, dot, floor_of_best, prefetch, scan, scan_rows,
    score_error_bound,
};

/// How many rows ahead of the one in hand are asked for.
const ROWS_AHEAD: usize = 4;

/// What the product of two floats and their sum may add to a bound, relative to 1.
const ROUNDING: f32 = 4.0 * f32::EPSILON;

thread_local! {
    /// The lists of the searches of this thread.
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

/// Memory that lives from search to search, so that a scan does not allocate.
#[derive(Default)]
struct Scratch {
    by_codes: Shortlist,
    by_bits: Shortlist,
    picks: Vec<u16>,
}

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
        let has_vector = segment.has_vector(place);
        has_vector.then(|| dot(self.path, self.query.row(), self.unit_of(segment, place)))
    }

    /// The `count` selected rows with the highest cosine, in no order.
    ///
    /// Exactly as if every row had been scored in `f32`, unless [`Plan::of`] their number is to look at the 1-bit codes
    /// first.
    pub(super) fn best(&self, sources: &Sources, count: usize) -> Vec<(f32, SourceRow)> {
        let mut scratch = SCRATCH.take().unwrap_or_default();
        let masks: Vec<Arc<[u64]>> = sources.iter().map(with_vector).collect();
        let sealed = parts(sources, &masks).filter(|part| part.segment.bits().is_some());
        let sealed = sealed.map(Part::rows).sum();
        let scales = sources.iter().map(|source| source.view.extremes.scale);
        let error = score_error_bound(&self.query, scales.fold(0.0, f32::max), self.dimension);
        // Twice the error: see `Shortlist`.
        scratch.by_codes.reset(count, 2.0 * error + ROUNDING);
        match Plan::of(sealed, self.query.stride(), count) {
            Plan::Exact => {
                for part in parts(sources, &masks) {
                    self.scan(&part, &mut scratch.by_codes);
                }
            }
            Plan::Bits { candidates } => self.narrow(sources, &masks, candidates, &mut scratch),
        }
        let best = self.rescored(sources, count, error, &mut scratch.by_codes);
        SCRATCH.set(Some(scratch));
        best
    }

    /// Offers the int8 score of every selected row of a segment.
    fn scan(&self, part: &Part<'_>, list: &mut Shortlist) {
        let (stride, rows) = (self.query.stride(), part.mask.len() * 64);
        let scales = part.segment.scales();
        let rows = rows.min(scales.len());
        let codes = &part.segment.codes()[..rows * stride];
        let (scales, mask) = (&scales[..rows], Some(part.mask));
        scan(
            self.path,
            codes,
            scales,
            stride,
            mask,
            part.base,
            &self.query,
            list,
        );
    }

    /// Offers the int8 score of the rows that are the best by their 1-bit codes, and of all that have none.
    fn narrow(
        &self,
        sources: &Sources,
        masks: &[Arc<[u64]>],
        candidates: usize,
        scratch: &mut Scratch,
    ) {
        let query = BitQuery::new(self.query.row(), self.dimension);
        scratch.by_bits.reset(candidates, 0.0);
        for part in parts(sources, masks) {
            if let Some(bits) = part.segment.bits() {
                let unit = self.query.row();
                bits.scan(
                    self.path,
                    part.mask,
                    part.base,
                    unit,
                    &query,
                    &mut scratch.by_bits,
                );
            } else {
                self.scan(&part, &mut scratch.by_codes);
            }
        }
        let stride = self.query.stride();
        let (_, mut rows) = scratch.by_bits.pruned();
        // They were offered part by part, each in ascending order.
        for part in parts(sources, masks).filter(|part| part.segment.bits().is_some()) {
            let end = part.base + (part.mask.len() * 64) as u32;
            let (of_part, rest) = rows.split_at(rows.partition_point(|&row| row < end));
            let picks = of_part.iter().map(|&row| (row - part.base) as u16);
            scratch.picks.clear();
            scratch.picks.extend(picks);
            scan_rows(
                self.path,
                part.segment.codes(),
                part.segment.scales(),
                stride,
                &scratch.picks,
                part.base,
                &self.query,
                &mut scratch.by_codes,
            );
            rows = rest;
        }
    }

    /// The exact best `count` of a list of int8 scores that are off by at most `error`.
    ///
    /// First the best by int8 are rescored, then those that can still displace one of them.
    fn rescored(
        &self,
        sources: &Sources,
        count: usize,
        error: f32,
        list: &mut Shortlist,
    ) -> Vec<(f32, SourceRow)> {
        let (scores, rows) = list.pruned();
        let mut best = Vec::with_capacity(scores.len());
        if scores.len() <= count {
            self.rescore(sources, rows.iter().copied(), &mut best);
            return best;
        }
        let floor = floor_of_best(scores, count);
        let pairs = || scores.iter().zip(rows);
        let first = pairs().filter(|(score, _)| **score >= floor);
        self.rescore(sources, first.map(|(_, row)| *row), &mut best);
        let exact: Vec<f32> = best.iter().map(|(score, _)| *score).collect();
        let worst = floor_of_best(&exact, count) - ROUNDING;
        let rest = pairs().filter(|(score, _)| **score < floor && **score + error >= worst);
        self.rescore(sources, rest.map(|(_, row)| *row), &mut best);
        sources.cut(&mut best, count);
        best
    }

    /// Adds the exact scores of rows that have a vector.
    fn rescore(
        &self,
        sources: &Sources,
        rows: impl Iterator<Item = SourceRow>,
        scored: &mut Vec<(f32, SourceRow)>,
    ) {
        let unit_of = |row| {
            let (source, row) = sources.locate(row);
            let (segment, place) = source.view.locate(row);
            self.unit_of(segment, place)
        };
        let units: Vec<(SourceRow, &[f32])> = rows.map(|row| (row, unit_of(row))).collect();
        for (_, unit) in units.iter().take(ROWS_AHEAD) {
            prefetch(unit);
        }
        for (place, (row, unit)) in units.iter().enumerate() {
            if let Some((_, later)) = units.get(place + ROWS_AHEAD) {
                prefetch(later);
            }
            scored.push((dot(self.path, self.query.row(), unit), *row));
        }
    }

    fn unit_of<'a>(&self, segment: &'a Segment, place: usize) -> &'a [f32] {
        let stride = self.query.stride();
        &segment.units()[place * stride..][..stride]
    }
}

/// A segment with the words of a mask that belong to it; at least one bit is set.
struct Part<'a> {
    segment: &'a Segment,
    mask: &'a [u64],
    /// Its first row.
    base: SourceRow,
}

impl Part<'_> {
    fn rows(self) -> usize {
        self.mask
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum()
    }
}

/// The segments with selected rows, in the order of their rows.
fn parts<'a>(sources: &'a Sources, masks: &'a [Arc<[u64]>]) -> impl Iterator<Item = Part<'a>> {
    sources.iter().zip(masks).flat_map(|(source, mask)| {
        let view = &source.view;
        view.segments.iter().filter_map(move |segment| {
            let first = segment.base as usize / 64;
            let words = segment.rows_below(view.limit).div_ceil(64);
            let mask = &mask[first.min(mask.len())..mask.len().min(first + words)];
            let base = source.offset + segment.base;
            mask.iter().any(|word| *word != 0).then_some(Part {
                segment,
                mask,
                base,
            })
        })
    })
}

/// The selected rows of a source that have a vector.
fn with_vector(source: &Source) -> Arc<[u64]> {
    if source.view.counts.vectors == source.view.counts.live {
        return Arc::clone(&source.selected);
    }
    let mut mask = source.selected.to_vec();
    for row in rows_of(&source.selected) {
        let (segment, place) = source.view.locate(row);
        if !segment.has_vector(place) {
            mask[row as usize / 64] &= !(1 << (row % 64));
        }
    }
    mask.into()
}
