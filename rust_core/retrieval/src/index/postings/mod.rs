//! The two retrievers that go by posting lists: words by BM25, names by rarity.
//!
//! Rows are scored a window at a time, the newest window first. The terms of the query are ordered by weight. The heavy
//! ones, without which a row cannot reach the worst of the best so far, add what they are worth to the window's sums
//! (`MaxScore`: Turtle and Flood, Query Evaluation: Strategies and Optimizations, 1995). Of the rows that got something
//! those are kept which the light terms could still lift far enough, and term by term the light ones are looked up for
//! them, or added up where that is less work. So a scan takes time for the postings of the heavy terms and not for the
//! rows between them. What a row is worth is always summed in the order of the terms, so that equal rows have equal
//! scores however they were found.
//!
//! Bounds for blocks of postings (block-max) were measured and left out: texts are short, so the largest worth in a
//! block is that of the list, and of the rows left by `MaxScore` they would have excluded less than two in a hundred.

mod best;
mod cursor;
mod scan;
mod worth;

use std::cell::RefCell;

use best::Best;
use cursor::Cursor;
use scan::{Scratch, SourceScan, Way};
use worth::{Saturation, Saturations};

use super::sources::{SourceRow, Sources};
use crate::entity::{rarity, with_linked_names};
use crate::partition::dictionary::{Dictionary, Posting, Postings};
use crate::partition::segment::RowNumber;
use crate::partition::view::{View, has_row};
use crate::text::Bm25;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::new());
    /// Those of the last query by words: the next one often asks the same rows.
    static SATURATIONS: RefCell<Saturations> = RefCell::new(Saturations::new(Saturation::default()));
}

/// One term in one source.
struct Term {
    list: Postings,
    weight: f32,
}

/// A query by terms.
pub(super) struct PostingSignal {
    /// By source, the terms that it knows and that are worth something, the heaviest first.
    terms: Vec<Vec<Term>>,
    /// By source, the lists of terms that are worth nothing.
    worthless: Vec<Vec<Postings>>,
    /// None if a posting is worth its term's weight.
    saturation: Option<Saturation>,
}

/// The outcome of a scan.
pub(super) struct Scan {
    /// The best selected rows with a score above 0, in no order.
    pub(super) best: Vec<(f32, SourceRow)>,
    /// The scores of the rows asked for, in their order.
    pub(super) scores: Vec<f32>,
}

impl PostingSignal {
    /// BM25 of distinct terms. The statistics are those of the rows without an end, summed over the sources, even when
    /// the search looks at rows that have ended.
    pub(super) fn lexical(sources: &Sources, terms: &[&str], bm25: Bm25) -> Self {
        let rows = current_rows(sources);
        let total: u64 = sources
            .iter()
            .map(|source| source.view.counts.total_length)
            .sum();
        // As in Bm25::term_score, with what does not depend on the row taken out.
        let saturation = if rows == 0 || total == 0 {
            Saturation {
                base: bm25.k1,
                per_length: 0.0,
            }
        } else {
            let average_length = (total as f64 / rows as f64) as f32;
            Saturation {
                base: bm25.k1 * (1.0 - bm25.b),
                per_length: bm25.k1 * bm25.b / average_length,
            }
        };
        Self {
            saturation: Some(saturation),
            ..Self::new(
                sources,
                terms,
                |view| &view.storage.terms,
                |with_term| bm25.idf(rows, with_term),
            )
        }
    }

    /// The sum of the rarities of the names that a row shares with the query. Statistics as for words.
    pub(super) fn entity(sources: &Sources, text: &str) -> Self {
        let rows = current_rows(sources);
        with_linked_names(text, |names| {
            Self::new(
                sources,
                names,
                |view| &view.storage.entities,
                |with_name| rarity(rows, with_name),
            )
        })
    }

    fn new(
        sources: &Sources,
        keys: &[&str],
        dictionary: impl Fn(&View) -> &Dictionary,
        weight: impl Fn(u64) -> f32,
    ) -> Self {
        let mut lists: Vec<_> = sources
            .iter()
            .map(|source| dictionary(&source.view).lists(keys))
            .collect();
        let mut order = Vec::new();
        for key in 0..keys.len() {
            let of_source = sources.iter().zip(&lists);
            let known = of_source.filter_map(|(source, lists)| {
                let list = lists[key].as_ref()?;
                Some(u64::from(list.current_in(&source.view)))
            });
            // Not known anywhere is not the same as known by rows that have ended.
            let rows_with = known.fold(None, |sum, rows| Some(sum.unwrap_or(0) + rows));
            if let Some(rows_with) = rows_with {
                order.push((key, weight(rows_with)));
            }
        }
        // The order does not depend on how the index came about, so neither do the roundings of the sums.
        order.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        let mut signal = Self {
            terms: Vec::with_capacity(lists.len()),
            worthless: Vec::with_capacity(lists.len()),
            saturation: None,
        };
        for lists in &mut lists {
            let (mut terms, mut worthless) = (Vec::new(), Vec::new());
            for &(key, weight) in &order {
                match lists[key].take() {
                    Some(list) if weight > 0.0 => terms.push(Term { list, weight }),
                    Some(list) => worthless.push(list),
                    None => {}
                }
            }
            signal.terms.push(terms);
            signal.worthless.push(worthless);
        }
        signal
    }

    /// Whether a selected row has a term that is worth nothing.
    pub(super) fn has_worthless(&self, sources: &Sources) -> bool {
        sources.iter().zip(&self.worthless).any(|(source, lists)| {
            let mut slices = lists.iter().flat_map(|list| list.slices(source.view.limit));
            slices.any(|slice| {
                slice
                    .iter()
                    .any(|posting| has_row(&source.selected, posting.row))
            })
        })
    }

    /// The best `count` selected rows, and the scores of the `wanted` ones, which are ascending.
    pub(super) fn scan(&self, sources: &Sources, wanted: &[SourceRow], count: usize) -> Scan {
        let mut scores = vec![0.0; wanted.len()];
        let mut best = Best::new(sources, count);
        SATURATIONS.with_borrow_mut(|saturations| {
            let saturations = self.saturation.map(|saturation| {
                if !saturations.are_of(saturation) {
                    *saturations = Saturations::new(saturation);
                }
                &*saturations
            });
            SCRATCH.with_borrow_mut(|scratch| {
                let (mut wanted, mut scores) = (wanted, scores.as_mut_slice());
                for (source, terms) in sources.iter().zip(&self.terms).rev() {
                    let before = wanted.partition_point(|&row| row < source.offset);
                    let (wanted_before, wanted_here) = wanted.split_at(before);
                    let (scores_before, scores_here) = scores.split_at_mut(before);
                    (wanted, scores) = (wanted_before, scores_before);
                    if terms.is_empty() {
                        continue;
                    }
                    let (slices, ends) = slices_of(terms, source.view.limit);
                    SourceScan {
                        source,
                        ways: ways(terms, &slices, &ends),
                        bounds: self.bounds(terms),
                        saturations,
                        scratch,
                        best: &mut best,
                    }
                    .run(wanted_here, scores_here);
                }
            });
        });
        Scan {
            best: best.into_rows(),
            scores,
        }
    }

    /// At each place, what the terms from there on can give a row together.
    fn bounds(&self, terms: &[Term]) -> Vec<f32> {
        // More than scores and bounds are rounded by; nothing is rounded when at most two constants are added.
        let is_exact = terms.len() <= 2 && self.saturation.is_none();
        let roundings = if is_exact { 0 } else { 4 * (terms.len() + 4) };
        let raise = 1.0 + roundings as f32 * f32::EPSILON;
        let mut bounds = vec![0.0; terms.len() + 1];
        for (place, term) in terms.iter().enumerate().rev() {
            let bound = self
                .saturation
                .map_or(1.0, |saturation| saturation.bound(&term.list));
            bounds[place] = raise * (term.weight * bound) + bounds[place + 1];
        }
        bounds
    }
}

/// The postings of all terms below a limit, and where those of each term end among them.
fn slices_of(terms: &[Term], limit: RowNumber) -> (Vec<&[Posting]>, Vec<usize>) {
    let mut slices = Vec::with_capacity(4 * terms.len());
    let ends = terms.iter().map(|term| {
        slices.extend(term.list.slices(limit));
        slices.len()
    });
    let ends = ends.collect();
    (slices, ends)
}

fn ways<'a, 's>(terms: &[Term], slices: &'s [&'a [Posting]], ends: &[usize]) -> Vec<Way<'a, 's>> {
    let mut start = 0;
    terms
        .iter()
        .zip(ends)
        .map(|(term, &end)| {
            let of_term = &slices[std::mem::replace(&mut start, end)..end];
            Way {
                cursor: Cursor::new(of_term),
                weight: term.weight,
            }
        })
        .collect()
}

fn current_rows(sources: &Sources) -> u64 {
    sources
        .iter()
        .map(|source| u64::from(source.view.counts.current))
        .sum()
}
