//! The views that one search works on, with one numbering over all their rows.

use std::cmp::Ordering;
use std::slice;
use std::sync::Arc;

use super::select::Selection;
use crate::Error;
use crate::partition::RecordBytes;
use crate::partition::base::RowPart;
use crate::partition::segment::{RowNumber, Segment};
use crate::partition::view::View;
use crate::vector::prefetch;

/// A row of one of the sources: its number plus the source's offset.
pub(super) type SourceRow = u32;

/// One partition as the search sees it.
pub(super) struct Source {
    pub(super) view: Arc<View>,
    /// Added to a row's number; a multiple of 64.
    pub(super) offset: u32,
    /// The rows that scope, time and filter let through.
    pub(super) selected: Selection,
}

impl Source {
    /// Its rows are below this.
    pub(super) fn end(&self) -> SourceRow {
        self.offset + 64 * self.view.live.len() as u32
    }
}

/// The revision that wrote a row, the memory and its version.
type Writing = (i64, u128, u32);

/// When a row happened or was heard, and what tells it from others of that time.
pub(super) type Age = (i64, Writing);

/// All partitions of a search.
pub(super) struct Sources(Vec<Source>);

impl Sources {
    /// Numbers the rows of views that have been narrowed already. Empty views are left out, so that offsets differ.
    pub(super) fn new(
        narrowed: impl Iterator<Item = (Arc<View>, Selection)>,
    ) -> Result<Self, Error> {
        let mut offset = 0_u32;
        let mut sources = Vec::with_capacity(narrowed.size_hint().1.unwrap_or_default());
        for (view, selected) in narrowed.filter(|(view, _)| view.limit > 0) {
            let rows = 64 * view.live.len() as u32;
            let next = offset.checked_add(rows);
            sources.push(Source {
                view,
                offset,
                selected,
            });
            offset = next.ok_or_else(|| {
                Error::Internal("one search covers at most 4.29 billion rows".to_owned())
            })?;
        }
        Ok(Self(sources))
    }

    pub(super) fn iter(&self) -> slice::Iter<'_, Source> {
        self.0.iter()
    }

    /// The source at a place.
    pub(super) fn at(&self, place: usize) -> &Source {
        &self.0[place]
    }

    /// All rows are below this.
    pub(super) fn end(&self) -> SourceRow {
        self.0.last().map_or(0, Source::end)
    }

    /// How many rows are selected.
    pub(super) fn selected(&self) -> u64 {
        self.iter()
            .map(|source| source.selected.count() as u64)
            .sum()
    }

    /// The source of a row and the row's number in it.
    pub(super) fn locate(&self, row: SourceRow) -> (&Source, RowNumber) {
        // Most searches have one.
        let place = if self.0.len() == 1 {
            0
        } else {
            self.place_of(row)
        };
        let source = &self.0[place];
        (source, row - source.offset)
    }

    /// The segment of a row and the row's place in it.
    #[inline]
    pub(super) fn place(&self, row: SourceRow) -> (Segment<'_>, usize) {
        let (source, row) = self.locate(row);
        source.view.locate(row)
    }

    /// Which source a row is in.
    pub(super) fn place_of(&self, row: SourceRow) -> usize {
        self.0.partition_point(|source| source.offset <= row) - 1
    }

    /// Asks for a part of rows whose partition is in a file that may not be in memory yet, all at once.
    pub(super) fn will_need(&self, rows: &[SourceRow], part: RowPart) {
        if self.iter().all(|source| !source.view.is_cold()) {
            return;
        }
        for &row in rows {
            let (segment, place) = self.place(row);
            segment.will_need(place, part);
        }
    }

    /// Asks for the first part of a row's record before it is read.
    pub(super) fn prefetch_record(&self, row: SourceRow) {
        self.will_need(&[row], RowPart::Record);
        let (segment, place) = self.place(row);
        prefetch(segment.identity(place));
    }

    /// Asks for the part of a row's record up to the speaker's name, where that usually ends.
    pub(super) fn prefetch_name(&self, row: SourceRow) {
        self.will_need(&[row], RowPart::Record);
        let (segment, place) = self.place(row);
        prefetch(segment.beginning(place));
    }

    /// Whose version a row is.
    pub(super) fn memory_id(&self, row: SourceRow) -> u128 {
        let (segment, place) = self.place(row);
        segment.record(place).memory_id()
    }

    /// The version of a row.
    pub(super) fn record(&self, row: SourceRow) -> &RecordBytes {
        let (segment, place) = self.place(row);
        segment.record(place)
    }

    /// When it happened or was heard.
    pub(super) fn recency_time(&self, row: SourceRow) -> i64 {
        let (segment, place) = self.place(row);
        segment.recency_times()[place]
    }

    /// The order of scored rows: the higher score first, then the newer.
    pub(super) fn order(&self, a: (f32, SourceRow), b: (f32, SourceRow)) -> Ordering {
        b.0.total_cmp(&a.0).then_with(|| self.newer_first(a.1, b.1))
    }

    /// The order of rows with equal scores, the newer first. It depends on what the rows say and not on where they lie,
    /// so that an index that was built anew answers as before.
    pub(super) fn newer_first(&self, a: SourceRow, b: SourceRow) -> Ordering {
        self.recency_time(b)
            .cmp(&self.recency_time(a))
            .then_with(|| self.writing(b).cmp(&self.writing(a)))
    }

    /// What [`newer_first`](Self::newer_first) compares, the greater the newer, for rows that are compared often.
    pub(super) fn age(&self, row: SourceRow) -> Age {
        (self.recency_time(row), self.writing(row))
    }

    /// What tells rows of one time apart.
    fn writing(&self, row: SourceRow) -> Writing {
        let (source, row) = self.locate(row);
        let record = source.view.record(row);
        (record.revision(), record.memory_id(), record.version())
    }

    /// Drops all but the best `count` rows by score, the newer first among equals; those are left in no order.
    pub(super) fn cut(&self, scored: &mut Vec<(f32, SourceRow)>, count: usize) {
        if scored.len() > count && count > 0 {
            let last = count - 1;
            // Which are newer is asked only where scores are equal at the border, which they seldom are.
            let (_, &mut (least, _), beyond) =
                scored.select_nth_unstable_by(last, |(a, _), (b, _)| b.total_cmp(a));
            if beyond
                .iter()
                .any(|(score, _)| score.total_cmp(&least).is_ge())
            {
                scored.select_nth_unstable_by(last, |&a, &b| self.order(a, b));
            }
        }
        scored.truncate(count);
    }
}
