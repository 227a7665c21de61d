//! Whether an image from a file is one that a builder could have made, so that no look-up in it can go astray.
//!
//! Checksums tell damage; these checks are for bytes that have the right checksums all the same.

use super::layout::{Column, Lexicon};
use super::scopes::count_of;
use super::units::{Checks, Lazy};
use super::{Base, HAS_LONG};
use crate::partition::dictionary::Posting;

impl Base {
    /// Whether its structure is sound: every offset lies within what it leads into. Reads the unit of the structure.
    pub(crate) fn is_sound(&self) -> bool {
        let sizes = self.layout.sizes();
        let rows = self.rows();
        let record_ends: &[u64] = self.column(Column::RecordEnd, 0, rows);
        let id_rows: &[u32] = self.column(Column::IdRow, 0, rows);
        let bytes = self.slice(self.layout.scopes(), sizes.scope_bytes as usize);
        is_ascending(record_ends.iter().copied(), sizes.record_bytes)
            && id_rows.iter().all(|&row| (row as usize) < rows)
            && self
                .scales(0, rows)
                .iter()
                .all(|scale| scale.is_finite() && *scale >= 0.0)
            && count_of(bytes).is_some_and(|scopes| {
                let slots = self.scope_slots(0, rows).iter();
                slots.copied().all(|slot| (slot as usize) < scopes)
            })
            && self.has_sound_keys(Lexicon::Terms)
            && self.has_sound_keys(Lexicon::Names)
    }

    fn has_sound_keys(&self, lexicon: Lexicon) -> bool {
        let layout = self.layout.lexicon(lexicon);
        let text_ends: &[u32] = self.slice(layout.text_ends(), layout.keys());
        let posting_ends: &[u32] = self.slice(layout.posting_ends(), layout.keys());
        let text_ends = text_ends.iter().map(|&end| u64::from(end));
        let posting_ends = posting_ends.iter().map(|&end| u64::from(end & !HAS_LONG));
        is_ascending(text_ends, layout.sizes.text_bytes)
            && is_ascending(posting_ends, layout.sizes.postings)
    }

    /// Whether a unit is as it was written, and what it has to be. Reads it once.
    pub(super) fn passes(&self, checks: &Checks, unit: usize) -> bool {
        checks.has_passed(unit) || self.check(checks, unit)
    }

    #[cold]
    fn check(&self, checks: &Checks, unit: usize) -> bool {
        match checks.units.lazy(unit) {
            Some(Lazy::Postings { start, end }) => {
                self.image.will_need(start, end - start);
                let holds = || self.has_sound_postings(start, end);
                checks.pass(unit, || &self.image[start..end], holds)
            }
            Some(Lazy::Records { first, end }) => {
                let (start, last) = (self.record_bytes(first).0, self.record_bytes(end - 1).1);
                self.image.will_need(start, last - start);
                checks.pass(
                    unit,
                    || &self.image[start..last],
                    || (first..end).all(|row| self.raw_record(row).is_sound()),
                )
            }
            None => {
                let mut ends = checks.units.ends_before_records().skip(unit);
                let end = ends.next().unwrap_or_default();
                let start = match unit.checked_sub(1) {
                    Some(before) => checks.units.ends_before_records().nth(before),
                    None => Some(0),
                };
                checks.pass(unit, || &self.image[start.unwrap_or(end)..end], || true)
            }
        }
    }

    /// Whether the postings in a stretch are of rows that are there, and ascend within their lists.
    fn has_sound_postings(&self, start: usize, end: usize) -> bool {
        [Lexicon::Terms, Lexicon::Names].into_iter().all(|lexicon| {
            let layout = self.layout.lexicon(lexicon);
            let length = layout.sizes.postings as usize * size_of::<Posting>();
            let first = start.clamp(layout.postings, layout.postings + length);
            let last = end.clamp(layout.postings, layout.postings + length);
            let postings: &[Posting] = self.slice(first, (last - first) / size_of::<Posting>());
            let number = (first - layout.postings) / size_of::<Posting>();
            let ends: &[u32] = self.slice(layout.posting_ends(), layout.keys());
            let end_of = |list: usize| ends.get(list).map_or(0, |end| (end & !HAS_LONG) as usize);
            let mut list = ends.partition_point(|end| (end & !HAS_LONG) as usize <= number);
            let mut before = None;
            postings.iter().zip(number..).all(|(posting, number)| {
                while list < ends.len() && end_of(list) <= number {
                    list += 1;
                    before = None;
                }
                let ascends = before.is_none_or(|before| before < posting.row);
                before = Some(posting.row);
                ascends && (posting.row as usize) < self.rows()
            })
        })
    }
}

/// Whether ends never go back and the last is the whole.
fn is_ascending(ends: impl Iterator<Item = u64>, whole: u64) -> bool {
    let mut last = 0;
    for end in ends {
        if end < last {
            return false;
        }
        last = end;
    }
    last == whole
}
