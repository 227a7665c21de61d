//! The one who writes a partition: rows go beyond the published limit, marks carry the sequence of the batch, and a new
//! view makes all of it visible at once.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::dictionary::{Dictionary, Posting};
use super::memory::{Close, Memory, Row, ScopeIds};
use super::record::Record;
use super::scopes::Scopes;
use super::segment::{LAST_ROW, NEVER, NewRow, RowNumber, Segment, place_of};
use super::view::{Counts, Extremes, Storage, View};
use crate::Error;
use crate::entity::{find_entities, normalize_name};
use crate::text::analyze;
use crate::vector::{VectorError, ZERO_CODE, decode_f32_le, normalize, padded, quantize};

/// The writer's own state; a partition keeps it behind a lock that readers never take.
pub(crate) struct Writer {
    dimension: usize,
    storage: Arc<Storage>,
    segments: Arc<[Arc<Segment>]>,
    sequence: u32,
    limit: RowNumber,
    counts: Counts,
    extremes: Extremes,
    live: Vec<u64>,
    current: Vec<u64>,
    slots: HashMap<Arc<ScopeIds>, u32>,
    rows: HashMap<u128, Vec<RowNumber>>,
    /// The last version of each deleted memory: a row that comes late must not bring it back.
    deleted: HashMap<u128, u32>,
    scratch: Scratch,
}

/// Buffers that live from row to row.
#[derive(Default)]
struct Scratch {
    unit: Vec<f32>,
    codes: Vec<u8>,
    frequencies: HashMap<String, u32>,
}

impl Writer {
    /// Of an empty partition.
    pub(crate) fn new(dimension: usize) -> Self {
        let storage = Storage {
            terms: Dictionary::default(),
            entities: Dictionary::default(),
            scopes: Scopes::new(),
        };
        Self {
            dimension,
            storage: Arc::new(storage),
            segments: Arc::new([]),
            sequence: 0,
            limit: 0,
            counts: Counts::default(),
            extremes: Extremes::default(),
            live: Vec::new(),
            current: Vec::new(),
            slots: HashMap::new(),
            rows: HashMap::new(),
            deleted: HashMap::new(),
            scratch: Scratch::default(),
        }
    }

    /// The state to publish.
    pub(crate) fn view(&self) -> View {
        View {
            storage: Arc::clone(&self.storage),
            segments: Arc::clone(&self.segments),
            sequence: self.sequence,
            limit: self.limit,
            counts: self.counts,
            extremes: self.extremes,
            live: self.live.as_slice().into(),
            current: self.current.as_slice().into(),
        }
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
        for row in rows {
            self.add(row)?;
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
        for (index, row) in rows.iter().enumerate() {
            if let Some(vector) = &row.vector {
                let field = || format!("rows[{index}].vector");
                self.read_vector(vector.as_ref())
                    .map_err(|source| Error::vector(field(), source))?;
            }
        }
        Ok(())
    }

    /// Leaves the unit vector in the scratch.
    fn read_vector(&mut self, bytes: &[u8]) -> Result<(), VectorError> {
        self.scratch.unit.resize(padded(self.dimension), 0.0);
        normalize(
            &decode_f32_le(bytes, self.dimension)?,
            &mut self.scratch.unit,
        )
    }

    fn add<B: AsRef<[u8]>>(&mut self, row: &Row<B>) -> Result<(), Error> {
        let memory = &row.memory;
        if self
            .deleted
            .get(&memory.memory_id)
            .is_some_and(|&last| memory.version <= last)
        {
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
            self.read_vector(vector.as_ref())
                .map_err(|source| Error::vector("vector", source))?;
        }
        let length = self.count_terms(memory);
        let number = self.push(memory, length, row.vector.is_some(), planned_end);
        for (term, &frequency) in &self.scratch.frequencies {
            let posting = Posting::new(number, frequency, length);
            self.storage.terms.push(term, posting);
        }
        for name in names_of(memory) {
            let posting = Posting::new(number, 1, length);
            self.storage.entities.push(&name, posting);
        }
        Ok(())
    }

    /// Counts the terms of the indexed text in the scratch and returns how many there are, repeats included.
    fn count_terms(&mut self, memory: &Memory) -> u32 {
        let frequencies = &mut self.scratch.frequencies;
        frequencies.clear();
        let mut length = 0;
        analyze(&memory.indexed_text(), &mut |term: &str, _| {
            length += 1;
            if let Some(frequency) = frequencies.get_mut(term) {
                *frequency += 1;
            } else {
                frequencies.insert(term.to_owned(), 1);
            }
        });
        length
    }

    /// Puts the row, with the scratch's vector if it has one, into the last segment.
    fn push(
        &mut self,
        memory: &Memory,
        length: u32,
        has_vector: bool,
        planned_end: i64,
    ) -> RowNumber {
        let scope_slot = self.intern(&memory.scope);
        let stride = padded(self.dimension);
        let Scratch { unit, codes, .. } = &mut self.scratch;
        unit.resize(stride, 0.0);
        codes.resize(stride, ZERO_CODE);
        if !has_vector {
            unit.fill(0.0);
        }
        let scale = quantize(&unit[..self.dimension], codes);
        let row = NewRow {
            codes,
            scale,
            unit,
            has_vector,
            length,
            scope_slot,
            valid_from: memory.valid_from_micros,
            planned_end,
            expire_time: memory.expire_time_micros.unwrap_or(NEVER),
            recency_time: memory.recency_time_micros(),
            record: Record::new(memory),
        };
        let last = self
            .segments
            .last()
            .filter(|segment| !segment.is_full())
            .cloned();
        let segment = last.unwrap_or_else(|| {
            let segment = Arc::new(Segment::new(self.segments.len(), self.dimension));
            self.segments = self
                .segments
                .iter()
                .cloned()
                .chain([Arc::clone(&segment)])
                .collect();
            segment
        });
        let number = segment.push(row);
        self.limit = number + 1;
        self.extremes.scale = self.extremes.scale.max(scale);
        if planned_end != NEVER {
            self.extremes.planned_end = self.extremes.planned_end.max(planned_end);
        }
        self.rows.entry(memory.memory_id).or_default().push(number);
        self.count(number, Counting::In);
        number
    }

    fn intern(&mut self, scope: &ScopeIds) -> u32 {
        if let Some(&slot) = self.slots.get(scope) {
            return slot;
        }
        let slot = self.slots.len() as u32;
        let scope = Arc::new(scope.clone());
        self.storage.scopes.push(slot, Arc::clone(&scope));
        self.slots.insert(scope, slot);
        slot
    }

    /// Ends a version, unless a close has ended it before.
    fn supersede(&mut self, memory_id: u128, version: u32, valid_to: i64) {
        let Some(row) = self.find(memory_id, version) else {
            return;
        };
        let (segment, place) = self.locate(row);
        if segment.closed_at(place, self.sequence).is_some() {
            return;
        }
        self.count(row, Counting::Out);
        segment.valid_to.as_slice()[place].store(valid_to, Ordering::Relaxed);
        segment.ended.as_slice()[place].store(self.sequence, Ordering::Release);
        self.count(row, Counting::In);
    }

    /// Takes out all versions that were there before the batch, and those of the batch up to `version`.
    fn delete(&mut self, memory_id: u128, version: u32, batch: RowNumber) {
        let mut last = version;
        for row in self.rows.get(&memory_id).cloned().unwrap_or_default() {
            let row_version = self.version_of(row);
            if row < batch || row_version <= version {
                last = last.max(row_version);
                self.remove(row);
            }
        }
        let known = self.deleted.entry(memory_id).or_default();
        *known = last.max(*known);
    }

    /// Takes a row out for readers of this batch and later ones.
    fn remove(&mut self, row: RowNumber) {
        self.count(row, Counting::Out);
        let (segment, place) = self.locate(row);
        let record = &segment.records.as_slice()[place];
        if let Some(rows) = self.rows.get_mut(&record.memory_id()) {
            rows.retain(|&other| other != row);
            if rows.is_empty() {
                self.rows.remove(&record.memory_id());
            }
        }
    }

    /// Adds a live row to the bitmaps and counts, or takes it out of them.
    fn count(&mut self, row: RowNumber, counting: Counting) {
        let (segment, place) = self.locate(row);
        let step = |count: &mut u32, applies: bool| match counting {
            Counting::In => *count += u32::from(applies),
            Counting::Out => *count -= u32::from(applies),
        };
        let is_current = segment.end_at(place, self.sequence) == NEVER;
        for (bitmap, applies) in [(&mut self.live, true), (&mut self.current, is_current)] {
            bitmap.resize(bitmap.len().max(row as usize / 64 + 1), 0);
            let word = &mut bitmap[row as usize / 64];
            let bit = u64::from(applies) << (row % 64);
            match counting {
                Counting::In => *word |= bit,
                Counting::Out => *word &= !bit,
            }
        }
        step(&mut self.counts.live, true);
        step(&mut self.counts.current, is_current);
        step(
            &mut self.counts.expiring,
            segment.expire_time.as_slice()[place] != NEVER,
        );
        step(
            &mut self.counts.vectors,
            segment.has_vector.as_slice()[place],
        );
        if is_current {
            let length = u64::from(segment.lengths.as_slice()[place]);
            match counting {
                Counting::In => self.counts.total_length += length,
                Counting::Out => self.counts.total_length -= length,
            }
        }
    }

    /// The live row of a version.
    fn find(&self, memory_id: u128, version: u32) -> Option<RowNumber> {
        self.rows
            .get(&memory_id)?
            .iter()
            .copied()
            .find(|&row| self.version_of(row) == version)
    }

    fn version_of(&self, row: RowNumber) -> u32 {
        let (segment, place) = self.locate(row);
        segment.records.as_slice()[place].version()
    }

    fn end_of(&self, row: RowNumber) -> i64 {
        let (segment, place) = self.locate(row);
        segment.end_at(place, self.sequence)
    }

    fn locate(&self, row: RowNumber) -> (Arc<Segment>, usize) {
        let (segment, place) = place_of(row);
        (Arc::clone(&self.segments[segment]), place)
    }
}

#[derive(Clone, Copy)]
enum Counting {
    In,
    Out,
}

/// The normalised names under which a memory is found: those that the caller gave, those of its text, its speaker's.
fn names_of(memory: &Memory) -> BTreeSet<String> {
    let found = find_entities(&memory.body);
    let given = memory
        .entities
        .iter()
        .map(String::as_str)
        .chain([memory.name.as_str()]);
    given.chain(found).filter_map(normalize_name).collect()
}
