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
//! * *Words*: [`formula::words`], the share of the query that the window has.
//! * *Meaning*: [`formula::meaning`] of the cosines of its messages, weighted by [`BEFORE`] and [`AFTER`], the message itself
//!   by 1.
//! * *Exchange*: whether the message is a question that another person answered, or such an answer, which is the better the
//!   nearer that question is to the query.
//!
//! The signal is the weighted mean of those that the query has (see [`crate::fusion`]). Rows next to the best candidates
//! whose window has one of these are candidates, too: the answer often stands next to the message that was found.

mod cosines;
mod exchange;
mod formula;
mod members;
mod neighbourhood;
mod stretches;
mod windows;

use std::ops::Range;

use super::nearest::VectorSignal;
use super::postings::{PostingSignal, Term};
use super::select::Selector;
use super::sources::Sources;
use crate::fusion::Exchange;
use cosines::{Estimates, UNKNOWN};
use exchange::{asks, exchange};
use members::Members;
pub(super) use neighbourhood::Neighbourhood;
pub(super) use windows::Widened;
use windows::Windows;

/// The most messages on each side.
const REACH: usize = 3;
/// A window with so many terms takes no more messages.
const ENOUGH_TERMS: u32 = 75;
/// In microseconds: half an hour.
const LONGEST_PAUSE: u64 = 30 * 60 * 1_000_000;
/// What the cosines of messages before the one in the middle count, the nearest first.
const BEFORE: [f32; REACH] = [0.6, 0.35, 0.2];
/// Those after it count 0.6 of that: who asks about something mostly means what led to it.
const AFTER: [f32; REACH] = [0.36, 0.21, 0.12];
/// How many records ahead of the one in hand are asked for.
const RECORDS_AHEAD: usize = 6;

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
    estimates: Estimates,
    tables: Vec<Table>,
    /// Of each table, member by member, how often it has each term.
    frequencies: Vec<u16>,
    /// Whether the window in hand has each term.
    has: Vec<bool>,
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
    /// Makes the windows of candidates, which are ascending, and of the rows next to them whose windows have one, which
    /// become candidates, too.
    pub(super) fn widen(
        &mut self,
        sources: &Sources,
        selector: &Selector<'_>,
        candidates: &mut Vec<Widened>,
    ) {
        self.windows.make(sources, selector, candidates);
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
                messages.map(|(member, &number)| (member.share(), self.cosines[number as usize])),
            )
        }));
    }

    /// What each candidate is to the messages next to it, once the meanings are known; whether any is part of an exchange.
    pub(super) fn exchanges(&self, sources: &Sources, exchanges: &mut Vec<Exchange>) -> bool {
        let neighbour = |window: &Range<usize>, distance| {
            let mut places = window.clone();
            places.find(|&place| self.windows.members()[place].distance == distance)
        };
        let row_of = |place: usize| self.windows.members()[place].row;
        let mut ahead = self.windows.ranges();
        let mut prefetch = |count| {
            for window in ahead.by_ref().take(count) {
                let own = row_of(window.start);
                for (distance, own_asks) in [(-1, false), (1, true)] {
                    let other = neighbour(&window, distance).map(row_of);
                    let other =
                        other.filter(|&other| asks(sources, if own_asks { own } else { other }));
                    if let Some(other) = other {
                        sources.prefetch_record(own);
                        sources.prefetch_record(other);
                    }
                }
            }
        };
        prefetch(RECORDS_AHEAD);
        exchanges.clear();
        exchanges.extend(self.windows.ranges().map(|window| {
            prefetch(1);
            let before = neighbour(&window, -1)
                .map(|place| (row_of(place), self.cosines[self.numbers[place] as usize]));
            let after = neighbour(&window, 1).map(row_of);
            exchange(sources, row_of(window.start), before, after)
        }));
        exchanges
            .iter()
            .any(|exchange| *exchange != Exchange::Neither)
    }

    /// Finds the cosines of all members; those of the candidates are known.
    fn measure(&mut self, signal: &VectorSignal, sources: &Sources, known: &[f64]) {
        let rows = self.members.rows();
        self.cosines.clear();
        self.cosines.resize(rows.len(), UNKNOWN);
        for (window, &cosine) in self.windows.ranges().zip(known) {
            self.cosines[self.numbers[window.start] as usize] = cosine as f32;
        }
        self.estimates
            .fill(signal, sources, rows, &mut self.cosines);
    }

    /// What the words of the windows are worth, and those of the candidates by themselves, in the order of the candidates.
    pub(super) fn words(
        &mut self,
        signal: &PostingSignal,
        sources: &Sources,
        of_windows: &mut Vec<f64>,
        own: &mut Vec<f64>,
    ) {
        self.count(signal, sources);
        of_windows.clear();
        own.clear();
        for table in &self.tables {
            let worth = |has: &[bool]| {
                let weights = signal.terms_of(table.source).map(Term::weight);
                formula::words(weights.zip(has.iter().copied()), signal.total_weight())
            };
            for window in table.windows.clone() {
                let numbers = &self.numbers[self.windows.range(window)];
                self.has.clear();
                self.has.resize(table.terms, false);
                for (place, &number) in numbers.iter().enumerate() {
                    let frequencies = &self.frequencies[table.of(number)];
                    for (has, &frequency) in self.has.iter_mut().zip(frequencies) {
                        *has |= frequency > 0;
                    }
                    // The first is the candidate itself.
                    if place == 0 {
                        own.push(worth(&self.has));
                    }
                }
                of_windows.push(worth(&self.has));
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
