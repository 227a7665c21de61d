//! The base of a partition: rows that no longer grow, with their postings, in one block of exactly the size that they need.
//!
//! A load, a compaction and a snapshot make one with the same [`build`]; its block, the *image*, has the same form in memory
//! and in a file. What still changes about its rows is not in it: the ends of validity that came later are with the
//! segments, and whether a row is live with the view.

pub(crate) mod build;
mod check;
pub(crate) mod directory;
pub(crate) mod image;
mod keys;
mod late;
pub(crate) mod layout;
pub(crate) mod mapped;
mod messages;
mod scopes;
pub(crate) mod units;

use std::fmt;
use std::sync::Arc;

use bytemuck::{Pod, TransparentWrapper};

use super::dictionary::{Extent, Posting};
use super::memory::{ScopeIds, ScopeMatch};
use super::record::{BEGINNING, EMPTY_RECORD, RecordBytes};
use super::scopes::{Scopes, Slots};
use super::segment::{NEVER, RowNumber, SEGMENT_ROWS};
use super::view::Counts;
use crate::sync::OnceLock;
use crate::sync::atomic::AtomicU64;
use crate::vector::{BitCodes, BitCodesRef, prefetch};
use directory::{Directory, buckets_for, hash_of};
use image::Image;
use late::Late;
use layout::{Column, Layout, Lexicon, LexiconLayout};
use scopes::PackedScopes;
use units::{Checks, Lazy, STRUCTURE};

/// The row has a vector.
const HAS_VECTOR: u8 = 1;
/// Its end is that of a later version, not the one with which it came.
const CLOSED: u8 = 2;
/// It is a message.
const MESSAGE: u8 = 4;
/// A version of the message that the row before it is a version of.
const CONTINUES: u8 = 8;
/// Its scope has a session.
const IN_SESSION: u8 = 16;
/// A person whose name is known asks something: [`RecordBytes::asks`].
const ASKS: u8 = 32;
/// In the end of a key's postings: one of its rows is too long for a posting to say how long.
const HAS_LONG: u32 = 1 << 31;

/// The sealed rows of a partition. Row `i` is the row of number `i`.
pub(crate) struct Base {
    image: Image,
    layout: Layout,
    late: OnceLock<Box<Late>>,
}

/// What a search reads here and there, row by row.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RowPart {
    Codes,
    Unit,
    Record,
}

/// The most rows that are asked for as a whole before they are read.
const PREFETCHED_ROWS: usize = 16;
/// The most bytes of packed scopes that are compared one by one; some sessions of one user.
const FEW_SCOPES: usize = 1_024;

impl Base {
    /// An image as long as its layout says.
    pub(crate) fn new(image: Image, layout: Layout) -> Self {
        assert_eq!(image.len(), layout.end());
        Self {
            image,
            layout,
            late: OnceLock::new(),
        }
    }

    /// How many rows it has.
    #[inline]
    pub(crate) fn rows(&self) -> usize {
        self.layout.rows()
    }

    /// What has been kept beside it.
    pub(crate) fn late(&self) -> Option<&Late> {
        self.late.get().map(|late| &**late)
    }

    /// The same, made if there is none.
    pub(crate) fn late_or_new(&self) -> &Late {
        self.late.get_or_init(|| Box::new(Late::new(self)))
    }

    /// How many segments its rows take.
    pub(crate) fn segments(&self) -> usize {
        self.rows().div_ceil(SEGMENT_ROWS as usize)
    }

    /// How many bytes were allocated, itself not counted.
    pub(crate) fn bytes(&self) -> usize {
        let late = self.late().map_or(0, Late::bytes);
        self.image.heap_bytes() + late
    }

    /// How many bytes of a file it maps.
    pub(crate) fn mapped_bytes(&self) -> usize {
        self.image.mapped_bytes()
    }

    /// Whether some of its bytes were found to be other than those that were written.
    pub(crate) fn is_damaged(&self) -> bool {
        self.image.checks().is_some_and(Checks::is_damaged)
    }

    /// Checks what has not been checked yet; whether all is well.
    pub(crate) fn verify(&self) -> bool {
        let Some(checks) = self.image.checks() else {
            return true;
        };
        if !checks.is_complete() {
            // One page at a time, as searches want it, this would take a minute.
            self.image.in_order();
        }
        let is_whole = (0..checks.units.count()).all(|unit| self.passes(checks, unit));
        if is_whole {
            checks.complete();
        }
        is_whole
    }

    /// Whether it is mapped and has not been read yet as a whole, so that each look into it may wait for a disk.
    pub(crate) fn is_cold(&self) -> bool {
        self.image
            .checks()
            .is_some_and(|checks| !checks.is_complete())
    }

    /// Asks the system for a part of a row, so that the disk reads many at once.
    pub(crate) fn will_need(&self, row: usize, part: RowPart) {
        let stride = self.layout.stride();
        let (start, length) = match part {
            RowPart::Codes => (row * stride, stride),
            RowPart::Unit => {
                let bytes = stride * size_of::<f32>();
                (self.layout.units() + row * bytes, bytes)
            }
            RowPart::Record => {
                let Some(checks) = self.image.checks() else {
                    return;
                };
                let Some(Lazy::Records { first, end }) =
                    checks.units.lazy(checks.units.of_record(row))
                else {
                    return;
                };
                let (start, last) = (self.record_bytes(first).0, self.record_bytes(end - 1).1);
                (start, last - start)
            }
        };
        self.image.will_need(start, length);
    }

    /// Asks for what a search of so few rows reads, their vectors too if it has one, all at once: they lie out of every
    /// cache when many partitions take turns, and each wait is as long as all of them together.
    pub(crate) fn prefetch(&self, vectors: bool) {
        if self.rows() > PREFETCHED_ROWS {
            return;
        }
        prefetch(&self.image[self.layout.column(Column::ValidFrom)..]);
        if vectors {
            prefetch(self.units(0, self.rows()));
        }
    }

    /// Checks what has to be known before it is used at all.
    pub(crate) fn verify_structure(&self) -> bool {
        let passes = |checks: &Checks| self.passes(checks, STRUCTURE);
        self.image.checks().is_none_or(passes) && self.is_sound()
    }

    #[inline]
    fn slice<T: Pod>(&self, start: usize, count: usize) -> &[T] {
        bytemuck::cast_slice(&self.image[start..start + count * size_of::<T>()])
    }

    #[inline]
    fn column<T: Pod>(&self, column: Column, first: usize, count: usize) -> &[T] {
        self.slice(self.layout.column(column) + first * size_of::<T>(), count)
    }

    pub(crate) fn codes(&self, first: usize, count: usize) -> &[u8] {
        let stride = self.layout.stride();
        self.slice(first * stride, count * stride)
    }

    pub(crate) fn units(&self, first: usize, count: usize) -> &[f32] {
        let stride = self.layout.stride();
        let start = self.layout.units() + first * stride * size_of::<f32>();
        self.slice(start, count * stride)
    }

    /// The 1-bit codes of a whole segment.
    pub(crate) fn bits(&self, segment: usize) -> BitCodesRef<'_> {
        let (rows, stride) = (SEGMENT_ROWS as usize, self.layout.stride());
        let length = BitCodes::bytes_for(rows, stride);
        let bytes = &self.image[self.layout.bits() + segment * length..][..length];
        BitCodesRef::from_bytes(bytes, rows, stride)
    }

    pub(crate) fn scales(&self, first: usize, count: usize) -> &[f32] {
        self.column(Column::Scale, first, count)
    }

    #[inline]
    pub(crate) fn lengths(&self, first: usize, count: usize) -> &[u32] {
        self.column(Column::Length, first, count)
    }

    #[inline]
    pub(crate) fn scope_slots(&self, first: usize, count: usize) -> &[u32] {
        self.column(Column::ScopeSlot, first, count)
    }

    pub(crate) fn valid_from(&self, first: usize, count: usize) -> &[i64] {
        self.column(Column::ValidFrom, first, count)
    }

    /// The ends of validity, of whichever sort, or [`NEVER`].
    pub(crate) fn ends(&self, first: usize, count: usize) -> &[i64] {
        self.column(Column::End, first, count)
    }

    pub(crate) fn expire_times(&self, first: usize, count: usize) -> &[i64] {
        self.column(Column::ExpireTime, first, count)
    }

    #[inline]
    pub(crate) fn recency_times(&self, first: usize, count: usize) -> &[i64] {
        self.column(Column::RecencyTime, first, count)
    }

    fn flags(&self) -> &[u8] {
        self.slice(self.layout.flags(), self.rows())
    }

    pub(crate) fn has_vector(&self, row: usize) -> bool {
        self.image[self.layout.flags()..][row] & HAS_VECTOR != 0
    }

    /// Whether a later version ended the row before the base was made.
    pub(crate) fn is_closed(&self, row: usize) -> bool {
        self.image[self.layout.flags()..][row] & CLOSED != 0
    }

    /// The cold part of a row; an empty one if it is damaged.
    pub(crate) fn record(&self, row: usize) -> &RecordBytes {
        if let Some(checks) = self.image.checks()
            && !self.passes(checks, checks.units.of_record(row))
        {
            return RecordBytes::wrap_ref(&EMPTY_RECORD);
        }
        self.raw_record(row)
    }

    /// The first bytes of a row's record, unread.
    pub(crate) fn identity(&self, row: usize) -> &[u8] {
        let (start, end) = self.record_bytes(row);
        &self.image[start..end.min(start + size_of::<u128>())]
    }

    /// The header of a row's record and its first sections, unread.
    pub(crate) fn beginning(&self, row: usize) -> &[u8] {
        let (start, end) = self.record_bytes(row);
        &self.image[start..end.min(start + BEGINNING)]
    }

    fn raw_record(&self, row: usize) -> &RecordBytes {
        let (start, end) = self.record_bytes(row);
        RecordBytes::wrap_ref(&self.image[start..end])
    }

    /// Where the record of a row lies.
    #[inline]
    fn record_bytes(&self, row: usize) -> (usize, usize) {
        let ends: &[u64] = self.column(Column::RecordEnd, 0, self.rows());
        let start = row.checked_sub(1).map_or(0, |before| ends[before]);
        let first = self.layout.records();
        (first + start as usize, first + ends[row] as usize)
    }

    /// The rows of a memory, live or not, ascending.
    pub(crate) fn rows_of(&self, memory_id: u128) -> impl Iterator<Item = RowNumber> {
        let buckets = buckets_for(self.rows());
        let directory = Directory {
            ends: self.slice(self.layout.id_buckets(), buckets),
            tags: self.column(Column::IdTag, 0, self.rows()),
        };
        let rows: &[u32] = self.column(Column::IdRow, 0, self.rows());
        let places = directory.find(hash_of(&memory_id.to_le_bytes()));
        places
            .map(|place| rows[place])
            .filter(move |&row| self.record(row as usize).memory_id() == memory_id)
    }

    /// The deleted memories, by id, and the last version of each.
    pub(crate) fn tombstones(&self) -> impl Iterator<Item = (u128, u32)> {
        let (ids, versions) = self.tombstone_columns();
        ids.iter().copied().zip(versions.iter().copied())
    }

    /// The last version of a deleted memory.
    pub(crate) fn last_deleted(&self, memory_id: u128) -> Option<u32> {
        let (ids, versions) = self.tombstone_columns();
        let place = ids.binary_search(&memory_id).ok()?;
        Some(versions[place])
    }

    fn tombstone_columns(&self) -> (&[u128], &[u32]) {
        let count = self.layout.tombstones();
        (
            self.slice(self.layout.tombstone_ids(), count),
            self.slice(self.layout.last_versions(), count),
        )
    }

    fn packed_scopes(&self) -> PackedScopes<'_> {
        PackedScopes::new(self.slice(self.layout.scopes(), self.layout.scope_bytes()))
    }

    /// The distinct scopes, in the order of their slots.
    pub(crate) fn scopes(&self) -> &Scopes {
        self.late_or_new().scopes(|| {
            let scopes = Scopes::new();
            let unpacked = self.unpacked_scopes().zip(0..);
            unpacked.for_each(|(scope, slot)| scopes.push(slot, scope));
            scopes
        })
    }

    /// The same, one after another.
    pub(crate) fn unpacked_scopes(&self) -> impl Iterator<Item = Arc<ScopeIds>> {
        self.packed_scopes().map(|packed| Arc::new(packed.unpack()))
    }

    /// The scope of a slot.
    pub(crate) fn scope(&self, slot: u32) -> Arc<ScopeIds> {
        if self.layout.scope_bytes() > FEW_SCOPES {
            let known = self.scopes().get(slot);
            return known.map(Arc::clone).unwrap_or_default();
        }
        let packed = self.packed_scopes().nth(slot as usize);
        packed
            .map(|packed| Arc::new(packed.unpack()))
            .unwrap_or_default()
    }

    /// The slots that the ids asked for select.
    pub(crate) fn select(&self, asked: &ScopeIds, scope_match: ScopeMatch) -> Slots {
        if self.layout.scope_bytes() > FEW_SCOPES {
            return self.scopes().select(asked, scope_match);
        }
        let each = self
            .packed_scopes()
            .map(|packed| packed.is_selected(asked, scope_match));
        Slots::of(each)
    }

    /// How many keys a lexicon has.
    pub(crate) fn keys(&self, lexicon: Lexicon) -> usize {
        self.layout.lexicon(lexicon).keys()
    }

    /// The place of a key.
    pub(crate) fn find(&self, lexicon: Lexicon, key: &str) -> Option<usize> {
        let layout = self.layout.lexicon(lexicon);
        let directory = Directory {
            ends: self.slice(layout.buckets(), buckets_for(layout.keys())),
            tags: self.slice(layout.tags(), layout.keys()),
        };
        directory
            .find(hash_of(key.as_bytes()))
            .find(|&place| self.text(&layout, place) == key.as_bytes())
    }

    /// The text of the key at a place.
    pub(crate) fn key(&self, lexicon: Lexicon, place: usize) -> &[u8] {
        self.text(&self.layout.lexicon(lexicon), place)
    }

    fn text(&self, layout: &LexiconLayout, place: usize) -> &[u8] {
        let ends: &[u32] = self.slice(layout.text_ends(), layout.keys());
        let start = place.checked_sub(1).map_or(0, |before| ends[before]) as usize;
        &self.image[layout.texts..][start..ends[place] as usize]
    }

    /// The postings of the key at a place, ascending by row; none if they are damaged.
    pub(crate) fn postings(&self, lexicon: Lexicon, place: usize) -> &[Posting] {
        let layout = self.layout.lexicon(lexicon);
        let ends: &[u32] = self.slice(layout.posting_ends(), layout.keys());
        let start = place
            .checked_sub(1)
            .map_or(0, |before| ends[before] & !HAS_LONG) as usize;
        let count = (ends[place] & !HAS_LONG) as usize - start;
        let first = layout.postings + start * size_of::<Posting>();
        if let Some(checks) = self.image.checks() {
            let end = first + count * size_of::<Posting>();
            let mut units = checks.units.of_postings(first, end);
            if !units.all(|unit| self.passes(checks, unit)) {
                return &[];
            }
        }
        self.slice(first, count)
    }

    /// Bounds of the postings of the key at a place.
    pub(crate) fn extent(&self, lexicon: Lexicon, place: usize) -> Extent {
        let layout = self.layout.lexicon(lexicon);
        let ends: &[u32] = self.slice(layout.posting_ends(), layout.keys());
        let bounds: &[u32] = self.slice(layout.extents(), layout.keys());
        Extent {
            largest_frequency: bounds[place] as u16,
            smallest_length: (bounds[place] >> 16) as u16,
            has_long: ends[place] & HAS_LONG != 0,
        }
    }

    /// Where the count of current rows of the key at a place is kept.
    pub(crate) fn counted(&self, lexicon: Lexicon, place: usize) -> &AtomicU64 {
        &self.late_or_new().counted(self, lexicon)[place]
    }

    /// What its columns say of all rows, and which of them have no end, as a bitmap.
    pub(crate) fn counts(&self) -> (Counts, Vec<u64>) {
        let rows = self.rows();
        let (mut counts, mut current) = (Counts::default(), vec![0; rows.div_ceil(64)]);
        let (ends, flags) = (self.ends(0, rows), self.flags());
        let lengths = self.lengths(0, rows);
        counts.written = rows as u32;
        counts.live = rows as u32;
        let columns = ends.iter().zip(flags).zip(lengths).enumerate();
        for (row, ((&end, &flags), &length)) in columns {
            counts.vectors += u32::from(flags & HAS_VECTOR != 0);
            if end == NEVER {
                counts.current += 1;
                counts.total_length += u64::from(length);
                current[row / 64] |= 1 << (row % 64);
            } else if flags & CLOSED == 0 {
                counts.planned_end = end.max(counts.planned_end);
            }
        }
        let expiring = self.expire_times(0, rows).iter();
        counts.expiring = expiring.map(|&time| u32::from(time != NEVER)).sum();
        let scales = self.scales(0, rows).iter().copied();
        counts.largest_scale = scales.fold(0.0, f32::max);
        (counts, current)
    }
}

impl fmt::Debug for Base {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Base")
            .field("sizes", &self.layout.sizes())
            .finish_non_exhaustive()
    }
}
