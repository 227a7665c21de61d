//! What a search answers, on the wire.

use mnemic_retrieval::fusion::{Parts, SignalScore};
use mnemic_retrieval::index::ABSTAIN_BELOW;
use mnemic_retrieval::partition::ValueRef;
use mnemic_retrieval::{Hit, Record, ScopeIds, SearchOutcome};

use super::wire::Writer;

/// The optional parts of a hit, by name and bit.
pub(super) const HIT_PARTS: [(&str, u32); 7] = [
    ("scope", SCOPE),
    ("metadata", METADATA),
    ("categories", CATEGORIES),
    ("source_ids", SOURCE_IDS),
    ("entities", ENTITIES),
    ("slot", SLOT),
    ("validity", VALIDITY),
];
const SCOPE: u32 = 0;
const METADATA: u32 = 1;
const CATEGORIES: u32 = 2;
const SOURCE_IDS: u32 = 3;
const ENTITIES: u32 = 4;
const SLOT: u32 = 5;
const VALIDITY: u32 = 6;

/// Where the time of a search went, in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timings {
    pub(super) prepare: i64,
    pub(super) embed: i64,
    pub(super) search: i64,
    pub(super) total: i64,
}

/// `SearchMemoriesResponse`, but for its timings.
pub(super) fn write_response(out: &mut Writer, outcome: &SearchOutcome, parts: u32, revision: i64) {
    for hit in &outcome.hits {
        out.message(1, |out| write_hit(out, hit, parts));
    }
    out.integer(2, revision);
    out.integer(5, outcome.considered as i64);
    if let Some(confidence) = outcome.confidence {
        out.integer(4, i64::from(confidence < ABSTAIN_BELOW));
        out.set_float(8, confidence as f32);
    }
}

/// The timings of a `SearchMemoriesResponse`.
pub(super) fn write_timings(out: &mut Writer, timings: Timings) {
    out.message(3, |out| {
        out.integer(1, timings.prepare);
        out.integer(2, timings.embed);
        out.integer(4, timings.search);
        out.integer(6, timings.total);
    });
}

fn write_hit(out: &mut Writer, hit: &Hit, parts: u32) {
    let record = &hit.record;
    out.id(1, record.memory_id());
    out.text(2, record.body());
    out.float(3, hit.score as f32);
    out.integer(4, record.kind().into());
    out.integer(5, record.role().into());
    out.text(6, record.name());
    if let Some(time) = record.event_time_micros() {
        out.set_integer(7, time);
    }
    out.integer(8, record.create_time_micros());
    out.integer(9, record.version().into());
    if let Some(scores) = &hit.parts {
        write_score_parts(out, scores);
    }
    if parts != 0 {
        write_optional_parts(out, hit, parts);
    }
    for (field, messages) in [(20, &hit.before), (21, &hit.after)] {
        for message in messages {
            out.message(field, |out| write_context_message(out, message));
        }
    }
    if let Some(group) = hit.group {
        out.id(22, group);
    }
    for grouped in &hit.grouped {
        out.message(23, |out| write_hit(out, grouped, parts));
    }
}

/// `ContextMessage`.
fn write_context_message(out: &mut Writer, record: &Record) {
    out.id(1, record.memory_id());
    out.text(2, record.body());
    out.integer(3, record.role().into());
    out.text(4, record.name());
    if let Some(time) = record.event_time_micros() {
        out.set_integer(5, time);
    }
}

fn write_optional_parts(out: &mut Writer, hit: &Hit, parts: u32) {
    let record = &hit.record;
    let has = |part: u32| parts >> part & 1 == 1;
    if has(SCOPE) {
        out.message(11, |out| write_scope(out, &hit.scope));
    }
    if has(METADATA) {
        write_metadata(out, 12, record);
    }
    let lists = [
        (CATEGORIES, 13, record.categories()),
        (SOURCE_IDS, 14, record.source_ids()),
        (ENTITIES, 15, record.entities()),
    ];
    for (_, field, texts) in lists.into_iter().filter(|(part, ..)| has(*part)) {
        texts.into_iter().for_each(|text| out.set_text(field, text));
    }
    if has(SLOT) {
        out.text(16, record.slot());
        out.text(17, record.slot_value());
    }
    if has(VALIDITY) {
        out.set_integer(18, record.valid_from_micros());
        if let Some(valid_to) = hit.valid_to_micros {
            out.set_integer(19, valid_to);
        }
    }
}

/// `Scope`.
pub(super) fn write_scope(out: &mut Writer, scope: &ScopeIds) {
    let ids = [
        &scope.user_id,
        &scope.agent_id,
        &scope.session_id,
        &scope.app_id,
    ];
    for (field, id) in (1..).zip(ids) {
        if let Some(id) = id {
            out.set_text(field, id);
        }
    }
}

/// A map from keys to `MetadataValue`.
pub(super) fn write_metadata(out: &mut Writer, field: u32, record: &Record) {
    for (key, value) in record.metadata() {
        out.message(field, |out| {
            out.text(1, key);
            out.message(2, |out| match value {
                ValueRef::Text(text) => out.set_text(1, text),
                ValueRef::Integer(integer) => out.set_integer(2, integer),
                ValueRef::Float(number) => out.set_double(3, number),
                ValueRef::Boolean(truth) => out.set_integer(4, truth.into()),
                ValueRef::Texts(texts) => out.message(5, |out| {
                    texts.into_iter().for_each(|text| out.set_text(1, text));
                }),
            });
        });
    }
}

fn write_score_parts(out: &mut Writer, parts: &Parts) {
    if parts.iter().all(Option::is_none) {
        return;
    }
    out.message(10, |out| {
        // The core has the signals in the order of the fields.
        for (field, part) in (1..).zip(parts) {
            if let Some(part) = part {
                out.message(field, |out| write_signal_score(out, part));
            }
        }
    });
}

fn write_signal_score(out: &mut Writer, score: &SignalScore) {
    out.float(1, score.raw as f32);
    out.float(2, score.normalized as f32);
    out.float(3, score.weight as f32);
    out.integer(4, score.rank.into());
}
