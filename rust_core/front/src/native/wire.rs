//! Protobuf written straight from what the index holds into one buffer, without messages in between.
//!
//! What has its default value is left out, as proto3 asks, but for the fields that say whether they are set.

const VARINT: u32 = 0;
const FIXED_64: u32 = 1;
const DELIMITED: u32 = 2;
const FIXED_32: u32 = 5;

/// A message that grows.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// Writes behind what the buffer has.
    pub(super) fn new(buffer: Vec<u8>) -> Self {
        Self(buffer)
    }

    /// What was written.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// An integer, an enum or a truth value, left out if it is 0.
    pub(super) fn integer(&mut self, field: u32, value: i64) {
        if value != 0 {
            self.set_integer(field, value);
        }
    }

    /// The same where 0 is a value.
    pub(super) fn set_integer(&mut self, field: u32, value: i64) {
        self.key(field, VARINT);
        self.varint(value as u64);
    }

    /// A text, left out if it is empty.
    pub(super) fn text(&mut self, field: u32, text: &str) {
        if !text.is_empty() {
            self.set_text(field, text);
        }
    }

    /// The same where the empty text is a value.
    pub(super) fn set_text(&mut self, field: u32, text: &str) {
        self.key(field, DELIMITED);
        self.varint(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    /// The lower-case text of a UUID's number.
    pub(super) fn id(&mut self, field: u32, id: u128) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b'-'; 36];
        let mut shift = 128;
        for (place, byte) in text.iter_mut().enumerate() {
            if !matches!(place, 8 | 13 | 18 | 23) {
                shift -= 4;
                *byte = DIGITS[(id >> shift) as usize & 15];
            }
        }
        self.key(field, DELIMITED);
        self.varint(text.len() as u64);
        self.0.extend_from_slice(&text);
    }

    /// A `float`, left out if it is 0.
    pub(super) fn float(&mut self, field: u32, value: f32) {
        if value.to_bits() != 0 {
            self.set_float(field, value);
        }
    }

    /// A `float`, also if it is 0.
    pub(super) fn set_float(&mut self, field: u32, value: f32) {
        self.key(field, FIXED_32);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A `double`, also if it is 0.
    pub(super) fn set_double(&mut self, field: u32, value: f64) {
        self.key(field, FIXED_64);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A message, also if nothing is in it.
    pub(super) fn message(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        self.key(field, DELIMITED);
        let start = self.0.len();
        self.0.push(0);
        write(self);
        let length = self.0.len() - start - 1;
        // Its length goes before it and is known only now: what is longer than one digit says is moved on.
        let more = (length.max(1).ilog2() / 7) as usize;
        if more > 0 {
            let end = self.0.len();
            self.0.resize(end + more, 0);
            self.0.copy_within(start + 1..end, start + 1 + more);
        }
        for place in 0..more {
            self.0[start + place] = (length >> (7 * place)) as u8 | 0x80;
        }
        self.0[start + more] = (length >> (7 * more)) as u8;
    }

    fn key(&mut self, field: u32, wire_type: u32) {
        self.varint(u64::from(field << 3 | wire_type));
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::Writer;
    use crate::contract::{MetadataValue, StringList, metadata_value::Kind};

    #[test]
    fn messages_of_every_length_are_read_as_they_were_written() {
        for length in [0, 1, 100, 127, 128, 129, 16_383, 16_384, 70_000, 2_200_000] {
            let text = "x".repeat(length);
            let mut writer = Writer::new(Vec::new());
            writer.message(5, |list| {
                list.set_text(1, &text);
                list.set_text(1, "");
            });
            let read = MetadataValue::decode(&*writer.into_bytes()).expect("a message");
            let values = vec![text, String::new()];
            assert_eq!(read.kind, Some(Kind::StringList(StringList { values })));
        }
    }

    #[test]
    fn ids_have_their_usual_form() {
        let mut writer = Writer::new(Vec::new());
        writer.id(1, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        assert_eq!(
            &writer.into_bytes()[2..],
            b"01234567-89ab-cdef-0123-456789abcdef"
        );
    }
}
