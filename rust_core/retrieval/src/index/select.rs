//! Which rows a search may find: scope, time and filter.

use std::ops::{Deref, Range};

use crate::filter::{Filter, Stretch};
use crate::partition::bitmap::Words as Bits;
use crate::partition::scopes::{RowsBySlot, Slots};
use crate::partition::segment::{NEVER, RowNumber, Segment};
use crate::partition::view::{View, has_row, rows_of};
use crate::partition::{ScopeIds, ScopeMatch};

use super::SearchRequest;

/// A selection with at most one row of so many is also kept as a list, and scans go by that.
const SPARSE: usize = 8;
/// In a segment with at most one row of so many, the rows of a scope are looked at one by one.
const FEW_IN_SEGMENT: usize = 4;

/// The rows of one view that a search may find: a bitmap over row numbers.
pub(super) struct Selection {
    words: Words,
    count: usize,
    rows: Option<Vec<RowNumber>>,
}

enum Words {
    /// One of the view's own.
    Shared(Bits),
    Own(Vec<u64>),
}

impl Selection {
    /// How many they are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The rows, ascending, if they are few among those of the view.
    pub(super) fn rows(&self) -> Option<&[RowNumber]> {
        self.rows.as_deref()
    }

    /// Those of them that a test lets through.
    pub(super) fn narrowed(&self, holds: impl Fn(RowNumber) -> bool) -> Self {
        let mut words = self.to_vec();
        keep_each(&mut words, |row| holds(row as RowNumber));
        Self::own(words)
    }

    fn shared(words: &Bits, count: u32) -> Self {
        Self {
            words: Words::Shared(words.clone()),
            count: count as usize,
            rows: None,
        }
    }

    fn own(words: Vec<u64>) -> Self {
        let count = words.iter().map(|word| word.count_ones() as usize).sum();
        let rows = (count * SPARSE <= words.len() * 64).then(|| {
            let mut rows = Vec::with_capacity(count);
            rows.extend(rows_of(&words));
            rows
        });
        Self {
            words: Words::Own(words),
            count,
            rows,
        }
    }
}

impl Deref for Selection {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        match &self.words {
            Words::Shared(words) => words,
            Words::Own(words) => words,
        }
    }
}

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

/// Which rows of a view the time of a search lets it read, whatever their scopes.
pub(super) struct Readable<'a>(Questions<'a>);

impl Readable<'_> {
    #[inline]
    pub(super) fn has(&self, row: RowNumber) -> bool {
        let questions = &self.0;
        has_row(questions.base, row) && (questions.are_none() || questions.hold(row))
    }
}

/// What is left to ask of the rows of a view whose scope is selected.
struct Questions<'a> {
    view: &'a View,
    /// What the rows are taken from.
    base: &'a [u64],
    filter: Option<&'a Filter>,
    time: Time,
    expiry: bool,
    validity: bool,
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

    /// The selected rows of a view.
    pub(super) fn select(&self, view: &View) -> Selection {
        let slots = view.select(self.scope, self.scope_match);
        let (base, count) = self.base(view);
        let questions = self.questions(view, self.filter);
        match slots {
            Slots::All if questions.are_none() => Selection::shared(base, count),
            Slots::All => questions.of_all(),
            Slots::Some(slots) => questions.of_slots(&slots),
        }
    }

    /// The rows of a view that could be selected if their scopes and the filter let them.
    pub(super) fn readable<'v>(&self, view: &'v View) -> Readable<'v>
    where
        'a: 'v,
    {
        Readable(self.questions(view, None))
    }

    /// Without further questions the rows that have no end are the answer, or with the superseded ones all.
    fn base<'v>(&self, view: &'v View) -> (&'v Bits, u32) {
        if self.time.only_current(view) {
            (&view.current, view.counts.current)
        } else {
            (&view.live, view.counts.live)
        }
    }

    fn questions<'v>(&self, view: &'v View, filter: Option<&'v Filter>) -> Questions<'v> {
        Questions {
            view,
            base: self.base(view).0,
            filter,
            time: self.time,
            expiry: view.counts.expiring > 0,
            validity: !self.time.only_current(view) && !self.time.takes_all(),
        }
    }
}

impl Questions<'_> {
    fn are_none(&self) -> bool {
        self.filter.is_none() && !self.expiry && !self.validity
    }

    fn of_all(&self) -> Selection {
        let mut words = self.base.to_vec();
        for segment in self.view.segments() {
            self.narrow(segment, &mut words[self.words_of(segment)]);
        }
        Selection::own(words)
    }

    /// The selected rows of some scopes. Where they are few, nothing else is looked at.
    fn of_slots(&self, slots: &[u32]) -> Selection {
        let mut words = vec![0; self.base.len()];
        let most = self.base.len() * 64 / SPARSE;
        let mut rows = Some(Vec::new());
        for segment in self.view.segments() {
            let range = self.words_of(segment);
            let by_slot = segment.by_slot();
            let held = by_slot.map(|by_slot| {
                let held = slots.iter().map(|&slot| by_slot.places(slot).len());
                held.sum::<usize>()
            });
            if held == Some(0) {
                continue;
            }
            let few = by_slot.filter(|by_slot| {
                let is_stretch = |&slot: &u32| by_slot.is_stretch(slot);
                held.is_some_and(|held| held * FEW_IN_SEGMENT <= 64 * range.len())
                    || self.are_none() && slots.iter().all(is_stretch)
            });
            if let (Some(by_slot), None) = (few, self.filter) {
                self.pick(segment, slots, by_slot, &mut words, &mut rows);
            } else {
                let words = &mut words[range.clone()];
                self.mark(segment, slots, few, words);
                self.narrow(segment, words);
                if let Some(rows) = &mut rows {
                    let first = (64 * range.start) as RowNumber;
                    rows.extend(rows_of(words).map(|row| first + row));
                }
            }
            rows = rows.filter(|rows| rows.len() <= most);
        }
        let Some(rows) = rows else {
            return Selection::own(words);
        };
        Selection {
            words: Words::Own(words),
            count: rows.len(),
            rows: Some(rows),
        }
    }

    /// Sets the bits of a segment's rows of some scopes, in words without any.
    fn mark(
        &self,
        segment: Segment<'_>,
        slots: &[u32],
        few: Option<&RowsBySlot>,
        words: &mut [u64],
    ) {
        let base = &self.base[self.words_of(segment)];
        let Some(by_slot) = few else {
            words.copy_from_slice(base);
            let column = &segment.scope_slots()[..segment.rows_below(self.view.limit)];
            keep_slots(words, column, slots);
            return;
        };
        for &place in slots.iter().flat_map(|&slot| by_slot.places(slot)) {
            // A full segment may have rows that the view does not show yet.
            let place = usize::from(place);
            if let Some(word) = words.get_mut(place / 64) {
                *word |= base[place / 64] & 1 << (place % 64);
            }
        }
    }

    /// Adds the rows of some scopes in a segment that all the rest holds of, looking at no others.
    fn pick(
        &self,
        segment: Segment<'_>,
        slots: &[u32],
        by_slot: &RowsBySlot,
        words: &mut [u64],
        rows: &mut Option<Vec<RowNumber>>,
    ) {
        let known = rows.as_ref().map_or(0, Vec::len);
        for &slot in slots {
            let places = by_slot.places(slot);
            if self.are_none() && by_slot.is_stretch(slot) {
                self.take(segment, places, words, rows);
                continue;
            }
            for &place in places {
                let row = segment.base + RowNumber::from(place);
                // A full segment may have rows that the view does not show yet; they are not in the base.
                if has_row(self.base, row) && self.holds(segment, usize::from(place)) {
                    words[row as usize / 64] |= 1 << (row % 64);
                    if let Some(rows) = rows {
                        rows.push(row);
                    }
                }
            }
        }
        if let (Some(rows), true) = (rows, slots.len() > 1) {
            rows[known..].sort_unstable();
        }
    }

    /// Adds the rows of a segment at places side by side, word by word.
    fn take(
        &self,
        segment: Segment<'_>,
        places: &[u16],
        words: &mut [u64],
        rows: &mut Option<Vec<RowNumber>>,
    ) {
        let (Some(&first), Some(&last)) = (places.first(), places.last()) else {
            return;
        };
        let (first, last) = (
            segment.base + u32::from(first),
            segment.base + u32::from(last),
        );
        for word in first / 64..=last / 64 {
            let mut taken = self.base.get(word as usize).copied().unwrap_or(0);
            if word == first / 64 {
                taken &= u64::MAX << (first % 64);
            }
            if word == last / 64 {
                taken &= u64::MAX >> (63 - last % 64);
            }
            if taken == 0 {
                continue;
            }
            words[word as usize] |= taken;
            let Some(rows) = rows else { continue };
            if taken == u64::MAX {
                rows.extend(64 * word..64 * (word + 1));
            } else {
                rows.extend(rows_of(&[taken]).map(|bit| 64 * word + bit));
            }
        }
    }

    /// Clears the bits of a segment's rows that something asked for does not hold of, the cheapest question first.
    fn narrow(&self, segment: Segment<'_>, words: &mut [u64]) {
        let rows = segment.rows_below(self.view.limit);
        if self.expiry {
            let column = &segment.expire_times()[..rows];
            keep(words, column, |&expire| expire > self.time.at);
        }
        if self.validity {
            keep_each(words, |place| {
                self.time.holds(segment, place, self.view.sequence)
            });
        }
        let Some(filter) = self.filter.filter(|_| words.iter().any(|word| *word != 0)) else {
            return;
        };
        let row = |place: usize| {
            let slot = segment.scope_slots()[place];
            let scope = self.view.scopes().get(slot);
            let scope = scope.expect("a scope is interned before a row names it");
            (segment.record(place), &**scope)
        };
        let facets = &segment.facets();
        filter.narrow(&Stretch { facets, row }, words);
    }

    /// The same for one row.
    fn holds(&self, segment: Segment<'_>, place: usize) -> bool {
        (!self.expiry || segment.expire_times()[place] > self.time.at)
            && (!self.validity || self.time.holds(segment, place, self.view.sequence))
    }

    /// The same of a row by its number.
    fn hold(&self, row: RowNumber) -> bool {
        let (segment, place) = self.view.locate(row);
        self.holds(segment, place)
    }

    /// Where a segment's words are in a bitmap over the view's rows.
    fn words_of(&self, segment: Segment<'_>) -> Range<usize> {
        let first = (segment.base as usize / 64).min(self.base.len());
        let count = segment.rows_below(self.view.limit).div_ceil(64);
        first..self.base.len().min(first + count)
    }
}

/// Clears the bits of rows whose slot is none of some, which are ascending.
fn keep_slots(words: &mut [u64], column: &[u32], slots: &[u32]) {
    match slots {
        [] => words.fill(0),
        &[only] => keep(words, column, |&slot| slot == only),
        _ => keep_each(words, |place| slots.binary_search(&column[place]).is_ok()),
    }
}

/// Clears the bits of rows that a column excludes, 64 at once and without a branch for each.
fn keep<T>(words: &mut [u64], column: &[T], holds: impl Fn(&T) -> bool) {
    /// Brings the lowest bits of eight bytes together in the highest byte of the product.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    for (word, values) in words.iter_mut().zip(column.chunks(64)) {
        if *word == 0 {
            continue;
        }
        let mut kept = [0_u8; 64];
        for (kept, value) in kept.iter_mut().zip(values) {
            *kept = u8::from(holds(value));
        }
        let eights = kept.as_chunks::<8>().0.iter().enumerate();
        *word &= eights.fold(0, |bits, (place, &eight)| {
            let eight = u64::from_le_bytes(eight).wrapping_mul(GATHER) >> 56;
            bits | eight << (8 * place)
        });
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
        !self.is_past && !self.include_superseded && view.counts.planned_end <= self.at
    }

    /// Whether every row holds.
    fn takes_all(self) -> bool {
        !self.is_past && self.include_superseded
    }

    fn holds(self, segment: Segment<'_>, place: usize, sequence: u32) -> bool {
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
