//! What is packed into a record comes out as it went in.

use mnemic_retrieval::partition::{MetadataValue, Texts, ValueRef};
use mnemic_retrieval::{Memory, Record};
use proptest::prelude::*;

use crate::common::message;
use crate::strategies::texts;

fn lists() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(texts(), 0..5)
}

/// Any value; floats with their infinities, signed zeros and NaNs.
pub(crate) fn values() -> impl Strategy<Value = MetadataValue> {
    prop_oneof![
        texts().prop_map(MetadataValue::Text),
        integers().prop_map(MetadataValue::Integer),
        floats().prop_map(MetadataValue::Float),
        any::<bool>().prop_map(MetadataValue::Boolean),
        lists().prop_map(MetadataValue::Texts),
    ]
}

pub(crate) fn integers() -> impl Strategy<Value = i64> {
    const EDGES: [i64; 8] = [
        i64::MIN,
        i64::MIN + 1,
        -1,
        0,
        1,
        1 << 53,
        (1 << 53) + 1,
        i64::MAX,
    ];
    prop_oneof![prop::sample::select(&EDGES[..]), any::<i64>()]
}

pub(crate) fn floats() -> impl Strategy<Value = f64> {
    const EDGES: [f64; 9] = [
        0.0,
        -0.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        f64::MIN_POSITIVE,
        9_223_372_036_854_775_808.0,
        -9_223_372_036_854_775_808.0,
    ];
    prop_oneof![
        prop::sample::select(&EDGES[..]),
        any::<f64>(),
        any::<u64>().prop_map(f64::from_bits)
    ]
}

/// Memories with whatever their types allow.
pub(crate) fn memories() -> impl Strategy<Value = Memory> {
    let numbers = (any::<u128>(), any::<u32>(), any::<[u8; 4]>(), any::<bool>());
    let times = (
        prop::array::uniform5(integers()),
        prop::array::uniform3(prop::option::of(integers())),
        floats(),
        floats(),
    );
    let words = (
        texts(),
        prop::array::uniform3(texts()),
        prop::option::of(texts()),
    );
    let parts = (
        prop::collection::vec((texts(), values()), 0..6),
        lists(),
        lists(),
        lists(),
    );
    (numbers, times, words, parts).prop_map(
        |(
            (memory_id, version, bytes, pinned),
            (times, optional, confidence, importance),
            words,
            parts,
        )| {
            let (body, [name, slot, slot_value], superseded_by) = words;
            let (metadata, categories, entities, source_ids) = parts;
            Memory {
                version,
                kind: bytes[0],
                role: bytes[1],
                event_time_precision: bytes[2],
                trust: bytes[3],
                pinned,
                revision: times[0],
                create_time_micros: times[1],
                update_time_micros: times[2],
                valid_from_micros: times[3],
                event_time_micros: optional[0],
                event_time_end_micros: optional[1],
                expire_time_micros: optional[2],
                confidence,
                importance,
                name,
                slot,
                slot_value,
                superseded_by,
                metadata,
                categories,
                entities,
                source_ids,
                ..message(memory_id, &body)
            }
        },
    )
}

fn strings(texts: Texts<'_>) -> Vec<String> {
    texts.into_iter().map(str::to_owned).collect()
}

/// The value that was packed; NaNs by their bits.
fn is_same(value: &MetadataValue, found: ValueRef<'_>) -> bool {
    match (value, found) {
        (MetadataValue::Text(value), ValueRef::Text(found)) => value == found,
        (MetadataValue::Integer(value), ValueRef::Integer(found)) => *value == found,
        (MetadataValue::Float(value), ValueRef::Float(found)) => value.to_bits() == found.to_bits(),
        (MetadataValue::Boolean(value), ValueRef::Boolean(found)) => *value == found,
        (MetadataValue::Texts(values), ValueRef::Texts(found)) => *values == strings(found),
        _ => false,
    }
}

proptest! {
    #[test]
    fn a_record_gives_back_the_memory(memory in memories()) {
        let record = Record::new(&memory);
        prop_assert_eq!(record.memory_id(), memory.memory_id);
        prop_assert_eq!(record.version(), memory.version);
        prop_assert_eq!(
            [record.kind(), record.role(), record.event_time_precision(), record.trust()],
            [memory.kind, memory.role, memory.event_time_precision, memory.trust]
        );
        prop_assert_eq!(record.pinned(), memory.pinned);
        prop_assert_eq!(
            [record.revision(), record.create_time_micros(), record.update_time_micros(), record.valid_from_micros()],
            [memory.revision, memory.create_time_micros, memory.update_time_micros, memory.valid_from_micros]
        );
        prop_assert_eq!(
            [record.event_time_micros(), record.event_time_end_micros(), record.expire_time_micros()],
            [memory.event_time_micros, memory.event_time_end_micros, memory.expire_time_micros]
        );
        prop_assert_eq!(record.confidence().to_bits(), memory.confidence.to_bits());
        prop_assert_eq!(record.importance().to_bits(), memory.importance.to_bits());
        prop_assert_eq!(
            [record.body(), record.name(), record.slot(), record.slot_value()],
            [&memory.body[..], &memory.name, &memory.slot, &memory.slot_value]
        );
        prop_assert_eq!(record.superseded_by(), memory.superseded_by.as_deref());
        prop_assert_eq!(strings(record.categories()), memory.categories.clone());
        prop_assert_eq!(strings(record.entities()), memory.entities.clone());
        prop_assert_eq!(strings(record.source_ids()), memory.source_ids.clone());
        let found: Vec<_> = record.metadata().collect();
        prop_assert_eq!(found.len(), memory.metadata.len());
        for ((key, value), (found_key, found)) in memory.metadata.iter().zip(found) {
            prop_assert_eq!(&key[..], found_key);
            prop_assert!(is_same(value, found), "{:?} became {:?}", value, found);
        }
    }
}
