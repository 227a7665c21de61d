//! The scan of one source, a window of rows at a time.

use super::best::Best;
use super::cursor::Cursor;
use super::phrase::Phrase;
use super::worth::Saturations;
use crate::index::sources::{Source, SourceRow};
use crate::partition::dictionary::Posting;
use crate::partition::segment::{RowNumber, place_of};
use crate::partition::view::has_row;

/// Rows whose sums stay in the caches of the core. A power of two.
const WINDOW: usize = 8192;
/// To find the posting of a row takes about as long as to add up so many that follow one another.
const POSTINGS_FOR_A_LOOK_UP: usize = 8;

/// What a scan writes to, kept from scan to scan and left with zeros in `sums`.
pub(super) struct Scratch {
    sums: Box<[f32; WINDOW]>,
    /// The places whose sums are not zero, in the order in which they came; one more is written than counted.
    touched: Box<[u16; WINDOW + 1]>,
    /// The places that may be among the best; again one more is written than counted.
    candidates: Box<[u16; WINDOW + 1]>,
    /// A bit for each place that is asked for; none between scans.
    asked: Box<[u64; WINDOW / 64]>,
}

impl Scratch {
    pub(super) fn new() -> Self {
        Self {
            sums: zeros(),
            touched: zeros(),
            candidates: zeros(),
            asked: zeros(),
        }
    }
}

/// Made where it stays: it is too large for some stacks.
#[expect(
    clippy::unnecessary_box_returns,
    reason = "only a box keeps an array of this size off the stack"
)]
fn zeros<T: Copy + Default, const LENGTH: usize>() -> Box<[T; LENGTH]> {
    let zeros = vec![T::default(); LENGTH].into_boxed_slice();
    zeros.try_into().ok().expect("the vector has this length")
}

/// A term's way through a source.
pub(super) struct Way<'a, 's> {
    pub(super) cursor: Cursor<'a, 's>,
    pub(super) weight: f32,
    pub(super) lift: f32,
}

/// A scan of one source.
pub(super) struct SourceScan<'a, 's> {
    pub(super) source: &'a Source,
    /// Of each term, the heaviest first.
    pub(super) ways: Vec<Way<'a, 's>>,
    /// The phrases, with the rows that have all their terms.
    pub(super) phrases: Vec<(&'s Phrase, Vec<RowNumber>)>,
    /// At each place, what the terms from there on and the phrases can be worth together.
    pub(super) bounds: Vec<f32>,
    /// None if a posting is worth its term's weight.
    pub(super) saturations: Option<&'s Saturations>,
    pub(super) scratch: &'s mut Scratch,
    pub(super) best: &'s mut Best<'a>,
}

/// Rows that follow one another.
#[derive(Clone, Copy)]
struct Window {
    base: RowNumber,
    end: RowNumber,
    /// No row in it happened or was heard later.
    newest: i64,
}

impl SourceScan<'_, '_> {
    /// Goes over the windows from the last to the first, with the wanted rows of this source, ascending.
    pub(super) fn run(&mut self, mut wanted: &[SourceRow], mut scores: &mut [f32]) {
        let mut end = self.source.view.limit;
        self.ways.iter().for_each(|way| way.cursor.prefetch());
        while end > 0 {
            let base = (end - 1) / WINDOW as u32 * WINDOW as u32;
            let before = wanted.partition_point(|&row| row - self.source.offset < base);
            let (wanted_before, wanted_here) = wanted.split_at(before);
            let (scores_before, scores_here) = scores.split_at_mut(before);
            (wanted, scores) = (wanted_before, scores_before);
            let window = Window {
                base,
                end,
                newest: self.newest(base, end),
            };
            if !wanted_here.is_empty() || self.bounds[0] >= self.best.needed(window.newest) {
                self.window(window, wanted_here, scores_here);
                self.best.cut();
            }
            end = self.next_end(base, wanted);
        }
    }

    /// Behind the last row before `base` that is wanted or can be among the best.
    fn next_end(&mut self, base: RowNumber, wanted: &[SourceRow]) -> RowNumber {
        let last = wanted.last();
        let mut end = last.map_or(0, |&row| row - self.source.offset + 1);
        let heavy = self.heavy(self.best.least());
        for way in &mut self.ways[..heavy] {
            end = end.max(way.cursor.pass(base).map_or(0, |posting| posting.row + 1));
            way.cursor.prefetch();
        }
        end
    }

    /// No row of these happened or was heard later.
    fn newest(&self, base: RowNumber, end: RowNumber) -> i64 {
        let (first, last) = (place_of(base).0, place_of(end - 1).0);
        let view = &self.source.view;
        let newest = (first..=last).map(|index| view.segment(index).newest());
        newest.max().unwrap_or(i64::MAX)
    }

    /// How many of the terms a row must have one of, to be worth `needed`.
    fn heavy(&self, needed: f32) -> usize {
        let heavy = self.bounds.partition_point(|&bound| bound >= needed);
        heavy.min(self.ways.len())
    }

    fn window(&mut self, window: Window, wanted: &[SourceRow], scores: &mut [f32]) {
        let needed = self.best.needed(window.newest);
        let heavy = self.heavy(needed);
        let mut touched = 0;
        for term in 0..heavy {
            touched = self.add(term, window, touched);
        }
        let mut candidates = self.candidates(touched, window, wanted);
        for term in heavy..self.ways.len() {
            candidates = self.keep(candidates, lacking(needed, self.bounds[term]));
            if candidates == 0 {
                break;
            }
            let rows = u64::from(window.end - window.base);
            let limit = u64::from(self.source.view.limit);
            let expected = self.ways[term].cursor.length as u64 * rows / limit;
            touched = if expected > (POSTINGS_FOR_A_LOOK_UP * candidates) as u64 {
                self.look_up(term, window, candidates, touched)
            } else {
                self.add(term, window, touched)
            };
        }
        if !self.phrases.is_empty() {
            let rest = self.bounds[self.ways.len()];
            candidates = self.keep(candidates, lacking(needed, rest));
            self.lift_phrases(window, candidates);
        }
        candidates = self.keep(candidates, needed);
        self.offer(window, candidates);
        for (&row, score) in wanted.iter().zip(scores) {
            let place = (row - self.source.offset - window.base) as usize;
            *score = self.scratch.sums[place];
            self.scratch.asked[place / 64] = 0;
        }
        for &place in &self.scratch.touched[..touched] {
            self.scratch.sums[usize::from(place)] = 0.0;
        }
    }

    /// Makes the touched rows the candidates, and those that are asked for.
    fn candidates(&mut self, touched: usize, window: Window, wanted: &[SourceRow]) -> usize {
        let scratch = &mut *self.scratch;
        scratch.candidates[..touched].copy_from_slice(&scratch.touched[..touched]);
        let mut candidates = touched;
        for &row in wanted {
            let place = (row - self.source.offset - window.base) as usize;
            scratch.asked[place / 64] |= 1 << (place % 64);
            scratch.candidates[candidates] = place as u16;
            candidates += usize::from(scratch.sums[place] == 0.0);
        }
        candidates
    }

    /// Adds what a term gives to the rows of a window; `touched` counts those that have been given something.
    fn add(&mut self, term: usize, window: Window, mut touched: usize) -> usize {
        let Way {
            cursor,
            weight,
            lift,
        } = &mut self.ways[term];
        let Scratch {
            sums,
            touched: places,
            ..
        } = &mut *self.scratch;
        let mut give = |row: RowNumber, worth: f32| {
            // The rows of a window are fewer than the sums; the remainder only says so to the compiler.
            let place = (row - window.base) as usize % WINDOW;
            let sum = sums[place];
            places[touched] = place as u16;
            touched += usize::from(sum == 0.0);
            sums[place] = sum + worth;
        };
        cursor.pass(window.end);
        match self.saturations {
            None => cursor.take(window.base, |posting| give(posting.row, *weight + *lift)),
            Some(saturations) => cursor.take(window.base, |posting| {
                let saturation = saturations.of(posting, || length(self.source, posting));
                give(posting.row, *weight * saturation + *lift);
            }),
        }
        touched
    }

    /// Finds what a term gives to the candidates.
    fn look_up(
        &mut self,
        term: usize,
        window: Window,
        candidates: usize,
        mut touched: usize,
    ) -> usize {
        let Way {
            cursor,
            weight,
            lift,
        } = &mut self.ways[term];
        let scratch = &mut *self.scratch;
        let candidates = &mut scratch.candidates[..candidates];
        candidates.sort_unstable_by(|a, b| b.cmp(a));
        for &place in &*candidates {
            let Some(posting) = cursor.find(window.base + u32::from(place)) else {
                continue;
            };
            let saturation = self.saturations.map_or(1.0, |saturations| {
                saturations.of(posting, || length(self.source, posting))
            });
            let sum = &mut scratch.sums[usize::from(place)];
            scratch.touched[touched] = place;
            touched += usize::from(*sum == 0.0);
            *sum += *weight * saturation + *lift;
        }
        touched
    }

    /// Drops the candidates whose sums do not reach a limit and that are not asked for; how many are left.
    fn keep(&mut self, candidates: usize, limit: f32) -> usize {
        let Scratch {
            sums,
            candidates: places,
            asked,
            ..
        } = &mut *self.scratch;
        let mut kept = 0;
        for candidate in 0..candidates {
            let place = usize::from(places[candidate]);
            places[kept] = place as u16;
            let is_asked = asked[place / 64] >> (place % 64) & 1 == 1;
            // Without a branch, which would be foretold wrongly every other time.
            kept += usize::from((sums[place % WINDOW] >= limit) | is_asked);
        }
        kept
    }

    /// Lifts the candidates that have a phrase.
    fn lift_phrases(&mut self, window: Window, candidates: usize) {
        let Scratch {
            sums,
            candidates: places,
            ..
        } = &mut *self.scratch;
        for (phrase, rows) in &self.phrases {
            for &place in &places[..candidates] {
                let row = window.base + u32::from(place);
                if rows.binary_search(&row).is_ok() && phrase.is_in(&self.source.view, row) {
                    sums[usize::from(place)] += phrase.lift;
                }
            }
        }
    }

    fn offer(&mut self, window: Window, candidates: usize) {
        let Scratch {
            sums,
            candidates: places,
            ..
        } = &*self.scratch;
        for &place in &places[..candidates] {
            let row = window.base + u32::from(place);
            if has_row(&self.source.selected, row) {
                self.best
                    .offer(sums[usize::from(place)], row + self.source.offset);
            }
        }
    }
}

/// The least sum with which a row may be among the best if the other terms give it `rest`.
fn lacking(needed: f32, rest: f32) -> f32 {
    // Rather too low than too high by a rounding: what reaches it is scored exactly.
    let lacking = if rest > 0.0 {
        needed - rest - 4.0 * f32::EPSILON * needed
    } else {
        needed
    };
    lacking.max(f32::MIN_POSITIVE)
}

/// The terms of a posting's row.
#[cold]
fn length(source: &Source, posting: Posting) -> u32 {
    let (segment, place) = source.view.locate(posting.row);
    segment.lengths()[place]
}
