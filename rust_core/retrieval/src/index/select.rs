//! Which rows a search may find: scope, time and filter.

use std::sync::Arc;

use crate::filter::Filter;
use crate::partition::segment::{NEVER, Segment};
use crate::partition::view::View;
use crate::partition::{ScopeIds, ScopeMatch};

use super::SearchRequest;

/// What a search says about the rows that it may find.
pub(super) struct Selector<'a> {
    scope: &'a ScopeIds,
    scope_match: ScopeMatch,
    filter: Option<&'a Filter>,
    time: Time,
}

/// Which versions hold, and when expiry is judged.
#[derive(Clone, Copy)]
struct Time {
    at: i64,
    is_past: bool,
    include_superseded: bool,
}

impl<'a> Selector<'a> {
    pub(super) fn new(request: &SearchRequest<'a>) -> Self {
        let time = Time {
            at: request.as_of_micros.unwrap_or(request.now_micros),
            is_past: request.as_of_micros.is_some(),
            include_superseded: request.include_superseded,
        };
        Self {
            scope: request.scope,
            scope_match: request.scope_match,
            filter: request.filter,
            time,
        }
    }

    /// The selected rows of a view, as a bitmap.
    pub(super) fn select(&self, view: &View) -> Arc<[u64]> {
        let slots = self.slots(view);
        // Without these questions the rows that have no end are the answer.
        let only_current = self.time.only_current(view);
        let all_slots = slots.iter().all(|&selected| selected);
        let base = if only_current {
            &view.current
        } else {
            &view.live
        };
        if only_current && all_slots && view.counts.expiring == 0 && self.filter.is_none() {
            return Arc::clone(base);
        }
        let mut selected = base.to_vec();
        for segment in view.segments.iter() {
            let rows = segment.rows_below(view.limit);
            let first = (segment.base as usize / 64).min(selected.len());
            let end = selected.len().min(first + rows.div_ceil(64));
            let words = &mut selected[first..end];
            if !all_slots {
                let column = &segment.scope_slots()[..rows];
                keep(words, column, |&slot| slots[slot as usize]);
            }
            if view.counts.expiring > 0 {
                let column = &segment.expire_times()[..rows];
                keep(words, column, |&expire| expire > self.time.at);
            }
            if !only_current {
                keep_each(words, |place| {
                    self.time.holds(segment, place, view.sequence)
                });
            }
            if let Some(filter) = self.filter {
                keep_each(words, |place| {
                    let slot = segment.scope_slots()[place] as usize;
                    let scope = view.storage.scopes.get(slot);
                    scope.is_some_and(|scope| filter.holds(segment.record(place), scope))
                });
            }
        }
        selected.into()
    }

    /// Whether the ids asked for select each of the view's scopes.
    fn slots(&self, view: &View) -> Vec<bool> {
        let scopes = view.storage.scopes.slices().flatten();
        scopes
            .map(|scope| self.scope.selects(scope, self.scope_match))
            .collect()
    }
}

/// Clears the bits of rows that a column excludes, without a branch for each.
fn keep<T>(words: &mut [u64], column: &[T], holds: impl Fn(&T) -> bool) {
    for (word, values) in words.iter_mut().zip(column.chunks(64)) {
        if *word != 0 {
            let bits = values.iter().enumerate();
            *word &= bits.fold(0, |bits, (bit, value)| {
                bits | u64::from(holds(value)) << bit
            });
        }
    }
}

/// Clears the bits of rows that a test excludes which costs more than a branch.
fn keep_each(words: &mut [u64], holds: impl Fn(usize) -> bool) {
    for (index, word) in words.iter_mut().enumerate() {
        let mut rest = *word;
        while rest != 0 {
            let bit = rest.trailing_zeros();
            rest &= rest - 1;
            if !holds(64 * index + bit as usize) {
                *word &= !(1 << bit);
            }
        }
    }
}

impl Time {
    /// Whether the rows without an end are those that hold.
    fn only_current(self, view: &View) -> bool {
        !self.is_past && !self.include_superseded && view.extremes.planned_end <= self.at
    }

    fn holds(self, segment: &Segment, place: usize, sequence: u32) -> bool {
        let has_begun = !self.is_past || segment.valid_from()[place] <= self.at;
        if !has_begun || self.include_superseded {
            return has_begun;
        }
        let end = segment.end_at(place, sequence);
        let is_closed = end != NEVER && segment.closed_at(place, sequence).is_some();
        // What a later version has superseded is not what holds now, whatever the clocks of writer and reader say.
        (self.is_past || !is_closed) && self.at < end
    }
}
