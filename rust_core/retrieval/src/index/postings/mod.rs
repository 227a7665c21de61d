//! The two retrievers that go by posting lists: words by BM25, names by rarity.
//!
//! Rows are scored a window at a time, the newest window first. The terms of the query are ordered by weight. While
//! fewer than the wanted rows are known, every term adds what it is worth to the window's sums. From then on the lightest
//! terms that together cannot lift a row to the worst of the best are only looked up, for the rows which the other terms
//! have brought near it (`MaxScore`: Turtle and Flood, Query Evaluation:
//! Strategies and Optimizations, 1995). What a row is worth is always summed in the order of the terms, so that equal
//! rows have equal scores however they were found.

mod best;
mod cursor;

use std::cell::RefCell;

use best::Best;
use cursor::Cursor;

use super::sources::{Source, SourceRow, Sources};
use crate::entity::{rarity, with_linked_names};
use crate::partition::dictionary::{Dictionary, Posting, Postings};
use crate::partition::segment::{RowNumber, Segment};
use crate::partition::view::{View, has_row};
use crate::text::Bm25;

/// Rows whose sums fit the first-level cache, with room for the postings that stream by. A power of two.
const WINDOW: usize = 4_096;
/// Scores computed before they are added, so that the compiler can use vectors for the first step.
const BLOCK: usize = 64;
/// A term with at most so many postings for each row to be looked up is added up instead.
const POSTINGS_FOR_A_LOOK_UP: usize = 8;

type Sums = [f32; WINDOW];

thread_local! {
    /// The sums of a window, kept from scan to scan.
    static SUMS: RefCell<Box<Sums>> = RefCell::new(Box::new([0.0; WINDOW]));
}

/// What one term gives to a row: `weight * tf / (tf + base + per_length * length)`.
#[derive(Clone, Copy)]
struct Worth {
    weight: f32,
    base: f32,
    per_length: f32,
}

impl Worth {
    #[inline]
    fn of(self, frequency: f32, length: f32) -> f32 {
        self.weight * (frequency / (frequency + (self.base + self.per_length * length)))
    }

    #[inline]
    fn of_posting(self, posting: Posting) -> f32 {
        self.of(f32::from(posting.frequency), f32::from(posting.length))
    }

    /// Whether each posting is worth exactly the weight.
    fn is_constant(self) -> bool {
        self.base == 0.0 && self.per_length == 0.0
    }

    /// No posting of the list is worth more, but for rounding.
    fn bound(self, list: &Postings) -> f32 {
        let extent = list.extent();
        self.of(
            f32::from(extent.largest_frequency),
            f32::from(extent.smallest_length),
        )
    }
}

/// One term in one source.
struct Term {
    list: Postings,
    worth: Worth,
}

/// A query by terms.
pub(super) struct PostingSignal {
    /// By source, the terms that it knows and that are worth something, the heaviest first.
    terms: Vec<Vec<Term>>,
    /// By source, the lists of terms that are worth nothing.
    worthless: Vec<Vec<Postings>>,
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
        let (base, per_length) = if rows == 0 || total == 0 {
            (bm25.k1, 0.0)
        } else {
            let average_length = (total as f64 / rows as f64) as f32;
            (bm25.k1 * (1.0 - bm25.b), bm25.k1 * bm25.b / average_length)
        };
        Self::new(
            sources,
            terms,
            |view| &view.storage.terms,
            |with_term| Worth {
                weight: bm25.idf(rows, with_term),
                base,
                per_length,
            },
        )
    }

    /// The sum of the rarities of the names that a row shares with the query. Statistics as for words.
    pub(super) fn entity(sources: &Sources, text: &str) -> Self {
        let rows = current_rows(sources);
        with_linked_names(text, |names| {
            Self::new(
                sources,
                names,
                |view| &view.storage.entities,
                |with_name| Worth {
                    weight: rarity(rows, with_name),
                    base: 0.0,
                    per_length: 0.0,
                },
            )
        })
    }

    fn new(
        sources: &Sources,
        keys: &[&str],
        dictionary: impl Fn(&View) -> &Dictionary,
        worth: impl Fn(u64) -> Worth,
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
                order.push((key, worth(rows_with)));
            }
        }
        // The order does not depend on how the index came about, so neither do the roundings of the sums.
        order.sort_by(|(_, a), (_, b)| b.weight.total_cmp(&a.weight));
        let mut signal = Self {
            terms: Vec::with_capacity(lists.len()),
            worthless: Vec::with_capacity(lists.len()),
        };
        for lists in &mut lists {
            let (mut terms, mut worthless) = (Vec::new(), Vec::new());
            for &(key, worth) in &order {
                match lists[key].take() {
                    Some(list) if worth.weight > 0.0 => terms.push(Term { list, worth }),
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
        SUMS.with_borrow_mut(|sums| {
            let (mut wanted, mut scores) = (wanted, scores.as_mut_slice());
            for (source, terms) in sources.iter().zip(&self.terms).rev() {
                let before = wanted.partition_point(|&row| row < source.offset);
                let (wanted_before, wanted_here) = wanted.split_at(before);
                let (scores_before, scores_here) = scores.split_at_mut(before);
                (wanted, scores) = (wanted_before, scores_before);
                if !terms.is_empty() {
                    let mut scan = SourceScan::new(source, terms, sums, &mut best);
                    scan.run(wanted_here, scores_here);
                }
            }
        });
        Scan {
            best: best.into_rows(),
            scores,
        }
    }
}

fn current_rows(sources: &Sources) -> u64 {
    sources
        .iter()
        .map(|source| u64::from(source.view.counts.current))
        .sum()
}

/// A scan of one source.
struct SourceScan<'a, 'b> {
    source: &'a Source,
    cursors: Vec<Cursor<'a>>,
    /// At each place, what the terms from there on can be worth together.
    bounds: Vec<f32>,
    sums: &'b mut Sums,
    best: &'b mut Best<'a>,
}

/// Rows that follow one another in one segment.
#[derive(Clone, Copy)]
struct Window<'a> {
    segment: &'a Segment,
    base: RowNumber,
    rows: usize,
    /// Which of them the search may find.
    selected: &'a [u64],
}

impl<'a, 'b> SourceScan<'a, 'b> {
    fn new(
        source: &'a Source,
        terms: &'a [Term],
        sums: &'b mut Sums,
        best: &'b mut Best<'a>,
    ) -> Self {
        let limit = source.view.limit;
        let cursors = terms.iter().map(|term| Cursor::new(term, limit)).collect();
        // More than scores and bounds are rounded by; nothing is rounded when at most two constants are added.
        let is_exact = terms.len() <= 2 && terms.iter().all(|term| term.worth.is_constant());
        let roundings = if is_exact { 0 } else { 4 * (terms.len() + 4) };
        let raise = 1.0 + roundings as f32 * f32::EPSILON;
        let mut bounds = vec![0.0; terms.len() + 1];
        for (place, term) in terms.iter().enumerate().rev() {
            bounds[place] = raise * term.worth.bound(&term.list) + bounds[place + 1];
        }
        Self {
            source,
            cursors,
            bounds,
            sums,
            best,
        }
    }

    /// Goes over the windows from the last to the first, with the wanted rows of this source.
    fn run(&mut self, mut wanted: &[SourceRow], mut scores: &mut [f32]) {
        let view = &self.source.view;
        for segment in view.segments.iter().rev() {
            for start in (0..segment.rows_below(view.limit)).step_by(WINDOW).rev() {
                let base = segment.base + start as u32;
                let before = wanted.partition_point(|&row| row - self.source.offset < base);
                let (wanted_before, wanted_here) = wanted.split_at(before);
                let (scores_before, scores_here) = scores.split_at_mut(before);
                (wanted, scores) = (wanted_before, scores_before);
                if wanted_here.is_empty() && self.bounds[0] < self.best.needed(segment) {
                    continue;
                }
                let rows = (segment.rows_below(view.limit) - start).min(WINDOW);
                let selected = &self.source.selected[base as usize / 64..][..rows.div_ceil(64)];
                let window = Window {
                    segment,
                    base,
                    rows,
                    selected,
                };
                self.window(window, wanted_here, scores_here);
                self.best.cut();
            }
        }
    }

    fn window(&mut self, window: Window<'_>, wanted: &[SourceRow], scores: &mut [f32]) {
        let end = window.base + window.rows as u32;
        let added = self.added(&window, wanted.len());
        if added > 0 {
            self.sums[..window.rows.next_multiple_of(64)].fill(0.0);
        }
        for cursor in &mut self.cursors[..added] {
            cursor.pass(end);
            let (worth, has_long) = (cursor.worth, cursor.has_long);
            cursor.take(window.base, |postings| {
                if has_long {
                    add_exactly(worth, postings, &window, self.sums);
                } else {
                    add(worth, postings, window.base, self.sums);
                }
            });
        }
        let mut still_wanted = wanted.len();
        let rest = self.bounds[added];
        for place in (0..window.rows.div_ceil(64)).rev() {
            let first = window.base + 64 * place as u32;
            let mut rows = if added == 0 {
                0
            } else {
                let sums = &self.sums.as_chunks::<64>().0[place];
                reaching(sums, self.lacking(&window, rest)) & window.selected[place]
            };
            let from_here = wanted[..still_wanted]
                .iter()
                .rev()
                .map(|&row| row - self.source.offset)
                .take_while(|&row| row >= first);
            let asked = from_here.fold(0_u64, |asked, row| asked | 1 << (row - first));
            rows |= asked;
            while rows != 0 {
                let bit = rows.ilog2();
                rows ^= 1 << bit;
                let is_wanted = asked >> bit & 1 == 1;
                let row = first + bit;
                let sum = if added == 0 {
                    0.0
                } else {
                    self.sums[64 * place + bit as usize]
                };
                let Some(score) = self.completed(row, sum, added, &window, is_wanted) else {
                    continue;
                };
                if is_wanted {
                    still_wanted -= 1;
                    scores[still_wanted] = score;
                }
                if score > 0.0 && has_row(&self.source.selected, row) {
                    self.best.offer(score, row + self.source.offset);
                }
            }
        }
    }

    /// The least sum with which a row may be among the best if the other terms give it `rest`.
    fn lacking(&self, window: &Window<'_>, rest: f32) -> f32 {
        let needed = self.best.needed(window.segment);
        // Rather too low than too high by a rounding: what reaches it is scored exactly.
        let lacking = if rest > 0.0 {
            needed - rest - 4.0 * f32::EPSILON * needed
        } else {
            needed
        };
        lacking.max(f32::MIN_POSITIVE)
    }

    /// How many of the terms are added up in a window; the others are looked up.
    fn added(&self, window: &Window<'_>, wanted: usize) -> usize {
        let needed = self.best.needed(window.segment);
        let heavy = self.bounds.partition_point(|&bound| bound >= needed);
        let mut added = heavy.min(self.cursors.len());
        let limit = u64::from(self.source.view.limit.max(1));
        while let Some(cursor) = self.cursors.get(added) {
            let expected = cursor.length as u64 * window.rows as u64 / limit;
            if expected > (POSTINGS_FOR_A_LOOK_UP * wanted) as u64 {
                break;
            }
            added += 1;
        }
        added
    }

    /// The score of a row, to whose sum the terms that were not added up are still missing; None if it cannot be among
    /// the best and is not wanted.
    fn completed(
        &mut self,
        row: RowNumber,
        sum: f32,
        added: usize,
        window: &Window<'_>,
        is_wanted: bool,
    ) -> Option<f32> {
        let needed = self.best.needed(window.segment);
        let mut score = sum;
        for (cursor, bound) in self.cursors[added..].iter_mut().zip(&self.bounds[added..]) {
            if !is_wanted && score + bound < needed {
                return None;
            }
            if let Some(posting) = cursor.find(row) {
                score += cursor
                    .worth
                    .of(f32::from(posting.frequency), exact_length(posting, window));
            }
        }
        Some(score)
    }
}

fn exact_length(posting: Posting, window: &Window<'_>) -> f32 {
    if posting.length == Posting::LONG {
        window.segment.lengths()[(posting.row - window.segment.base) as usize] as f32
    } else {
        f32::from(posting.length)
    }
}

fn add(worth: Worth, postings: &[Posting], base: RowNumber, sums: &mut Sums) {
    let mut worths = [0.0; BLOCK];
    for block in postings.chunks(BLOCK) {
        for (worth_of, &posting) in worths.iter_mut().zip(block) {
            *worth_of = worth.of_posting(posting);
        }
        for (worth_of, posting) in worths.iter().zip(block) {
            // The rows of a window are fewer than the sums; the remainder only says so to the compiler.
            sums[(posting.row - base) as usize % WINDOW] += worth_of;
        }
    }
}

/// For lists with rows whose lengths do not fit their postings.
#[cold]
fn add_exactly(worth: Worth, postings: &[Posting], window: &Window<'_>, sums: &mut Sums) {
    for &posting in postings {
        let length = exact_length(posting, window);
        sums[(posting.row - window.base) as usize % WINDOW] +=
            worth.of(f32::from(posting.frequency), length);
    }
}

/// Which of 64 sums reach a limit, without a branch, so that the compiler compares several at once.
#[inline]
fn reaching(sums: &[f32; 64], limit: f32) -> u64 {
    /// Brings the lowest bits of eight bytes together in the highest byte of the product.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let mut reach = [0_u8; 64];
    for (reaches, &sum) in reach.iter_mut().zip(sums) {
        *reaches = u8::from(sum >= limit);
    }
    let eights = reach.as_chunks::<8>().0.iter().enumerate();
    eights.fold(0, |rows, (place, &eight)| {
        let bits = u64::from_le_bytes(eight).wrapping_mul(GATHER) >> 56;
        rows | bits << (8 * place)
    })
}

#[cfg(test)]
mod tests {
    use super::reaching;

    #[test]
    fn the_rows_that_reach_a_limit_are_the_bits() {
        for seed in 0..200_u32 {
            let sums: [f32; 64] = std::array::from_fn(|row| {
                (seed.wrapping_mul(2_654_435_761) >> (row % 29) & 3) as f32
            });
            let expected = (0..64).filter(|&row| sums[row] >= 2.0);
            let expected = expected.fold(0_u64, |rows, row| rows | 1 << row);
            assert_eq!(reaching(&sums, 2.0), expected);
        }
    }
}
