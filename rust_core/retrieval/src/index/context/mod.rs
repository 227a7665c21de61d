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
//! * *Words*: [`formula::words`] of how often the messages of the window have the terms of the query.
//! * *Meaning*: [`formula::meaning`] of their cosines, weighted by [`BEFORE`] and [`AFTER`], the message itself by 1.
//!
//! The signal is the mean of the two after the normalisation that words and cosines have by themselves (see
//! [`crate::fusion`]), or the one of them that the query has. Rows next to the best candidates whose window has one of these
//! are candidates, too: the answer often stands next to the message that was found.

mod formula;
mod members;
mod neighbourhood;
mod windows;

use std::ops::Range;

use super::nearest::VectorSignal;
use super::postings::{PostingSignal, Term};
use super::select::Selector;
use super::sources::{SourceRow, Sources};
use members::Members;
pub(super) use neighbourhood::Neighbourhood;
pub(super) use windows::Widened;
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
/// The cosine of a member that has not been looked at yet.
const UNKNOWN: f32 = f32::INFINITY;

/// The windows of the candidates of one search, and what is found out about them. Its memory lives from search to search.
#[derive(Default)]
pub(super) struct Context {
    windows: Windows,
    /// All messages of all windows.
    members: Members,
    /// The numbers of the members of each window.
    numbers: Vec<u32>,
    /// Of each member, in the order of their rows; NaN if it has no vector.
    cosines: Vec<f32>,
    tables: Vec<Table>,
    /// Of each table, member by member, how often it has each term.
    frequencies: Vec<u16>,
    /// How often the window in hand has each term.
    sums: Vec<u32>,
}

/// How often the members of one source have the terms of the query that it knows.
struct Table {
    source: usize,
    windows: Range<usize>,
    /// The number of its first member.
    first: usize,
    /// Where it begins among all frequencies.
    start: usize,
    terms: usize,
}

impl Table {
    /// Where the frequencies of a member are.
    fn of(&self, number: u32) -> Range<usize> {
        let start = self.start + (number as usize - self.first) * self.terms;
        start..start + self.terms
    }
}

impl Context {
    /// Makes the windows of candidates, and of the rows next to seeds whose windows have one, which become candidates, too.
    ///
    /// Both are ascending, and the seeds are candidates.
    pub(super) fn widen(
        &mut self,
        sources: &Sources,
        selector: &Selector<'_>,
        candidates: &mut Vec<Widened>,
        seeds: &[SourceRow],
    ) {
        self.windows.make(sources, selector, candidates, seeds);
        self.members.clear(sources.end());
        for member in self.windows.members() {
            self.members.add(member.row);
        }
        self.members.number();
        self.numbers.clear();
        let numbers = self.windows.members().iter();
        self.numbers.extend(numbers.map(|member| {
            let number = self.members.number_of(member.row);
            number.expect("every member has been added") as u32
        }));
    }

    /// What the windows mean, in the order of the candidates, whose own cosines are known; NaN where no message has a
    /// vector.
    pub(super) fn meanings(
        &mut self,
        signal: &VectorSignal,
        sources: &Sources,
        known: &[f64],
        meanings: &mut Vec<f64>,
    ) {
        self.measure(signal, sources, known);
        let (members, numbers) = (self.windows.members(), &self.numbers);
        meanings.clear();
        meanings.extend(self.windows.ranges().map(|window| {
            let messages = members[window.clone()].iter().zip(&numbers[window]);
            formula::meaning(
                messages.map(|(member, &number)| (member.share, self.cosines[number as usize])),
            )
        }));
    }

    /// Computes the cosines of all members but the candidates.
    fn measure(&mut self, signal: &VectorSignal, sources: &Sources, known: &[f64]) {
        let rows = self.members.rows();
        self.cosines.clear();
        self.cosines.resize(rows.len(), UNKNOWN);
        for (window, &cosine) in self.windows.ranges().zip(known) {
            self.cosines[self.numbers[window.start] as usize] = cosine as f32;
        }
        let is_unknown = |cosine: &f32| *cosine == UNKNOWN;
        let mut ahead = rows
            .iter()
            .zip(&self.cosines)
            .filter(|(_, cosine)| is_unknown(cosine))
            .map(|(&row, _)| row)
            .collect::<Vec<_>>()
            .into_iter();
        let mut prefetch = |count| {
            let next = ahead.by_ref().take(count);
            next.for_each(|row| signal.prefetch(sources, row));
        };
        prefetch(ROWS_AHEAD);
        let members = rows.iter().zip(&mut self.cosines);
        for (&row, cosine) in members.filter(|(_, cosine)| is_unknown(cosine)) {
            prefetch(1);
            *cosine = signal.score(sources, row).unwrap_or(f32::NAN);
        }
    }

    /// What the words of the windows are worth, in the order of the candidates.
    pub(super) fn words(
        &mut self,
        signal: &PostingSignal,
        sources: &Sources,
        scores: &mut Vec<f64>,
    ) {
        self.count(signal, sources);
        let lengths = self.windows.lengths();
        let total: u64 = lengths.iter().map(|&length| u64::from(length)).sum();
        let average = (total as f64 / lengths.len() as f64) as f32;
        scores.clear();
        for table in &self.tables {
            for window in table.windows.clone() {
                self.sums.clear();
                self.sums.resize(table.terms, 0);
                for &number in &self.numbers[self.windows.range(window)] {
                    let frequencies = &self.frequencies[table.of(number)];
                    for (sum, &frequency) in self.sums.iter_mut().zip(frequencies) {
                        *sum += u32::from(frequency);
                    }
                }
                let weights = signal.terms_of(table.source).map(Term::weight);
                let terms = weights.zip(self.sums.iter().copied());
                scores.push(formula::words(terms, lengths[window], average));
            }
        }
    }

    /// Counts how often the members have the terms of the query.
    fn count(&mut self, signal: &PostingSignal, sources: &Sources) {
        self.tables.clear();
        self.frequencies.clear();
        for of_source in self.windows.of_sources() {
            let source = sources.at(of_source.source);
            let members = self.members.of(source);
            let table = Table {
                source: of_source.source,
                windows: of_source.windows.clone(),
                first: members.start,
                start: self.frequencies.len(),
                terms: signal.terms_of(of_source.source).count(),
            };
            let (rows, end) = (
                &self.members.rows()[members.clone()],
                table.start + members.len() * table.terms,
            );
            self.frequencies.resize(end, 0);
            for (place, term) in signal.terms_of(table.source).enumerate() {
                let number_of = |row| Some(self.members.number_of(row)? - table.first);
                term.find(source, rows, number_of, |number, frequency| {
                    self.frequencies[table.start + number * table.terms + place] = frequency;
                });
            }
            self.tables.push(table);
        }
    }

    /// What the words of a candidate itself are worth without phrases, as [`PostingSignal::scan`] gives it, once those of
    /// the windows are known.
    pub(super) fn own_words(
        &self,
        signal: &PostingSignal,
        sources: &Sources,
        candidate: usize,
    ) -> f32 {
        let before = self
            .tables
            .partition_point(|table| table.windows.end <= candidate);
        let (table, own) = (&self.tables[before], self.windows.range(candidate).start);
        let (source, row) = (sources.at(table.source), self.windows.members()[own].row);
        let frequencies = &self.frequencies[table.of(self.numbers[own])];
        let terms = signal.terms_of(table.source).zip(frequencies);
        let terms = terms.filter(|&(_, &frequency)| frequency > 0);
        terms.fold(0.0, |sum, (term, &frequency)| {
            sum + signal.worth(term, source, row, frequency)
        })
    }
}
