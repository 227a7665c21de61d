//! The cold part of a row: everything that only a hit or a filter asks for, in one allocation.
//!
//! A header of fixed width, then nine sections, each with its length in front so that a reader skips what it does not
//! want. The scope and the end of validity are not in it: the first is shared by many rows, the second changes.

use std::ops::Deref;
use std::sync::Arc;

use bytemuck::TransparentWrapper;

use super::memory::{Memory, MetadataValue, indexed_text};
use super::view::BaseRef;
use crate::text::ends_in_question;
use crate::time::names_a_time;

/// The number of the role of a person who speaks; 0 if the writer did not say.
const USER: u8 = 1;

pub(super) const SECTION_METADATA: usize = 0;
pub(super) const SECTION_CATEGORIES: usize = 1;
pub(super) const SECTION_ENTITIES: usize = 2;
const SECTION_NAME: usize = 3;
const SECTION_SLOT: usize = 4;
const SECTION_SLOT_VALUE: usize = 5;
pub(super) const SECTION_SOURCE_IDS: usize = 6;
const SECTION_SUPERSEDED_BY: usize = 7;
const SECTION_BODY: usize = 8;
pub(super) const SECTIONS: usize = 9;

pub(super) const HEADER_BYTES: usize = 98;
/// The header and the sections up to the name, if these are short.
pub(super) const BEGINNING: usize = 160;

/// The least that is a record: all zeros and nine sections without content.
pub(crate) const EMPTY_RECORD: [u8; HEADER_BYTES + SECTIONS] = [0; HEADER_BYTES + SECTIONS];

const HAS_EVENT_TIME: u8 = 1;
const HAS_EVENT_TIME_END: u8 = 2;
const HAS_EXPIRE_TIME: u8 = 4;
const HAS_SUPERSEDED_BY: u8 = 8;
const PINNED: u8 = 16;
const NAMES_A_TIME: u8 = 32;
const ENDS_IN_QUESTION: u8 = 64;

pub(super) const TAG_TEXT: u8 = 0;
pub(super) const TAG_INTEGER: u8 = 1;
pub(super) const TAG_FLOAT: u8 = 2;
const TAG_FALSE: u8 = 3;
const TAG_TRUE: u8 = 4;
pub(super) const TAG_TEXTS: u8 = 5;

/// One version of a memory as it was written, packed.
#[derive(Debug, TransparentWrapper)]
#[repr(transparent)]
pub struct RecordBytes([u8]);

/// A record that may be kept: it holds on to the memory that it lies in. Cloning it copies a pointer.
#[derive(Clone, Debug)]
pub struct Record(Place);

#[derive(Clone, Debug)]
enum Place {
    Own(Arc<[u8]>),
    Sealed { base: BaseRef, row: usize },
}

/// A metadata value inside a record.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "the variants are those of MetadataValue")]
pub enum ValueRef<'a> {
    Text(&'a str),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Texts(Texts<'a>),
}

/// A list of texts inside a record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Texts<'a>(Reader<'a>);

impl Texts<'_> {
    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0.0.is_empty()
    }
}

impl Record {
    /// Packs a memory.
    #[must_use]
    pub fn new(memory: &Memory) -> Self {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + memory.body.len() + 64);
        write_header(&mut bytes, memory);
        write_section(&mut bytes, |section| {
            for (key, value) in &memory.metadata {
                write_text(section, key);
                write_value(section, value);
            }
        });
        write_section(&mut bytes, |section| {
            write_texts(section, &memory.categories);
        });
        write_section(&mut bytes, |section| write_texts(section, &memory.entities));
        for text in [&memory.name, &memory.slot, &memory.slot_value] {
            write_text(&mut bytes, text);
        }
        write_section(&mut bytes, |section| {
            write_texts(section, &memory.source_ids);
        });
        let superseded_by = memory.superseded_by.as_deref().unwrap_or_default();
        for text in [superseded_by, &memory.body] {
            write_text(&mut bytes, text);
        }
        Self(Place::Own(bytes.into()))
    }

    /// That of a row of a base.
    pub(crate) fn sealed(base: BaseRef, row: usize) -> Self {
        Self(Place::Sealed { base, row })
    }

    /// How many bytes it takes beyond its own size; those of a base are counted there.
    pub(crate) fn bytes(&self) -> usize {
        match &self.0 {
            Place::Own(bytes) => bytes.len() + 2 * size_of::<usize>(),
            Place::Sealed { .. } => 0,
        }
    }
}

impl Deref for Record {
    type Target = RecordBytes;

    fn deref(&self) -> &RecordBytes {
        match &self.0 {
            Place::Own(bytes) => RecordBytes::wrap_ref(bytes),
            Place::Sealed { base, row } => base.record(*row),
        }
    }
}

impl RecordBytes {
    /// As they lie in a segment.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text that is indexed and embedded, as [`Memory::indexed_text`].
    pub(crate) fn indexed_text(&self) -> String {
        indexed_text(self.name(), self.body())
    }

    /// Where [`Record::memory_id`] is, for a prefetch.
    pub(crate) fn identity(&self) -> &[u8] {
        &self.0[..size_of::<u128>()]
    }

    /// Where the header and the first sections are, for a prefetch.
    pub(crate) fn beginning(&self) -> &[u8] {
        &self.0[..self.0.len().min(BEGINNING)]
    }

    /// The UUID as a number.
    pub fn memory_id(&self) -> u128 {
        u128::from_le_bytes(self.array(0))
    }

    /// 1 when added, one more with each change.
    pub fn version(&self) -> u32 {
        u32::from_le_bytes(self.array(16))
    }

    /// The number of its kind.
    pub fn kind(&self) -> u8 {
        self.0[20]
    }

    /// The number of the speaker's role.
    pub fn role(&self) -> u8 {
        self.0[21]
    }

    /// How exactly the event time is known.
    pub fn event_time_precision(&self) -> u8 {
        self.0[22]
    }

    /// How far it may be trusted.
    pub fn trust(&self) -> u8 {
        self.0[23]
    }

    /// Exempt from retention.
    pub fn pinned(&self) -> bool {
        self.has(PINNED)
    }

    /// Whether its text names a time, be it one that counts from the event time.
    pub fn names_a_time(&self) -> bool {
        self.has(NAMES_A_TIME)
    }

    /// Whether the last sentence of its text is a question.
    pub fn ends_in_question(&self) -> bool {
        self.has(ENDS_IN_QUESTION)
    }

    /// Whether a person whose name is known speaks.
    pub(crate) fn is_of_a_person(&self) -> bool {
        self.role() <= USER && !self.name().is_empty()
    }

    /// Whether such a person asks something.
    pub(crate) fn asks(&self) -> bool {
        self.ends_in_question() && self.is_of_a_person()
    }

    /// The store's revision that wrote it.
    pub fn revision(&self) -> i64 {
        self.integer(26)
    }

    /// When it was first heard.
    pub fn create_time_micros(&self) -> i64 {
        self.integer(34)
    }

    /// When this version was written.
    pub fn update_time_micros(&self) -> i64 {
        self.integer(42)
    }

    /// From when it holds.
    pub fn valid_from_micros(&self) -> i64 {
        self.integer(50)
    }

    /// When it happened.
    pub fn event_time_micros(&self) -> Option<i64> {
        self.has(HAS_EVENT_TIME).then(|| self.integer(58))
    }

    /// End of the range, exclusive.
    pub fn event_time_end_micros(&self) -> Option<i64> {
        self.has(HAS_EVENT_TIME_END).then(|| self.integer(66))
    }

    /// After this it is no longer found.
    pub fn expire_time_micros(&self) -> Option<i64> {
        self.has(HAS_EXPIRE_TIME).then(|| self.integer(74))
    }

    /// 0 to 1.
    pub fn confidence(&self) -> f64 {
        f64::from_le_bytes(self.array(82))
    }

    /// 0 to 1.
    pub fn importance(&self) -> f64 {
        f64::from_le_bytes(self.array(90))
    }

    /// The caller's own fields, in their order.
    pub fn metadata(&self) -> impl Iterator<Item = (&str, ValueRef<'_>)> {
        let mut reader = Reader(self.section(SECTION_METADATA));
        std::iter::from_fn(move || (!reader.0.is_empty()).then(|| (reader.text(), reader.value())))
    }

    /// Labels.
    pub fn categories(&self) -> Texts<'_> {
        Texts(Reader(self.section(SECTION_CATEGORIES)))
    }

    /// Names that the caller said it mentions.
    pub fn entities(&self) -> Texts<'_> {
        Texts(Reader(self.section(SECTION_ENTITIES)))
    }

    /// The speaker's name, or empty.
    pub fn name(&self) -> &str {
        text_of(self.section(SECTION_NAME))
    }

    /// What a fact is about, or empty.
    pub fn slot(&self) -> &str {
        text_of(self.section(SECTION_SLOT))
    }

    /// The slot's value, or empty.
    pub fn slot_value(&self) -> &str {
        text_of(self.section(SECTION_SLOT_VALUE))
    }

    /// Memories that it was drawn from.
    pub fn source_ids(&self) -> Texts<'_> {
        Texts(Reader(self.section(SECTION_SOURCE_IDS)))
    }

    /// The memory that superseded it.
    pub fn superseded_by(&self) -> Option<&str> {
        self.has(HAS_SUPERSEDED_BY)
            .then(|| text_of(self.section(SECTION_SUPERSEDED_BY)))
    }

    /// The text.
    pub fn body(&self) -> &str {
        text_of(self.section(SECTION_BODY))
    }

    fn section(&self, wanted: usize) -> &[u8] {
        let mut reader = Reader(&self.0[HEADER_BYTES..]);
        for _ in 0..wanted {
            reader.section();
        }
        reader.section()
    }

    fn has(&self, flag: u8) -> bool {
        self.0[24] & flag != 0
    }

    fn integer(&self, start: usize) -> i64 {
        i64::from_le_bytes(self.array(start))
    }

    fn array<const N: usize>(&self, start: usize) -> [u8; N] {
        *self.0[start..]
            .first_chunk()
            .expect("the header has its full width")
    }
}

impl<'a> IntoIterator for Texts<'a> {
    type Item = &'a str;
    type IntoIter = TextsIter<'a>;

    fn into_iter(self) -> TextsIter<'a> {
        TextsIter(self.0)
    }
}

/// The texts of a list, in order.
#[derive(Clone, Debug)]
pub struct TextsIter<'a>(Reader<'a>);

impl<'a> Iterator for TextsIter<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        (!self.0.0.is_empty()).then(|| self.0.text())
    }
}

/// Reads what the writers below wrote.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    fn chunk<const N: usize>(&mut self) -> [u8; N] {
        *self.take(N).first_chunk().expect("it took as many")
    }

    fn length(&mut self) -> usize {
        let mut length = 0;
        for shift in (0..).step_by(7) {
            let [byte] = self.chunk();
            length |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        length
    }

    fn section(&mut self) -> &'a [u8] {
        let length = self.length();
        self.take(length)
    }

    fn text(&mut self) -> &'a str {
        text_of(self.section())
    }

    fn value(&mut self) -> ValueRef<'a> {
        match self.chunk() {
            [TAG_TEXT] => ValueRef::Text(self.text()),
            [TAG_INTEGER] => ValueRef::Integer(i64::from_le_bytes(self.chunk())),
            [TAG_FLOAT] => ValueRef::Float(f64::from_le_bytes(self.chunk())),
            [TAG_TEXTS] => ValueRef::Texts(Texts(Reader(self.section()))),
            [tag] => ValueRef::Boolean(tag == TAG_TRUE),
        }
    }
}

fn text_of(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("it was written from a text")
}

fn write_header(bytes: &mut Vec<u8>, memory: &Memory) {
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    bytes.extend(memory.memory_id.to_le_bytes());
    bytes.extend(memory.version.to_le_bytes());
    bytes.extend([
        memory.kind,
        memory.role,
        memory.event_time_precision,
        memory.trust,
    ]);
    let flags = flag(memory.event_time_micros.is_some(), HAS_EVENT_TIME)
        | flag(memory.event_time_end_micros.is_some(), HAS_EVENT_TIME_END)
        | flag(memory.expire_time_micros.is_some(), HAS_EXPIRE_TIME)
        | flag(memory.superseded_by.is_some(), HAS_SUPERSEDED_BY)
        | flag(memory.pinned, PINNED)
        | flag(names_a_time(&memory.body), NAMES_A_TIME)
        | flag(ends_in_question(&memory.body), ENDS_IN_QUESTION);
    bytes.extend([flags, 0]);
    for integer in [
        memory.revision,
        memory.create_time_micros,
        memory.update_time_micros,
        memory.valid_from_micros,
        memory.event_time_micros.unwrap_or_default(),
        memory.event_time_end_micros.unwrap_or_default(),
        memory.expire_time_micros.unwrap_or_default(),
    ] {
        bytes.extend(integer.to_le_bytes());
    }
    bytes.extend(memory.confidence.to_le_bytes());
    bytes.extend(memory.importance.to_le_bytes());
    debug_assert_eq!(bytes.len(), HEADER_BYTES);
}

/// Base 128, low digits first: the form that protobuf has made known.
fn write_length(bytes: &mut Vec<u8>, length: usize) {
    let mut rest = length;
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

fn write_section(bytes: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let mut section = Vec::new();
    write(&mut section);
    write_length(bytes, section.len());
    bytes.append(&mut section);
}

/// Also a section that is one text.
fn write_text(bytes: &mut Vec<u8>, text: &str) {
    write_length(bytes, text.len());
    bytes.extend_from_slice(text.as_bytes());
}

fn write_texts(bytes: &mut Vec<u8>, texts: &[String]) {
    for text in texts {
        write_text(bytes, text);
    }
}

fn write_value(bytes: &mut Vec<u8>, value: &MetadataValue) {
    match value {
        MetadataValue::Text(text) => {
            bytes.push(TAG_TEXT);
            write_text(bytes, text);
        }
        MetadataValue::Integer(integer) => {
            bytes.push(TAG_INTEGER);
            bytes.extend(integer.to_le_bytes());
        }
        MetadataValue::Float(float) => {
            bytes.push(TAG_FLOAT);
            bytes.extend(float.to_le_bytes());
        }
        MetadataValue::Boolean(truth) => bytes.push(if *truth { TAG_TRUE } else { TAG_FALSE }),
        MetadataValue::Texts(texts) => {
            bytes.push(TAG_TEXTS);
            write_section(bytes, |section| write_texts(section, texts));
        }
    }
}
