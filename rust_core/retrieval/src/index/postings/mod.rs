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
mod frequencies;
mod phrase;
mod scan;
mod worth;

use std::cell::Cell;

use best::Best;
use cursor::Cursor;
use phrase::{Phrase, shared_rows};
use scan::{Scratch, SourceScan, Way};
use worth::{Saturation, Saturations};

use super::sources::{SourceRow, Sources};
use crate::entity::{rarity, with_linked_names};
use crate::partition::base::layout::Lexicon;
use crate::partition::dictionary::{Posting, Postings};
use crate::partition::segment::RowNumber;
use crate::partition::view::has_row;
use crate::text::{Bm25, QueryTerms};

thread_local! {
    /// Taken while a scan runs, so that one that panics leaves nothing behind.
    static KEPT: Cell<Option<Box<Kept>>> = const { Cell::new(None) };
}

/// What a thread keeps from scan to scan.
struct Kept {
    scratch: Scratch,
    /// Those of the last query by words: the next one often asks the same rows.
    saturations: Saturations,
}

/// One term in one source.
pub(super) struct Term {
    /// Its place in the query.
    key: usize,
    list: Postings,
    /// What a posting is worth, if the term does not saturate.
    weight: f32,
    /// What it is worth above that, however often the row has the term.
    lift: f32,
}

/// A query by terms.
pub(super) struct PostingSignal {
    /// By source, the terms that it knows and that are worth something, the heaviest first.
    terms: Vec<Vec<Term>>,
    /// By source, the lists of terms that are worth nothing.
    worthless: Vec<Vec<Postings>>,
    /// What all terms that a row without an end has are worth, each once.
    total_weight: f32,
    /// None if a posting is worth its term's weight.
    saturation: Option<Saturation>,
    phrases: Vec<Phrase>,
    /// See [`PostingSignal::most`].
    most: f32,
}

/// The terms of a query that the sources know.
struct Known {
    /// By source and by term.
    lists: Vec<Vec<Option<Postings>>>,
    /// By term; None if no source knows it.
    weights: Vec<Option<f32>>,
    /// By term; whether a row without an end has it. A term that only deleted rows had may be known or forgotten.
    is_current: Vec<bool>,
}

/// The outcome of a scan.
pub(super) struct Scan {
    /// The best selected rows with a score above 0, in no order.
    pub(super) best: Vec<(f32, SourceRow)>,
    /// The scores of the rows asked for, in their order.
    pub(super) scores: Vec<f32>,
}

impl PostingSignal {
    /// BM25 of the terms, with lifts for rows that have an identifier as a whole or a quoted phrase. The statistics are
    /// those of the rows without an end, summed over the sources, even when the search looks at rows that have ended.
    ///
    /// A lift is what the parts of the identifier, or the terms of the phrase, can be worth at most: the sum of their
    /// idf. So a row that has the whole comes before every row that only has the parts, and no lift is larger than that.
    pub(super) fn lexical(sources: &Sources, terms: &QueryTerms, bm25: Bm25) -> Self {
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
        let keys: Vec<&str> = terms.iter().collect();
        let known = Known::new(sources, &keys, Lexicon::Terms, |with_term| {
            bm25.idf(rows, with_term)
        });
        let mut lifts = vec![0.0; keys.len()];
        for identifier in terms.identifiers() {
            let parts = identifier.parts.iter();
            lifts[identifier.whole] = parts.filter_map(|&part| known.weights[part]).sum();
        }
        let most = |key: usize| known.weights[key].map(|weight| weight + lifts[key]);
        let phrases = Phrase::of(terms, most);
        let rarest = bm25.idf(rows, 0);
        let weights = known.weights.iter();
        let most = weights.map(|weight| weight.unwrap_or(rarest)).sum();
        Self {
            most,
            saturation: Some(saturation),
            phrases,
            ..Self::new(known, &lifts)
        }
    }

    /// The sum of the rarities of the names that a row shares with the query. Statistics as for words.
    pub(super) fn entity(sources: &Sources, text: &str) -> Self {
        let rows = current_rows(sources);
        with_linked_names(text, |names| {
            let known = Known::new(sources, names, Lexicon::Names, |with_name| {
                rarity(rows, with_name)
            });
            Self::new(known, &vec![0.0; names.len()])
        })
    }

    fn new(known: Known, lifts: &[f32]) -> Self {
        let keys = known.weights.iter().zip(lifts).enumerate();
        let mut order: Vec<(usize, f32, f32)> = keys
            .filter_map(|(key, (&weight, &lift))| Some((key, weight?, lift)))
            .collect();
        // The order does not depend on how the index came about, so neither do the roundings of the sums.
        order.sort_by(|(_, weight_of_a, lift_of_a), (_, weight_of_b, lift_of_b)| {
            (weight_of_b + lift_of_b).total_cmp(&(weight_of_a + lift_of_a))
        });
        let current = order.iter().filter(|(key, ..)| known.is_current[*key]);
        let total_weight = current.map(|&(_, weight, _)| weight).sum();
        let mut signal = Self {
            terms: Vec::with_capacity(known.lists.len()),
            worthless: Vec::with_capacity(known.lists.len()),
            total_weight,
            saturation: None,
            phrases: Vec::new(),
            most: 0.0,
        };
        for mut lists in known.lists {
            let (mut terms, mut worthless) = (Vec::with_capacity(order.len()), Vec::new());
            for &(key, weight, lift) in &order {
                match lists[key].take() {
                    Some(list) if weight > 0.0 => terms.push(Term {
                        key,
                        list,
                        weight,
                        lift,
                    }),
                    Some(list) => worthless.push(list),
                    None => {}
                }
            }
            signal.terms.push(terms);
            signal.worthless.push(worthless);
        }
        signal
    }

    /// What a row with every term of the query could be worth at most, without lifts; a term that no row has counts like
    /// the rarest. Of words.
    pub(super) fn most(&self) -> f32 {
        self.most
    }

    /// What all terms that a row without an end has are worth, each once and without lifts.
    pub(super) fn total_weight(&self) -> f32 {
        self.total_weight
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
        let mut kept = KEPT.take().unwrap_or_else(|| {
            Box::new(Kept {
                scratch: Scratch::new(),
                saturations: Saturations::new(Saturation::default()),
            })
        });
        let saturations = self.saturation.map(|saturation| {
            if !kept.saturations.are_of(saturation) {
                kept.saturations = Saturations::new(saturation);
            }
            &kept.saturations
        });
        let (mut rest, mut rest_of_scores) = (wanted, scores.as_mut_slice());
        for (source, terms) in sources.iter().zip(&self.terms).rev() {
            let before = rest.partition_point(|&row| row < source.offset);
            let (wanted_before, wanted_here) = rest.split_at(before);
            let (scores_before, scores_here) = rest_of_scores.split_at_mut(before);
            (rest, rest_of_scores) = (wanted_before, scores_before);
            if terms.is_empty() {
                continue;
            }
            let (slices, ends) = slices_of(terms, source.view.limit);
            let phrases = self.phrases_of(terms, &slices, &ends);
            SourceScan {
                source,
                ways: ways(terms, &slices, &ends),
                bounds: self.bounds(terms, &phrases),
                phrases,
                saturations,
                scratch: &mut kept.scratch,
                best: &mut best,
            }
            .run(wanted_here, scores_here);
        }
        KEPT.set(Some(kept));
        Scan {
            best: best.into_rows(),
            scores,
        }
    }

    /// The phrases that rows of a source may have, with the rows that have all their terms.
    fn phrases_of<'a>(
        &'a self,
        terms: &[Term],
        slices: &[&[Posting]],
        ends: &[usize],
    ) -> Vec<(&'a Phrase, Vec<RowNumber>)> {
        let rows_of = |phrase: &Phrase| {
            let place_of = |key: &usize| terms.iter().position(|term| term.key == *key);
            let places: Option<Vec<usize>> = phrase.keys.iter().map(place_of).collect();
            let mut places = places?;
            // The rarest first, which leaves least to be looked up.
            places.sort_unstable();
            let cursor_of = |&place: &usize| Cursor::new(slices_at(slices, ends, place));
            let mut cursors: Vec<Cursor<'_, '_>> = places.iter().map(cursor_of).collect();
            let rows = shared_rows(&mut cursors);
            (!rows.is_empty()).then_some(rows)
        };
        let phrases = self.phrases.iter();
        phrases
            .filter_map(|phrase| Some((phrase, rows_of(phrase)?)))
            .collect()
    }

    /// At each place, what the terms from there on can give a row together; after the terms come the phrases.
    fn bounds(&self, terms: &[Term], phrases: &[(&Phrase, Vec<RowNumber>)]) -> Vec<f32> {
        // More than scores and bounds are rounded by; nothing is rounded when at most two constants are added.
        let is_exact = terms.len() <= 2 && self.saturation.is_none();
        let additions = terms.len() + phrases.len();
        let roundings = if is_exact { 0 } else { 4 * (additions + 4) };
        let raise = 1.0 + roundings as f32 * f32::EPSILON;
        let mut bounds = vec![0.0; terms.len() + 1];
        bounds[terms.len()] = raise * phrases.iter().map(|(phrase, _)| phrase.lift).sum::<f32>();
        for (place, term) in terms.iter().enumerate().rev() {
            let bound = self
                .saturation
                .map_or(1.0, |saturation| saturation.bound(term.list.extent()));
            bounds[place] = raise * (term.weight * bound + term.lift) + bounds[place + 1];
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

fn slices_at<'a, 's>(
    slices: &'s [&'a [Posting]],
    ends: &[usize],
    place: usize,
) -> &'s [&'a [Posting]] {
    let start = if place == 0 { 0 } else { ends[place - 1] };
    &slices[start..ends[place]]
}

fn ways<'a, 's>(terms: &[Term], slices: &'s [&'a [Posting]], ends: &[usize]) -> Vec<Way<'a, 's>> {
    let way = |(place, term): (usize, &Term)| Way {
        cursor: Cursor::new(slices_at(slices, ends, place)),
        weight: term.weight,
        lift: term.lift,
    };
    terms.iter().enumerate().map(way).collect()
}

fn current_rows(sources: &Sources) -> u64 {
    sources
        .iter()
        .map(|source| u64::from(source.view.counts.current))
        .sum()
}

impl Known {
    fn new(
        sources: &Sources,
        keys: &[&str],
        lexicon: Lexicon,
        weight: impl Fn(u64) -> f32,
    ) -> Self {
        let lists: Vec<_> = sources
            .iter()
            .map(|source| source.view.vocabulary(lexicon).lists(keys))
            .collect();
        let rows_with = |key: usize| {
            let of_source = sources.iter().zip(&lists);
            let known = of_source.filter_map(|(source, lists)| {
                let list = lists[key].as_ref()?;
                Some(u64::from(list.current_in(&source.view)))
            });
            // Not known anywhere is not the same as known by rows that have ended.
            known.fold(None, |sum, rows| Some(sum.unwrap_or(0) + rows))
        };
        let rows_with: Vec<Option<u64>> = (0..keys.len()).map(rows_with).collect();
        Self {
            lists,
            weights: rows_with.iter().map(|rows| rows.map(&weight)).collect(),
            is_current: rows_with
                .iter()
                .map(|rows| rows.is_some_and(|rows| rows > 0))
                .collect(),
        }
    }
}
