//! The three retrievers: each gives its best rows, and a score for any row.

use std::borrow::Cow;
use std::sync::Arc;

use super::sources::{Source, SourceRow, Sources};
use crate::entity::{linked_names, rarity};
use crate::partition::dictionary::{Dictionary, Posting, PostingList};
use crate::partition::segment::RowNumber;
use crate::partition::view::{View, has_row, rows_of};
use crate::text::Bm25;
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

/// Scores that posting lists have given to the selected rows of all sources.
pub(super) struct PostingSignal {
    /// By source and row number; empty for a source without a match.
    scores: Vec<Vec<f32>>,
    /// The rows with a score.
    rows: Vec<SourceRow>,
    /// Whether a selected row has any of the keys, be it worth nothing.
    pub(super) matched: bool,
}

/// The lists of one key, in the order of the sources.
type Lists = Vec<Option<Arc<PostingList>>>;

impl PostingSignal {
    /// BM25 of the distinct terms. The statistics are those of the rows without an end, summed over the sources, even
    /// when the search looks at rows that have ended.
    pub(super) fn lexical(sources: &Sources, terms: &[String], bm25: Bm25) -> Self {
        let rows: u64 = sources
            .iter()
            .map(|source| u64::from(source.view.counts.current))
            .sum();
        let total: u64 = sources
            .iter()
            .map(|source| source.view.counts.total_length)
            .sum();
        let average_length = if rows == 0 {
            0.0
        } else {
            (total as f64 / rows as f64) as f32
        };
        let mut signal = Self::new(sources);
        for lists in lists_of(sources, terms, |view| &view.storage.terms) {
            let idf = bm25.idf(rows, rows_with(sources, &lists));
            signal.add(sources, &lists, |view, posting| {
                let (segment, place) = view.locate(posting.row);
                bm25.term_score(
                    idf,
                    posting.frequency,
                    segment.lengths.as_slice()[place],
                    average_length,
                )
            });
        }
        signal
    }

    /// The sum of the rarities of the names that a row shares with the query. Statistics as for words.
    pub(super) fn entity(sources: &Sources, text: &str) -> Self {
        let rows: u64 = sources
            .iter()
            .map(|source| u64::from(source.view.counts.current))
            .sum();
        let mut signal = Self::new(sources);
        for lists in lists_of(sources, &linked_names(text), |view| &view.storage.entities) {
            let worth = rarity(rows, rows_with(sources, &lists));
            signal.add(sources, &lists, |_, _| worth);
        }
        signal
    }

    /// The score of a row; 0 if none of the keys is in it.
    pub(super) fn score(&self, sources: &Sources, row: SourceRow) -> f32 {
        let (_, number) = sources.locate(row);
        self.scores[sources.place_of(row)]
            .get(number as usize)
            .copied()
            .unwrap_or_default()
    }

    /// The `count` rows with the highest score.
    pub(super) fn best(&self, sources: &Sources, count: usize) -> Vec<(f32, SourceRow)> {
        let scored = self
            .rows
            .iter()
            .map(|&row| (self.score(sources, row), row))
            .collect();
        sources.best(scored, count)
    }

    fn new(sources: &Sources) -> Self {
        Self {
            scores: vec![Vec::new(); sources.len()],
            rows: Vec::new(),
            matched: false,
        }
    }

    fn add(&mut self, sources: &Sources, lists: &Lists, worth: impl Fn(&View, Posting) -> f32) {
        for ((source, list), scores) in sources.iter().zip(lists).zip(&mut self.scores) {
            let Some(list) = list else { continue };
            if scores.is_empty() {
                scores.resize(source.view.limit as usize, 0.0);
            }
            for &posting in postings(list, source.view.limit).flatten() {
                if !has_row(&source.selected, posting.row) {
                    continue;
                }
                self.matched = true;
                let worth = worth(&source.view, posting);
                let score = &mut scores[posting.row as usize];
                if *score == 0.0 && worth > 0.0 {
                    self.rows.push(posting.row + source.offset);
                }
                *score += worth;
            }
        }
    }
}

/// For each key that some source knows, its lists.
fn lists_of(
    sources: &Sources,
    keys: &[String],
    dictionary: impl Fn(&View) -> &Dictionary,
) -> Vec<Lists> {
    let by_source: Vec<Lists> = sources
        .iter()
        .map(|source| dictionary(&source.view).lists(keys.iter().map(String::as_str)))
        .collect();
    let of_key = |key: usize| {
        by_source
            .iter()
            .map(|lists| lists[key].clone())
            .collect::<Lists>()
    };
    (0..keys.len())
        .map(of_key)
        .filter(|lists| lists.iter().any(Option::is_some))
        .collect()
}

/// How many rows without an end are in the lists.
fn rows_with(sources: &Sources, lists: &Lists) -> u64 {
    let count = |(source, list): (&Source, &Option<Arc<PostingList>>)| {
        let Some(list) = list else { return 0 };
        let current = &source.view.current;
        let in_slice = |slice: &[Posting]| -> u64 {
            let rows = slice.iter().map(|posting| has_row(current, posting.row));
            rows.map(u64::from).sum()
        };
        postings(list, source.view.limit).map(in_slice).sum::<u64>()
    };
    sources.iter().zip(lists).map(count).sum()
}

/// The postings that are in a view, slice by slice: the list may have grown beyond it.
fn postings(list: &PostingList, limit: RowNumber) -> impl Iterator<Item = &[Posting]> {
    list.slices().map(move |slice| {
        let is_in_view = |posting: &Posting| posting.row < limit;
        if slice.last().is_none_or(is_in_view) {
            return slice;
        }
        &slice[..slice.partition_point(is_in_view)]
    })
}
