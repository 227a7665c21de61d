//! The retriever by meaning: the rows with the highest cosine.

use std::cell::Cell;

use super::select::Selection;
use super::sources::{Source, SourceRow, Sources};
use crate::partition::base::RowPart;
use crate::partition::segment::{RowNumber, SEGMENT_ROWS, Segment};
use crate::partition::view::rows_of;
use crate::vector::plan::{GraphUse, Plan};
use crate::vector::{
    BitCodesRef, BitQuery, Query, RowScan, Shortlist, SimdPath, dot, prefetch, scan, scan_rows,
    score_error_bound,
};

/// How many rows ahead of the one in hand are asked for.
const ROWS_AHEAD: usize = 4;

/// From so many rows side by side on, they are scanned as a block, though one in so many be missing.
const STRETCH: usize = 128;
const STRETCH_GAPS: usize = 4;

/// What the product of two floats and their sum may add to a bound, relative to 1.
const ROUNDING: f32 = 4.0 * f32::EPSILON;

/// An int8 score is off by no more standard deviations.
const DEVIATIONS: f32 = 6.0;

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
    to_rescore: Vec<SourceRow>,
}

/// The query's vector, ready for scores.
pub(super) struct VectorSignal {
    pub(super) query: Query,
    pub(super) path: SimdPath,
    pub(super) dimension: usize,
    pub(super) graph_use: GraphUse,
}

impl VectorSignal {
    /// The exact cosine of a row; None if it has no vector.
    pub(super) fn score(&self, sources: &Sources, row: SourceRow) -> Option<f32> {
        let (segment, place) = sources.place(row);
        let has_vector = segment.has_vector(place);
        has_vector.then(|| dot(self.path, self.query.row(), self.unit_of(segment, place)))
    }

    /// Asks for the vector of a row before it is scored.
    pub(super) fn prefetch(&self, sources: &Sources, row: SourceRow) {
        let (segment, place) = sources.place(row);
        prefetch(self.unit_of(segment, place));
    }

    /// Adds the `count` selected rows with the highest cosine to a list, in no order.
    ///
    /// Exactly as if every row had been scored in `f32`, unless [`Plan::of`] their number is to look at the 1-bit codes
    /// first, or a graph leads to them.
    pub(super) fn best(&self, sources: &Sources, count: usize, best: &mut Vec<(f32, SourceRow)>) {
        let mut scratch = SCRATCH.take().unwrap_or_default();
        if sources.selected() <= count as u64 {
            self.score_all(sources, &mut scratch.to_rescore, best);
            SCRATCH.set(Some(scratch));
            return;
        }
        let narrowed = with_vectors(sources);
        let scales = sources
            .iter()
            .map(|source| source.view.counts.largest_scale);
        let error = score_error_bound(&self.query, scales.fold(0.0, f32::max), self.dimension);
        // Twice the error: see `Shortlist`.
        let margin = 2.0 * error + ROUNDING;
        scratch.by_codes.reset(self.path, count, margin);
        let begins = self.through_graphs(sources, count, &mut scratch.by_codes);
        let narrowed = Narrowed { narrowed, begins };
        let error = match self.plan(sources, &narrowed, count) {
            Plan::Exact => {
                self.scan(parts(sources, &narrowed, Form::Shortest), &mut scratch);
                error
            }
            Plan::Bits { candidates } => {
                self.narrow(sources, &narrowed, candidates, &mut scratch);
                likely_error(error, self.dimension)
            }
        };
        self.rescored(sources, count, error, &mut scratch, best);
        SCRATCH.set(Some(scratch));
    }

    /// The same of so few rows that every one is among the best: their codes would decide nothing.
    fn score_all(
        &self,
        sources: &Sources,
        rows: &mut Vec<SourceRow>,
        scored: &mut Vec<(f32, SourceRow)>,
    ) {
        rows.clear();
        for source in sources.iter() {
            let mut add = |row| {
                let (segment, place) = source.view.locate(row);
                rows.extend(segment.has_vector(place).then_some(source.offset + row));
            };
            match source.selected.rows() {
                Some(few) => few.iter().copied().for_each(&mut add),
                None => rows_of(&source.selected).for_each(&mut add),
            }
        }
        self.rescore(sources, rows, scored);
    }

    fn plan(&self, sources: &Sources, narrowed: &Narrowed, count: usize) -> Plan {
        let plan = Plan::of(sources.selected() as usize, self.query.stride(), count);
        if plan == Plan::Exact {
            return plan;
        }
        // Most partitions are too small for 1-bit codes, and a search over thousands of them does not visit each for that.
        let large = |source: &Source| 64 * source.selected.len() >= SEGMENT_ROWS as usize;
        let sealed = if sources.iter().any(large) {
            let parts = parts(sources, narrowed, Form::Mask);
            let sealed = parts.filter(|part| part.bits().is_some());
            sealed.map(|part| part.count()).sum()
        } else {
            0
        };
        Plan::of(sealed, self.query.stride(), count)
    }

    /// Offers the int8 score of every selected row.
    fn scan<'a>(&self, parts: impl Iterator<Item = Part<'a>>, scratch: &mut Scratch) {
        let Scratch {
            by_codes, picks, ..
        } = scratch;
        let mut single = RowScan::new(self.path, &self.query);
        for part in parts {
            // In this order: a growing segment has a row's codes before its scale.
            let scales = part.segment.scales();
            let codes = &part.segment.codes()[..scales.len() * self.query.stride()];
            match part.rows {
                Rows::Mask(mask) => {
                    let (codes, scales) = part.behind(codes, scales, self.query.stride());
                    let base = part.base + part.skipped as SourceRow;
                    self.scan_mask(codes, scales, mask, base, by_codes);
                }
                Rows::List(rows) => {
                    picks.clear();
                    picks.extend(rows.iter().map(|&row| (row - part.segment.base) as u16));
                    single.add(codes, scales, picks, part.base, by_codes);
                }
            }
        }
        single.finish(by_codes);
    }

    fn scan_mask(
        &self,
        codes: &[u8],
        scales: &[f32],
        mask: &[u64],
        base: SourceRow,
        list: &mut Shortlist,
    ) {
        let stride = self.query.stride();
        let rows = (mask.len() * 64).min(scales.len());
        let (codes, scales) = (&codes[..rows * stride], &scales[..rows]);
        let query = &self.query;
        scan(
            self.path,
            codes,
            scales,
            stride,
            Some(mask),
            base,
            query,
            list,
        );
    }

    /// Offers the int8 score of the rows that are the best by their 1-bit codes, and of all that have none.
    fn narrow(
        &self,
        sources: &Sources,
        narrowed: &Narrowed,
        candidates: usize,
        scratch: &mut Scratch,
    ) {
        let query = BitQuery::new(self.query.row(), self.dimension);
        scratch.by_bits.reset(self.path, candidates, 0.0);
        for part in parts(sources, narrowed, Form::Mask) {
            if let (Some(bits), Rows::Mask(mask)) = (part.bits(), part.rows) {
                let (unit, list) = (self.query.row(), &mut scratch.by_bits);
                bits.scan(self.path, mask, part.base, unit, &query, list);
            } else {
                self.scan(std::iter::once(part), scratch);
            }
        }
        let stride = self.query.stride();
        let (_, mut rows) = scratch.by_bits.pruned();
        sources.will_need(rows, RowPart::Codes);
        // They were offered part by part, each in ascending order.
        for part in parts(sources, narrowed, Form::Mask).filter(|part| part.bits().is_some()) {
            let end = part.base + SEGMENT_ROWS;
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

    /// Adds the exact best `count` of the list of int8 scores, which are off by at most `error`.
    ///
    /// First the best by int8 are rescored, then those that can still displace one of them.
    fn rescored(
        &self,
        sources: &Sources,
        count: usize,
        error: f32,
        scratch: &mut Scratch,
        best: &mut Vec<(f32, SourceRow)>,
    ) {
        let Scratch {
            by_codes,
            to_rescore,
            ..
        } = scratch;
        by_codes.pruned();
        let floor = by_codes.floor();
        by_codes.rows_whose(|score| score >= floor, to_rescore);
        self.rescore(sources, to_rescore, best);
        if by_codes.held() <= count {
            return;
        }
        // Those are at least `count`, and few more: the least of them is hardly below the `count`-th.
        let exact = best.iter().map(|(score, _)| *score);
        let worst = exact.fold(f32::INFINITY, f32::min) - ROUNDING;
        by_codes.rows_whose(|score| score < floor && score + error >= worst, to_rescore);
        self.rescore(sources, to_rescore, best);
        sources.cut(best, count);
    }

    /// Adds the exact scores of rows that have a vector.
    fn rescore(&self, sources: &Sources, rows: &[SourceRow], scored: &mut Vec<(f32, SourceRow)>) {
        sources.will_need(rows, RowPart::Unit);
        for &row in rows.iter().take(ROWS_AHEAD) {
            self.prefetch(sources, row);
        }
        for (place, &row) in rows.iter().enumerate() {
            if let Some(&later) = rows.get(place + ROWS_AHEAD) {
                self.prefetch(sources, later);
            }
            let (segment, place) = sources.place(row);
            let score = dot(self.path, self.query.row(), self.unit_of(segment, place));
            scored.push((score, row));
        }
    }

    fn unit_of<'a>(&self, segment: Segment<'a>, place: usize) -> &'a [f32] {
        let stride = self.query.stride();
        &segment.units()[place * stride..][..stride]
    }
}

/// How far an int8 score is off, all but certainly: where the 1-bit codes have decided
/// already, more rows are not worth reading.
///
/// [`score_error_bound`] has each of `d` roundings at its worst. As they are as often up as down, their sum has a standard
/// deviation of about the `√d`-th part of it.
fn likely_error(bound: f32, dimension: usize) -> f32 {
    bound.min(DEVIATIONS * bound / (dimension as f32).sqrt())
}

/// What is left to be scanned of the selected rows.
struct Narrowed {
    /// See [`with_vectors`].
    narrowed: Vec<Option<Selection>>,
    /// See [`VectorSignal::through_graphs`].
    begins: Vec<RowNumber>,
}

/// The selected rows of a segment; there is at least one.
#[derive(Clone, Copy)]
struct Part<'a> {
    segment: Segment<'a>,
    rows: Rows<'a>,
    /// So many of the segment's rows lie before those of the mask.
    skipped: usize,
    /// The number of the segment's first row among the rows of all sources.
    base: SourceRow,
}

#[derive(Clone, Copy)]
enum Rows<'a> {
    /// The words of a bitmap that belong to the segment.
    Mask(&'a [u64]),
    /// Few rows, ascending, as the view numbers them.
    List(&'a [RowNumber]),
}

/// How parts say which rows are selected.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Few rows as a list, more as a mask.
    Shortest,
    /// Always as a mask.
    Mask,
}

impl<'a> Part<'a> {
    /// The 1-bit codes, if there are some and all of the segment is meant.
    fn bits(&self) -> Option<BitCodesRef<'a>> {
        let bits = self.segment.bits();
        bits.filter(|_| self.skipped == 0)
    }

    /// The codes and scales from the first row of the mask on; both columns grow, so that one may be ahead of the other.
    fn behind<'c>(
        &self,
        codes: &'c [u8],
        scales: &'c [f32],
        stride: usize,
    ) -> (&'c [u8], &'c [f32]) {
        (&codes[self.skipped * stride..], &scales[self.skipped..])
    }

    fn count(&self) -> usize {
        match self.rows {
            Rows::Mask(mask) => mask.iter().map(|word| word.count_ones() as usize).sum(),
            Rows::List(rows) => rows.len(),
        }
    }
}

/// The segments with selected rows, in the order of their rows.
fn parts<'a>(
    sources: &'a Sources,
    narrowed: &'a Narrowed,
    form: Form,
) -> impl Iterator<Item = Part<'a>> {
    sources.iter().enumerate().flat_map(move |(place, source)| {
        let selected = narrowed.narrowed.get(place).and_then(Option::as_ref);
        let selected = selected.unwrap_or(&source.selected);
        let begin = narrowed.begins.get(place).copied().unwrap_or(0);
        parts_of(source, selected, begin, form)
    })
}

fn parts_of<'a>(
    source: &'a Source,
    selected: &'a Selection,
    begin: RowNumber,
    form: Form,
) -> impl Iterator<Item = Part<'a>> {
    let rest = selected.rows().filter(|_| form == Form::Shortest);
    let mut rest = rest.map(|rows| &rows[rows.partition_point(|&row| row < begin)..]);
    let view = &source.view;
    let end_of = |segment: Segment<'_>| segment.base + SEGMENT_ROWS;
    let segments = view.segments();
    let segments = segments.filter(move |&segment| end_of(segment) > begin);
    segments.filter_map(move |segment| {
        let mut skipped = begin.saturating_sub(segment.base) as usize;
        let rows = if let Some(rows) = &mut rest {
            let (here, later) = rows.split_at(rows.partition_point(|&row| row < end_of(segment)));
            *rows = later;
            if let Some((first, words)) = words_of_stretch(here) {
                skipped = 64 * first - segment.base as usize;
                Some(Rows::Mask(&selected[first..][..words]))
            } else {
                (!here.is_empty()).then_some(Rows::List(here))
            }
        } else {
            let first = (segment.base as usize / 64).max(begin as usize / 64);
            let words = segment
                .rows_below(view.limit)
                .saturating_sub(skipped)
                .div_ceil(64);
            let mask = &selected[first.min(selected.len())..selected.len().min(first + words)];
            mask.iter()
                .any(|word| *word != 0)
                .then_some(Rows::Mask(mask))
        };
        Some(Part {
            segment,
            rows: rows?,
            skipped,
            base: source.offset + segment.base,
        })
    })
}

/// Of many rows that lie side by side, but for some, the first word of their bitmap and the number of words: a dense scan
/// of them is faster than one of a list.
fn words_of_stretch(rows: &[RowNumber]) -> Option<(usize, usize)> {
    let (&first, &last) = (rows.first()?, rows.last()?);
    let between = (last - first) as usize + 1;
    let is_stretch = rows.len() >= STRETCH && between - rows.len() <= rows.len() / STRETCH_GAPS;
    let (first, last) = (first as usize / 64, last as usize / 64);
    is_stretch.then_some((first, last + 1 - first))
}

/// For each source with rows that have no vector, the selected rows that have one; nothing if there is no such source.
fn with_vectors(sources: &Sources) -> Vec<Option<Selection>> {
    let is_complete = |source: &Source| source.view.counts.vectors == source.view.counts.live;
    if sources.iter().all(is_complete) {
        return Vec::new();
    }
    let narrowed = |source: &Source| {
        (!is_complete(source)).then(|| {
            source.selected.narrowed(|row| {
                let (segment, place) = source.view.locate(row);
                segment.has_vector(place)
            })
        })
    };
    sources.iter().map(narrowed).collect()
}
