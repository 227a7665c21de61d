//! A memory, on the wire.

use mnemic_retrieval::partition::LatestVersion;

use super::hits::{write_metadata, write_scope};
use super::wire::Writer;

/// The fields of `Memory` that the index has, by name and number: all but the vector and its model.
pub(super) const MEMORY_FIELDS: [(&str, u32); 27] = [
    ("memory_id", 1),
    ("scope", 2),
    ("kind", 3),
    ("body", 4),
    ("role", 5),
    ("name", 6),
    ("event_time", 7),
    ("event_time_end", 8),
    ("event_time_precision", 9),
    ("create_time", 10),
    ("update_time", 11),
    ("valid_from", 12),
    ("valid_to", 13),
    ("expire_time", 14),
    ("metadata", 15),
    ("categories", 16),
    ("source_ids", 17),
    ("entities", 18),
    ("slot", 19),
    ("slot_value", 20),
    ("superseded_by", 21),
    ("confidence", 22),
    ("importance", 23),
    ("pinned", 24),
    ("trust", 25),
    ("version", 26),
    ("revision", 27),
];

/// `Memory` as the message's field; a mask of no fields means all of them.
pub(super) fn write_memory(out: &mut Writer, field: u32, memory: &LatestVersion, mask: u32) {
    out.message(field, |out| Fields { out, mask }.write(memory));
}

struct Fields<'a> {
    out: &'a mut Writer,
    mask: u32,
}

impl Fields<'_> {
    fn write(&mut self, memory: &LatestVersion) {
        let record = &memory.record;
        self.when(1, |out| out.id(1, record.memory_id()));
        self.when(2, |out| {
            out.message(2, |out| write_scope(out, &memory.scope));
        });
        self.integer(3, record.kind());
        self.text(4, record.body());
        self.integer(5, record.role());
        self.text(6, record.name());
        self.time(7, record.event_time_micros());
        self.time(8, record.event_time_end_micros());
        self.integer(9, record.event_time_precision());
        self.time(10, Some(record.create_time_micros()));
        self.time(11, Some(record.update_time_micros()));
        self.time(12, Some(record.valid_from_micros()));
        self.time(13, memory.valid_to_micros);
        self.time(14, record.expire_time_micros());
        self.when(15, |out| write_metadata(out, 15, record));
        for (field, texts) in [
            (16, record.categories()),
            (17, record.source_ids()),
            (18, record.entities()),
        ] {
            self.when(field, |out| {
                texts.into_iter().for_each(|text| out.set_text(field, text));
            });
        }
        self.text(19, record.slot());
        self.text(20, record.slot_value());
        self.text(21, record.superseded_by().unwrap_or_default());
        self.when(22, |out| out.float(22, record.confidence() as f32));
        self.when(23, |out| out.float(23, record.importance() as f32));
        self.integer(24, record.pinned());
        self.integer(25, record.trust());
        self.integer(26, record.version());
        self.integer(27, record.revision());
    }

    fn when(&mut self, field: u32, write: impl FnOnce(&mut Writer)) {
        if self.mask == 0 || self.mask >> field & 1 == 1 {
            write(self.out);
        }
    }

    fn integer(&mut self, field: u32, value: impl Into<i64>) {
        self.when(field, |out| out.integer(field, value.into()));
    }

    fn text(&mut self, field: u32, text: &str) {
        self.when(field, |out| out.text(field, text));
    }

    /// A `Timestamp`.
    fn time(&mut self, field: u32, micros: Option<i64>) {
        let Some(micros) = micros else {
            return;
        };
        self.when(field, |out| {
            out.message(field, |out| {
                out.integer(1, micros.div_euclid(1_000_000));
                out.integer(2, micros.rem_euclid(1_000_000) * 1_000);
            });
        });
    }
}
