//! What a reader sees of a partition: the state after one batch, for as long as it holds on to it.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::Error;

use super::base::Base;
use super::base::layout::Lexicon;
use super::bitmap::Words;
use super::conversations::Conversations;
use super::dictionary::{Dictionary, Vocabulary};
use super::graph::GraphSlot;
use super::memory::{ScopeIds, ScopeMatch};
use super::record::{Record, RecordBytes};
use super::scopes::{Scopes, Slots};
use super::segment::{GrowingSegment, NEVER, RowNumber, Segment, place_of};

/// The parts of a partition that grow in place. A load makes new ones.
pub(crate) struct Storage {
    /// Terms of the texts that came after the base.
    pub(super) terms: Dictionary,
    /// Normalised names.
    pub(super) entities: Dictionary,
    /// The distinct scopes, those of the base first; rows name them by place.
    pub(super) scopes: Scopes,
    /// The messages that came after the base.
    pub(super) conversations: Conversations,
    /// Links between rows that are near each other, if there is no base: a base has its own.
    pub(super) graph: GraphSlot,
}

/// How many rows of each sort a view has, and what a search wants to know of all of them at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    /// All that the segments hold.
    pub(crate) written: u32,
    /// Those of them that were not deleted or replaced.
    pub(crate) live: u32,
    /// Those of them that have no end.
    pub(crate) current: u32,
    /// Live rows that expire.
    pub(crate) expiring: u32,
    /// Live rows with a vector.
    pub(crate) vectors: u32,
    /// The largest scale of a written vector's codes.
    pub(crate) largest_scale: f32,
    /// Terms of the current rows, repeats counted.
    pub(crate) total_length: u64,
    /// The last end of validity with which a row came: from then on, only rows without an end hold.
    pub(crate) planned_end: i64,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            written: 0,
            live: 0,
            current: 0,
            expiring: 0,
            vectors: 0,
            largest_scale: 0.0,
            total_length: 0,
            planned_end: i64::MIN,
        }
    }
}

/// An immutable state of a partition; the writer publishes a new one after each batch.
///
/// Thousands of partitions are small and at rest, so a view of nothing but a base has it within itself: one block of
/// memory besides the image, and one place to look for both.
pub(crate) struct View {
    rows: Rows,
    /// The number of the batch that made it: marks of later batches do not hold yet.
    pub(crate) sequence: u32,
    /// Rows from here on are not there yet.
    pub(crate) limit: RowNumber,
    pub(crate) counts: Counts,
    /// The rows that are neither deleted nor replaced, as a bitmap over row numbers.
    pub(crate) live: Words,
    /// Those of them that have no end.
    pub(crate) current: Words,
}

enum Rows {
    AtRest(Base),
    Growing(Growing),
}

/// What a view shows that shows more, or less, than a base.
pub(super) struct Growing {
    pub(super) storage: Arc<Storage>,
    pub(super) segments: Segments,
}

/// A sequence of segments: those of a base, and those that came after it.
#[derive(Clone, Default)]
pub(super) struct Segments {
    pub(super) base: Option<BaseRef>,
    pub(super) growing: Arc<[Arc<GrowingSegment>]>,
}

/// Holds on to a base, by the view that shows nothing else.
#[derive(Clone)]
pub(crate) struct BaseRef(Arc<View>);

impl BaseRef {
    /// Of a new base, whose rows are those of a batch of this number.
    pub(super) fn new(base: Base, sequence: u32) -> Self {
        let (counts, current) = base.counts();
        Self(Arc::new(View {
            sequence,
            limit: base.rows() as u32,
            counts,
            live: first_rows(base.rows()).as_slice().into(),
            current: current.as_slice().into(),
            rows: Rows::AtRest(base),
        }))
    }

    /// The view that shows nothing else.
    pub(super) fn view(&self) -> &Arc<View> {
        &self.0
    }
}

impl Deref for BaseRef {
    type Target = Base;

    #[inline]
    fn deref(&self) -> &Base {
        match &self.0.rows {
            Rows::AtRest(base) => base,
            Rows::Growing(_) => unreachable!("it was made of a base"),
        }
    }
}

impl fmt::Debug for BaseRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}

impl Segments {
    /// How many there are of the base.
    fn sealed(&self) -> usize {
        self.base.as_ref().map_or(0, |base| base.segments())
    }

    pub(super) fn len(&self) -> usize {
        self.sealed() + self.growing.len()
    }

    fn get(&self, index: usize) -> Segment<'_> {
        let growing = match &self.base {
            Some(base) if index < base.segments() => return Segment::sealed(base, index),
            Some(base) => index - base.segments(),
            None => index,
        };
        self.growing[growing].as_segment()
    }

    /// The segment of a row and the row's place in it.
    pub(super) fn locate(&self, row: RowNumber) -> (Segment<'_>, usize) {
        let (segment, place) = place_of(row);
        (self.get(segment), place)
    }

    /// Whether a row was closed after it came.
    pub(super) fn has_marks(&self) -> bool {
        (0..self.len()).any(|index| self.get(index).has_marks())
    }
}

impl View {
    pub(super) fn growing(
        growing: Growing,
        sequence: u32,
        limit: RowNumber,
        counts: Counts,
        [live, current]: [Words; 2],
    ) -> Self {
        Self {
            rows: Rows::Growing(growing),
            sequence,
            limit,
            counts,
            live,
            current,
        }
    }

    /// Whether every row that was ever written is there and has no end.
    pub(crate) fn is_all_current(&self) -> bool {
        self.counts.written == self.counts.current
    }

    /// The rows of the first segments.
    #[inline]
    pub(crate) fn base(&self) -> Option<&Base> {
        match &self.rows {
            Rows::AtRest(base) => Some(base),
            Rows::Growing(growing) => growing.segments.base.as_deref(),
        }
    }

    /// The same, to keep.
    pub(super) fn base_ref(self: &Arc<Self>) -> Option<BaseRef> {
        match &self.rows {
            Rows::AtRest(_) => Some(BaseRef(Arc::clone(self))),
            Rows::Growing(growing) => growing.segments.base.clone(),
        }
    }

    /// Whether a view is of the same base, or neither has one: rows have the same numbers then.
    pub(super) fn is_over_base_of(&self, other: &Self) -> bool {
        self.base().map(std::ptr::from_ref) == other.base().map(std::ptr::from_ref)
    }

    /// Whether bytes of its base were found to be other than those that were written.
    pub(crate) fn check_damage(&self) -> Result<(), Error> {
        if self.base().is_some_and(Base::is_damaged) {
            return Err(damaged());
        }
        Ok(())
    }

    /// Whether its base is in a file that has not been read yet as a whole.
    pub(crate) fn is_cold(&self) -> bool {
        self.base().is_some_and(Base::is_cold)
    }

    /// [`Base::prefetch`] of a base at rest.
    pub(crate) fn prefetch(&self, vectors: bool) {
        if let Rows::AtRest(base) = &self.rows {
            base.prefetch(vectors);
        }
    }

    /// Reads what has not been checked yet of its base.
    pub(crate) fn verify(&self) -> Result<(), Error> {
        if self.base().is_some_and(|base| !base.verify()) {
            return Err(damaged());
        }
        Ok(())
    }

    /// The segment at a place in the sequence.
    #[inline]
    pub(crate) fn segment(&self, index: usize) -> Segment<'_> {
        match &self.rows {
            Rows::AtRest(base) => Segment::sealed(base, index),
            Rows::Growing(growing) => growing.segments.get(index),
        }
    }

    /// All segments, in the order of their rows.
    pub(crate) fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        let count = match &self.rows {
            Rows::AtRest(base) => base.segments(),
            Rows::Growing(growing) => growing.segments.len(),
        };
        (0..count).map(|index| self.segment(index))
    }

    /// Those that came after the base.
    pub(super) fn growing_segments(&self) -> &[Arc<GrowingSegment>] {
        match &self.rows {
            Rows::AtRest(_) => &[],
            Rows::Growing(growing) => &growing.segments.growing,
        }
    }

    /// The segment of a row and the row's place in it.
    #[inline]
    pub(crate) fn locate(&self, row: RowNumber) -> (Segment<'_>, usize) {
        let (segment, place) = place_of(row);
        (self.segment(segment), place)
    }

    /// The cold part of a row.
    pub(crate) fn record(&self, row: RowNumber) -> &RecordBytes {
        let (segment, place) = self.locate(row);
        segment.record(place)
    }

    /// The same, to keep.
    pub(crate) fn kept_record(self: &Arc<Self>, row: RowNumber) -> Record {
        let (index, place) = place_of(row);
        match self.base_ref() {
            Some(base) if index < base.segments() => Record::sealed(base, row as usize),
            base => {
                let sealed = base.map_or(0, |base| base.segments());
                self.growing_segments()[index - sealed].kept_record(place)
            }
        }
    }

    /// The end of a row's validity, if it has one.
    pub(crate) fn end(&self, row: RowNumber) -> Option<i64> {
        let (segment, place) = self.locate(row);
        let end = segment.end_at(place, self.sequence);
        (end != NEVER).then_some(end)
    }

    /// The slot of a row's scope.
    #[inline]
    pub(crate) fn slot(&self, row: RowNumber) -> u32 {
        let (segment, place) = self.locate(row);
        segment.scope_slots()[place]
    }

    /// The scope of a slot that a row names.
    pub(crate) fn scope(&self, slot: u32) -> Arc<ScopeIds> {
        match &self.rows {
            Rows::AtRest(base) => base.scope(slot),
            Rows::Growing(_) => {
                let scope = self.scopes().get(slot);
                Arc::clone(scope.expect("a scope is interned before a row names it"))
            }
        }
    }

    /// The distinct scopes; whoever needs one or selects some does without.
    pub(crate) fn scopes(&self) -> &Scopes {
        match &self.rows {
            Rows::AtRest(base) => base.scopes(),
            Rows::Growing(growing) => &growing.storage.scopes,
        }
    }

    /// The slots that the ids asked for select.
    pub(crate) fn select(&self, asked: &ScopeIds, scope_match: ScopeMatch) -> Slots {
        match &self.rows {
            Rows::AtRest(base) => base.select(asked, scope_match),
            Rows::Growing(growing) => growing.storage.scopes.select(asked, scope_match),
        }
    }

    /// The messages that came after the base, if some may have.
    pub(super) fn conversations(&self) -> Option<&Conversations> {
        match &self.rows {
            Rows::AtRest(_) => None,
            Rows::Growing(growing) => Some(&growing.storage.conversations),
        }
    }

    /// Whether the scope of a row has a session.
    #[inline]
    pub(crate) fn is_in_session(&self, row: RowNumber) -> bool {
        match self.base().filter(|base| (row as usize) < base.rows()) {
            Some(base) => base.is_in_session(row as usize),
            None => self.scope(self.slot(row)).session_id.is_some(),
        }
    }

    /// All terms, or all names.
    pub(crate) fn vocabulary(self: &Arc<Self>, lexicon: Lexicon) -> Vocabulary<'_> {
        let growing = match &self.rows {
            Rows::AtRest(_) => None,
            Rows::Growing(growing) => Some(match lexicon {
                Lexicon::Terms => &growing.storage.terms,
                Lexicon::Names => &growing.storage.entities,
            }),
        };
        Vocabulary::new(self.base_ref(), growing, lexicon)
    }

    /// Links between rows, if there is a place for them.
    pub(crate) fn graph(&self) -> Option<&GraphSlot> {
        match &self.rows {
            Rows::Growing(growing) if growing.segments.base.is_none() => {
                Some(&growing.storage.graph)
            }
            _ => Some(self.base()?.late()?.graph()),
        }
    }

    /// The place for them, made if there is none.
    pub(super) fn graph_or_new(&self) -> Option<&GraphSlot> {
        self.base()
            .map(|base| base.late_or_new().graph())
            .or_else(|| self.graph())
    }

    /// How many bytes were allocated.
    pub(super) fn bytes(&self) -> usize {
        const COUNTS: usize = 2 * size_of::<usize>();
        let own =
            COUNTS + size_of::<Self>() + bitmap_bytes(&self.live) + bitmap_bytes(&self.current);
        match &self.rows {
            Rows::AtRest(base) => own + base.bytes(),
            Rows::Growing(Growing { storage, segments }) => {
                let growing = segments.growing.iter().map(|segment| segment.bytes());
                let base = segments.base.as_ref().map_or(0, |base| base.view().bytes());
                own + base
                    + growing.sum::<usize>()
                    + COUNTS
                    + size_of::<Storage>()
                    + storage.terms.bytes()
                    + storage.entities.bytes()
                    + storage.scopes.bytes()
                    + storage.conversations.bytes()
            }
        }
    }
}

/// What a bitmap takes beyond its own size.
fn bitmap_bytes(words: &Words) -> usize {
    match words {
        Words::Few(_) => 0,
        Words::Many(words) => 2 * size_of::<usize>() + size_of_val(&**words),
    }
}

fn damaged() -> Error {
    Error::Snapshot("the file behind a partition is damaged".to_owned())
}

/// Whether a bitmap has a row.
#[inline]
pub(crate) fn has_row(words: &[u64], row: RowNumber) -> bool {
    words
        .get(row as usize / 64)
        .is_some_and(|word| word >> (row % 64) & 1 == 1)
}

/// The rows of a bitmap, ascending.
pub(crate) fn rows_of(words: &[u64]) -> impl Iterator<Item = RowNumber> {
    words.iter().enumerate().flat_map(|(index, &word)| {
        std::iter::successors((word != 0).then_some(word), |&word| {
            let rest = word & (word - 1);
            (rest != 0).then_some(rest)
        })
        .map(move |word| index as u32 * 64 + word.trailing_zeros())
    })
}

/// A bitmap with so many rows.
pub(crate) fn first_rows(count: usize) -> Vec<u64> {
    let mut words = vec![u64::MAX; count.div_ceil(64)];
    if let Some(last) = words.last_mut().filter(|_| !count.is_multiple_of(64)) {
        *last = (1 << (count % 64)) - 1;
    }
    words
}
