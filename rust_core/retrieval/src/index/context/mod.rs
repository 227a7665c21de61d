//! The context signal: a message is also found by what was said around it.
//!
//! The *window* of a message is the message and those next to it in its conversation (see
//! [`crate::partition::conversations`]): outward, the one before and then the one after, at most [`REACH`] on each side, and
//! none once the window has [`ENOUGH_TERMS`] terms, so that a message that says enough by itself stands alone. In a scope
//! without a session neighbours are at most [`LONGEST_PAUSE`] apart. Whatever is no message stands alone, too.
//!
//! Nothing of a window is stored: it is made when a search asks, of what that search may read. So a message that is
//! deleted, superseded or expired lends nothing from that moment on.
//!
//! * *Words*: BM25 of the window as if it were one text, with the statistics of the texts: the sum over the terms of
//!   `idf * tf / (tf + k1 * (1 - b + b * length / average))`, where `tf` and `length` are sums over the window and `average`
//!   is the mean length of the windows of the candidates.
//! * *Meaning*: the mean of the cosines of the window's messages, weighted by [`BEFORE`] and [`AFTER`], the message itself
//!   by 1; messages without a vector do not count.
//!
//! The signal is the mean of the two after the normalisation that words and cosines have by themselves (see
//! [`crate::fusion`]), or the one of them that the query has. Rows whose window has one of the best by words or by vector
//! are candidates, too: the answer often stands next to the message that was found.

mod marks;
mod neighbourhood;
mod windows;

use super::nearest::VectorSignal;
use super::postings::PostingSignal;
use super::select::Selector;
use super::sources::{SourceRow, Sources};
use crate::text::Bm25;
use marks::Marks;
pub(super) use neighbourhood::Neighbourhood;
use windows::Windows;

/// The most messages on each side.
const REACH: usize = 3;
/// A window with so many terms takes no more messages.
const ENOUGH_TERMS: u32 = 60;
/// In microseconds: half an hour.
const LONGEST_PAUSE: u64 = 30 * 60 * 1_000_000;
/// What the cosines of messages before the one in the middle count, the nearest first.
const BEFORE: [f32; REACH] = [0.6, 0.35, 0.2];
/// Those after it count 0.6 of that: who asks about something mostly means what led to it.
const AFTER: [f32; REACH] = [0.36, 0.21, 0.12];
/// How many rows ahead of the one in hand are asked for.
const ROWS_AHEAD: usize = 6;

/// The windows of the candidates of one search, and what is found out about them. Its memory lives from search to search.
#[derive(Default)]
pub(super) struct Context {
    windows: Windows,
    /// All messages of all windows.
    members: Marks,
    /// The numbers of the members of each window.
    numbers: Vec<u32>,
    /// Of each member, in the order of their rows; NaN if it has no vector.
    cosines: Vec<f32>,
    /// How often each member has the term in hand.
    frequencies: Vec<u16>,
    touched: Vec<u32>,
    /// What the words of the windows are worth, and those of the candidates themselves.
    scores: Vec<f64>,
    own: Vec<f32>,
}

impl Context {
    /// Makes the windows of candidates, which are ascending, and of the rows whose windows have one of the seeds, which are
    /// added.
    pub(super) fn widen(
        &mut self,
        sources: &Sources,
        selector: &Selector<'_>,
        rows: &mut Vec<SourceRow>,
        seeds: &[SourceRow],
    ) {
        self.windows.make(sources, selector, rows, seeds);
        self.members.clear(sources.end());
        for member in self.windows.members() {
            self.members.add(member.row);
        }
        self.members.number();
        self.numbers.clear();
        let numbers = self.windows.members().iter();
        self.numbers
            .extend(numbers.map(|member| self.members.number_of(member.row) as u32));
    }

    /// Computes the cosines of all members but the known ones, which are ascending.
    pub(super) fn measure(
        &mut self,
        signal: &VectorSignal,
        sources: &Sources,
        mut known: &[(f32, SourceRow)],
    ) {
        let rows = self.members.numbered();
        let mut ahead = rows.iter();
        let mut prefetch = |count| {
            let next = ahead.by_ref().take(count);
            next.for_each(|&row| signal.prefetch(sources, row));
        };
        prefetch(ROWS_AHEAD);
        self.cosines.clear();
        self.cosines.extend(rows.iter().map(|&row| {
            prefetch(1);
            match known.split_first() {
                Some((&(cosine, first), rest)) if first == row => {
                    known = rest;
                    cosine
                }
                _ => signal.score(sources, row).unwrap_or(f32::NAN),
            }
        }));
    }

    /// The cosines of the candidates themselves, once they were measured.
    pub(super) fn cosines(&self) -> impl Iterator<Item = f64> {
        let windows = self.windows.ranges();
        windows.map(|window| f64::from(self.cosines[self.numbers[window.start] as usize]))
    }

    /// What the windows mean, in the order of the candidates; NaN where no message has a vector.
    pub(super) fn meanings(&self) -> impl Iterator<Item = f64> {
        self.windows.ranges().map(|window| {
            let (mut sum, mut shares) = (0.0, 0.0);
            let members = &self.windows.members()[window.clone()];
            for (member, &number) in members.iter().zip(&self.numbers[window]) {
                let cosine = self.cosines[number as usize];
                if !cosine.is_nan() {
                    sum += f64::from(member.share) * f64::from(cosine);
                    shares += f64::from(member.share);
                }
            }
            sum / shares
        })
    }

    /// What the words of the windows are worth, in the order of the candidates, once they were added up.
    pub(super) fn scores(&self) -> &[f64] {
        &self.scores
    }

    /// Adds up what the words of the windows are worth, and if `own` is wanted, what those of the candidates themselves are
    /// worth without phrases, as [`PostingSignal::scan`] gives it.
    pub(super) fn words(
        &mut self,
        signal: &PostingSignal,
        sources: &Sources,
        mut own: Option<&mut Vec<f64>>,
    ) {
        let Self {
            windows,
            members,
            numbers,
            frequencies,
            touched,
            scores,
            own: own_scores,
            ..
        } = self;
        let bm25 = Bm25::default();
        let lengths = windows.lengths();
        let total: u64 = lengths.iter().map(|&length| u64::from(length)).sum();
        let average = (total as f64 / lengths.len() as f64) as f32;
        frequencies.clear();
        frequencies.resize(members.numbered().len(), 0);
        scores.clear();
        scores.resize(lengths.len(), 0.0);
        own_scores.clear();
        own_scores.resize(lengths.len(), 0.0);
        for (place, source) in sources.iter().enumerate() {
            let of_source = windows.of_source(place);
            let (rows, is_wanted) = (members.numbered_of(source), |row| members.has(row));
            for term in signal.terms_of(place) {
                touched.clear();
                term.find(source, rows, is_wanted, |row, frequency| {
                    let number = members.number_of(row);
                    frequencies[number] = frequency;
                    touched.push(number as u32);
                });
                if touched.is_empty() {
                    continue;
                }
                for window in of_source.clone() {
                    let numbers = &numbers[windows.range(window)];
                    let frequency_of = |&number: &u32| u32::from(frequencies[number as usize]);
                    let frequency: u32 = numbers.iter().map(frequency_of).sum();
                    if frequency == 0 {
                        continue;
                    }
                    let length = lengths[window];
                    let score = bm25.term_score(term.weight(), frequency, length, average);
                    scores[window] += f64::from(score);
                    let frequency = frequency_of(&numbers[0]);
                    if own.is_some() && frequency > 0 {
                        let row = members.numbered()[numbers[0] as usize];
                        own_scores[window] += signal.worth(term, source, row, frequency as u16);
                    }
                }
                for &number in &*touched {
                    frequencies[number as usize] = 0;
                }
            }
        }
        if let Some(own) = &mut own {
            own.extend(own_scores.iter().copied().map(f64::from));
        }
    }
}
