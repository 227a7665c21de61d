//! The one who writes a partition: rows go beyond the published limit, marks carry the sequence of the batch, and a new
//! view makes all of it visible at once.

use std::collections::{BTreeSet, HashMap};
use std::mem::take;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::bitmap::Bitmap;
use super::conversations::Conversations;
use super::dictionary::{Dictionary, Posting};
use super::graph::GraphSlot;
use super::memory::{Close, MESSAGE_KIND, Row, ScopeIds};
use super::record::Record;
use super::scopes::Scopes;
use super::scratch::Scratch;
use super::segment::{GrowingSegment, LAST_ROW, NEVER, NewRow, RowNumber, SEGMENT_ROWS, Segment};
use super::view::{BaseRef, Counts, Growing, Segments, Storage, View, has_row};
use crate::Error;
use crate::entity::{find_entities, normalize_name};
use crate::text::analyze;
use crate::vector::padded;

/// How many rows the first segment of a partition has room for at first, and a later one at most.
const FIRST_ROWS: usize = 2;
const GREATEST_FIRST_ROWS: usize = 256;

/// The writer's own state; a partition keeps it behind a lock that readers never take.
pub(crate) struct Writer {
    dimension: usize,
    storage: Arc<Storage>,
    segments: Segments,
    sequence: u32,
    limit: RowNumber,
    counts: Counts,
    live: Bitmap,
    current: Bitmap,
    slots: HashMap<Arc<ScopeIds>, u32, RandomState>,
    /// The rows after the base.
    rows: HashMap<u128, Vec<RowNumber>, RandomState>,
    /// The last version of each memory that was deleted since the base was made: a row that comes late must not bring it
    /// back.
    deleted: HashMap<u128, u32, RandomState>,
    scratch: Scratch,
}

impl Writer {
    /// Of an empty partition.
    pub(crate) fn new(dimension: usize) -> Self {
        let storage = Storage {
            terms: Dictionary::default(),
            entities: Dictionary::default(),
            scopes: Scopes::new(),
            conversations: Conversations::default(),
            graph: GraphSlot::default(),
        };
        Self {
            dimension,
            storage: Arc::new(storage),
            segments: Segments::default(),
            sequence: 0,
            limit: 0,
            counts: Counts::default(),
            live: Bitmap::default(),
            current: Bitmap::default(),
            slots: HashMap::default(),
            rows: HashMap::default(),
            deleted: HashMap::default(),
            scratch: Scratch::default(),
        }
    }

    /// Of a partition that has the rows of a base and no others.
    pub(crate) fn over(dimension: usize, base: &BaseRef) -> Self {
        let mut writer = Self::new(dimension);
        let view = base.view();
        writer.segments.base = Some(base.clone());
        writer.sequence = view.sequence;
        writer.limit = view.limit;
        writer.counts = view.counts;
        writer.live = Bitmap::new(view.live.to_vec());
        writer.current = Bitmap::new(view.current.to_vec());
        for scope in base.unpacked_scopes() {
            writer.intern(scope);
        }
        writer
    }

    /// The rows with which it began.
    pub(crate) fn base(&self) -> Option<&BaseRef> {
        self.segments.base.as_ref()
    }

    /// Whether it has anything that the base has not.
    pub(crate) fn has_written(&self) -> bool {
        let rows = self.base().map_or(0, |base| base.rows());
        self.counts.written as usize > rows
            || self.counts.live as usize != rows
            || !self.deleted.is_empty()
            || self.segments.has_marks()
    }

    /// Begins a batch of this number.
    pub(crate) fn begin(&mut self, sequence: u32) {
        self.sequence = sequence;
    }

    /// The memories that were deleted since the base was made, with their last versions.
    pub(crate) fn deleted(&self) -> Vec<(u128, u32)> {
        self.deleted
            .iter()
            .map(|(&id, &version)| (id, version))
            .collect()
    }

    /// The last version of every deleted memory.
    pub(crate) fn tombstones(&self) -> Vec<(u128, u32)> {
        let sealed = self.base().into_iter();
        let sealed = sealed.flat_map(|base| base.tombstones());
        let mut tombstones: HashMap<u128, u32> = sealed.collect();
        tombstones.extend(&self.deleted);
        tombstones.into_iter().collect()
    }

    /// The state to publish.
    pub(crate) fn view(&mut self) -> View {
        let growing = Growing {
            storage: Arc::clone(&self.storage),
            segments: self.segments.clone(),
        };
        let bitmaps = [self.live.publish(), self.current.publish()];
        View::growing(growing, self.sequence, self.limit, self.counts, bitmaps)
    }

    /// Adds rows, then ends versions. Nothing is visible before the next [`Writer::view`] is published.
    ///
    /// A deletion spares a row of the same batch with a later version: the memory was restored after it.
    ///
    /// # Errors
    ///
    /// A vector cannot be taken, or the partition is full; nothing has changed then.
    pub(crate) fn write<B: AsRef<[u8]>>(
        &mut self,
        rows: &[Row<B>],
        closes: &[Close],
    ) -> Result<(), Error> {
        self.check(rows)?;
        self.sequence += 1;
        let batch = self.limit;
        for (place, row) in rows.iter().enumerate() {
            self.add(row, place, rows.len() - place)?;
        }
        for close in closes {
            match close.valid_to_micros {
                Some(valid_to) => self.supersede(close.memory_id, close.version, valid_to),
                None => self.delete(close.memory_id, close.version, batch),
            }
        }
        Ok(())
    }

    /// Looks at everything that could be refused before anything is written.
    fn check<B: AsRef<[u8]>>(&mut self, rows: &[Row<B>]) -> Result<(), Error> {
        // A segment may begin anew, which can skip numbers.
        if (LAST_ROW - self.limit) as usize <= rows.len() || self.sequence == u32::MAX {
            return Err(Error::Internal(
                "a partition holds at most about 4.29 billion rows and batches".to_owned(),
            ));
        }
        self.scratch.unit_of = None;
        for (index, row) in rows.iter().enumerate() {
            if let Some(vector) = &row.vector {
                let field = || format!("rows[{index}].vector");
                self.scratch
                    .read_vector(index, vector.as_ref(), self.dimension)
                    .map_err(|source| Error::vector(field(), source))?;
            }
        }
        Ok(())
    }

    /// Adds a row of the batch; `coming` are to come with it, itself included.
    fn add<B: AsRef<[u8]>>(
        &mut self,
        row: &Row<B>,
        index: usize,
        coming: usize,
    ) -> Result<(), Error> {
        let memory = &row.memory;
        let last_deleted = self.last_deleted(memory.memory_id);
        if last_deleted.is_some_and(|last| memory.version <= last) {
            return Ok(());
        }
        let mut planned_end = memory.valid_to_micros.unwrap_or(NEVER);
        if let Some(replaced) = self.find(memory.memory_id, memory.version) {
            if planned_end == NEVER {
                // A version that has ended stays so when its vector comes late.
                planned_end = self.end_of(replaced);
            }
            self.remove(replaced);
        }
        if let Some(vector) = &row.vector {
            self.scratch
                .read_vector(index, vector.as_ref(), self.dimension)
                .map_err(|source| Error::vector("vector", source))?;
        }
        let scope_slot = self.intern_copy(&memory.scope);
        let scale = self.scratch.quantize(row.vector.is_some(), self.dimension);
        let length = self.count_terms(&memory.indexed_text());
        let (unit, codes) = (take(&mut self.scratch.unit), take(&mut self.scratch.codes));
        let new = NewRow {
            codes: &codes,
            scale,
            unit: &unit,
            has_vector: row.vector.is_some(),
            length,
            scope_slot,
            valid_from: memory.valid_from_micros,
            planned_end,
            expire_time: memory.expire_time_micros.unwrap_or(NEVER),
            recency_time: memory.recency_time_micros(),
            record: Record::new(memory),
        };
        let number = self.push(new, coming);
        (self.scratch.unit, self.scratch.codes) = (unit, codes);
        let given = memory.entities.iter().map(String::as_str);
        self.index(number, length, &names_of(&memory.body, &memory.name, given));
        Ok(())
    }

    /// Adds the row of another partition's view, with the end that it has there.
    pub(crate) fn adopt(&mut self, view: &Arc<View>, row: RowNumber) -> RowNumber {
        let (segment, place) = view.locate(row);
        let stride = padded(self.dimension);
        let record = view.kept_record(row);
        let names = names_of(record.body(), record.name(), record.entities().into_iter());
        let length = self.count_terms(&record.indexed_text());
        let scope_slot = self.intern(view.scope(view.slot(row)));
        let number = self.push(
            NewRow {
                codes: &segment.codes()[place * stride..][..stride],
                scale: segment.scales()[place],
                unit: &segment.units()[place * stride..][..stride],
                has_vector: segment.has_vector(place),
                length,
                scope_slot,
                valid_from: segment.valid_from()[place],
                planned_end: segment.planned_end(place),
                expire_time: segment.expire_times()[place],
                recency_time: segment.recency_times()[place],
                record,
            },
            1,
        );
        self.index(number, length, &names);
        if let Some(valid_to) = segment.closed_at(place, view.sequence) {
            self.close(number, valid_to);
        }
        number
    }

    /// Counts the terms of a text in the scratch and returns how many there are, repeats included.
    fn count_terms(&mut self, text: &str) -> u32 {
        let terms = &mut self.scratch.terms;
        terms.clear();
        analyze(text, &mut |term: &str, _| terms.push(term));
        terms.len()
    }

    /// Adds a row to the lists of the scratch's terms and of its names.
    fn index(&mut self, number: RowNumber, length: u32, names: &BTreeSet<String>) {
        for (term, frequency) in self.scratch.terms.counted() {
            let posting = Posting::new(number, frequency, length);
            self.storage.terms.push(term, posting);
        }
        for name in names {
            let posting = Posting::new(number, 1, length);
            self.storage.entities.push(name, posting);
        }
    }

    /// Puts a row into the last segment, or a new one.
    fn push(&mut self, row: NewRow<'_>, coming: usize) -> RowNumber {
        let (memory_id, scale) = (row.record.memory_id(), row.scale);
        let (planned_end, slot) = (row.planned_end, row.scope_slot);
        self.make_room(coming);
        let last = self.segments.growing.last();
        let segment = last.expect("there is room in it");
        let number = segment.push(row);
        self.limit = number + 1;
        self.counts.written += 1;
        self.counts.largest_scale = self.counts.largest_scale.max(scale);
        if planned_end != NEVER {
            self.counts.planned_end = self.counts.planned_end.max(planned_end);
        }
        self.rows.entry(memory_id).or_default().push(number);
        let (segment, place) = self.locate(number);
        let record = segment.record(place);
        if record.kind() == MESSAGE_KIND {
            let base = self.base().map(|base| &**base);
            self.storage.conversations.push(base, slot, record, number);
        }
        self.count(number, Counting::In);
        number
    }

    /// Sees to it that the last segment takes another row, and better all that are coming.
    fn make_room(&mut self, coming: usize) {
        let growing = &self.segments.growing;
        let last = growing.last();
        if last.is_some_and(|segment| segment.has_room()) {
            return;
        }
        let (kept, next) = if let Some(grown) = last.and_then(|segment| segment.grown(coming)) {
            (&growing[..growing.len() - 1], grown)
        } else {
            // An eighth of what is there, so that neither small nor large partitions have much room to spare.
            let rows = (self.counts.written as usize / 8).next_power_of_two();
            let rows = rows.clamp(FIRST_ROWS, GREATEST_FIRST_ROWS).max(coming);
            let (index, rows) = (self.segments.len(), rows.min(SEGMENT_ROWS as usize));
            let fresh = GrowingSegment::new(index, self.dimension, rows);
            (&growing[..], fresh)
        };
        let segments = kept.iter().cloned().chain([Arc::new(next)]).collect();
        self.segments.growing = segments;
    }

    fn intern_copy(&mut self, scope: &ScopeIds) -> u32 {
        match self.slots.get(scope) {
            Some(&slot) => slot,
            None => self.intern(Arc::new(scope.clone())),
        }
    }

    fn intern(&mut self, scope: Arc<ScopeIds>) -> u32 {
        if let Some(&slot) = self.slots.get(&scope) {
            return slot;
        }
        let slot = self.slots.len() as u32;
        self.storage.scopes.push(slot, Arc::clone(&scope));
        self.slots.insert(scope, slot);
        slot
    }

    /// Ends a version, unless a close has ended it before.
    fn supersede(&mut self, memory_id: u128, version: u32, valid_to: i64) {
        if let Some(row) = self.find(memory_id, version) {
            self.close(row, valid_to);
        }
    }

    /// Ends a live row, unless a close has ended it before.
    pub(crate) fn close(&mut self, row: RowNumber, valid_to: i64) {
        let (segment, place) = self.locate(row);
        if segment.closed_at(place, self.sequence).is_none() {
            self.count(row, Counting::Out);
            let (segment, place) = self.locate(row);
            segment.close(place, valid_to, self.sequence);
            self.count(row, Counting::In);
        }
    }

    /// Takes out all versions that were there before the batch, and those of the batch up to `version`.
    fn delete(&mut self, memory_id: u128, version: u32, batch: RowNumber) {
        let mut last = version;
        for row in self.live_rows_of(memory_id) {
            let row_version = self.version_of(row);
            if row < batch || row_version <= version {
                last = last.max(row_version);
                self.remove(row);
            }
        }
        self.bury(memory_id, last);
    }

    /// Remembers the last version of a deleted memory.
    pub(crate) fn bury(&mut self, memory_id: u128, version: u32) {
        let known = self.last_deleted(memory_id).unwrap_or_default();
        self.deleted.insert(memory_id, version.max(known));
    }

    fn last_deleted(&self, memory_id: u128) -> Option<u32> {
        let sealed = || self.base()?.last_deleted(memory_id);
        self.deleted.get(&memory_id).copied().or_else(sealed)
    }

    /// Takes a live row out for readers of this batch and later ones.
    pub(crate) fn remove(&mut self, row: RowNumber) {
        self.count(row, Counting::Out);
        let (segment, place) = self.locate(row);
        let memory_id = segment.record(place).memory_id();
        if let Some(rows) = self.rows.get_mut(&memory_id) {
            rows.retain(|&other| other != row);
            if rows.is_empty() {
                self.rows.remove(&memory_id);
            }
        }
    }

    /// Adds a live row to the bitmaps and counts, or takes it out of them.
    fn count(&mut self, row: RowNumber, counting: Counting) {
        let (segment, place) = self.locate(row);
        let is_current = segment.end_at(place, self.sequence) == NEVER;
        let expires = segment.expire_times()[place] != NEVER;
        let has_vector = segment.has_vector(place);
        let length = u64::from(segment.lengths()[place]);
        let step = |count: &mut u32, applies: bool| match counting {
            Counting::In => *count += u32::from(applies),
            Counting::Out => *count -= u32::from(applies),
        };
        let is_in = matches!(counting, Counting::In);
        self.live.set(row, is_in);
        self.current.set(row, is_in && is_current);
        step(&mut self.counts.live, true);
        step(&mut self.counts.current, is_current);
        step(&mut self.counts.expiring, expires);
        step(&mut self.counts.vectors, has_vector);
        if is_current {
            match counting {
                Counting::In => self.counts.total_length += length,
                Counting::Out => self.counts.total_length -= length,
            }
        }
    }

    /// The live row of a version.
    fn find(&self, memory_id: u128, version: u32) -> Option<RowNumber> {
        let mut rows = self.live_rows_of(memory_id).into_iter();
        rows.find(|&row| self.version_of(row) == version)
    }

    /// The live rows of a memory.
    pub(super) fn live_rows_of(&self, memory_id: u128) -> Vec<RowNumber> {
        let sealed = self.base().into_iter();
        let sealed = sealed.flat_map(|base| base.rows_of(memory_id));
        let growing = self.rows.get(&memory_id).into_iter().flatten().copied();
        let is_live = |&row: &RowNumber| has_row(self.live.words(), row);
        sealed.filter(is_live).chain(growing).collect()
    }

    fn version_of(&self, row: RowNumber) -> u32 {
        let (segment, place) = self.locate(row);
        segment.record(place).version()
    }

    fn end_of(&self, row: RowNumber) -> i64 {
        let (segment, place) = self.locate(row);
        segment.end_at(place, self.sequence)
    }

    fn locate(&self, row: RowNumber) -> (Segment<'_>, usize) {
        self.segments.locate(row)
    }
}

#[derive(Clone, Copy)]
enum Counting {
    In,
    Out,
}

/// The normalised names under which a memory is found: those that the caller gave, those of its text, its speaker's.
fn names_of<'a>(
    body: &'a str,
    speaker: &'a str,
    given: impl Iterator<Item = &'a str>,
) -> BTreeSet<String> {
    let names = given.chain([speaker]).chain(find_entities(body));
    names.filter_map(normalize_name).collect()
}
