//! What goes into a partition: memories, scopes and keys, as the callers give them.

use crate::Error;

/// The kind of what was said word for word.
pub(crate) const MESSAGE_KIND: u8 = 1;

/// The unit of indexing, locking and loading: one owner within one tenant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartitionKey {
    /// The isolation boundary.
    pub tenant: String,
    /// Which kind of id owns it: 1 user, 2 agent, 3 app, 4 session.
    pub owner_kind: u8,
    /// The owner's id.
    pub owner_id: String,
}

/// Up to four opaque ids; they are compared byte by byte, and no value of them is special.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ScopeIds {
    /// The person or account.
    pub user_id: Option<String>,
    /// The agent that holds the memory.
    pub agent_id: Option<String>,
    /// The conversation or run in which it arose.
    pub session_id: Option<String>,
    /// The application or product area.
    pub app_id: Option<String>,
}

/// How the ids of a request select memories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeMatch {
    /// Each id that the memory carries equals the one asked for.
    Visible,
    /// Each id asked for is carried and equal.
    Exact,
    /// Every memory of the partitions.
    Tenant,
}

impl ScopeMatch {
    /// The match of its number in the contract.
    ///
    /// # Errors
    ///
    /// There is no such number.
    pub fn from_number(number: i64) -> Result<Self, Error> {
        match number {
            1 => Ok(Self::Visible),
            2 => Ok(Self::Exact),
            3 => Ok(Self::Tenant),
            _ => Err(Error::field_of(
                "match",
                format!("{number} is no scope match; 1 (visible), 2 (exact), 3 (tenant) are"),
            )),
        }
    }
}

impl ScopeIds {
    /// Whether a memory that carries `carried` is selected by these ids.
    #[must_use]
    pub fn selects(&self, carried: &Self, scope_match: ScopeMatch) -> bool {
        self.ids()
            .into_iter()
            .zip(carried.ids())
            .all(|(asked, has)| match scope_match {
                ScopeMatch::Visible => has.is_none() || has == asked,
                ScopeMatch::Exact => asked.is_none() || has == asked,
                ScopeMatch::Tenant => true,
            })
    }

    /// In the order of ownership.
    pub(crate) fn ids(&self) -> [&Option<String>; 4] {
        [
            &self.user_id,
            &self.agent_id,
            &self.session_id,
            &self.app_id,
        ]
    }
}

/// The value of a metadata field.
#[derive(Clone, Debug, PartialEq)]
pub enum MetadataValue {
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number.
    Float(f64),
    /// True or false; not a number.
    Boolean(bool),
    /// A list of texts.
    Texts(Vec<String>),
}

/// One version of a memory. Times are microseconds since 1970-01-01 UTC; numbers of enums are those of the contract.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(
    missing_docs,
    reason = "the fields are those of mnemic.model.memory.Memory, which explains them"
)]
pub struct Memory {
    /// The UUID as a number; see [`parse_memory_id`].
    pub memory_id: u128,
    pub scope: ScopeIds,
    pub kind: u8,
    pub body: String,
    pub role: u8,
    pub name: String,
    pub event_time_micros: Option<i64>,
    pub event_time_end_micros: Option<i64>,
    pub event_time_precision: u8,
    pub create_time_micros: i64,
    pub update_time_micros: i64,
    pub valid_from_micros: i64,
    pub valid_to_micros: Option<i64>,
    pub expire_time_micros: Option<i64>,
    pub metadata: Vec<(String, MetadataValue)>,
    pub categories: Vec<String>,
    pub source_ids: Vec<String>,
    pub entities: Vec<String>,
    pub slot: String,
    pub slot_value: String,
    pub superseded_by: Option<String>,
    pub confidence: f64,
    pub importance: f64,
    pub pinned: bool,
    pub trust: u8,
    pub version: u32,
    pub revision: i64,
}

impl Memory {
    /// When it happened if that is known, else when it was heard.
    #[must_use]
    pub fn recency_time_micros(&self) -> i64 {
        self.event_time_micros.unwrap_or(self.create_time_micros)
    }

    /// The text that is indexed and embedded: the speaker's name helps to tell who said it.
    #[must_use]
    pub fn indexed_text(&self) -> String {
        indexed_text(&self.name, &self.body)
    }
}

pub(super) fn indexed_text(name: &str, body: &str) -> String {
    if name.is_empty() {
        body.to_owned()
    } else {
        format!("{name}: {body}")
    }
}

/// A memory and its embedding, as little-endian `f32`.
#[derive(Clone, Debug)]
pub struct Row<B> {
    /// The memory.
    pub memory: Memory,
    /// `dimension * 4` bytes, or None if it has not been embedded.
    pub vector: Option<B>,
}

/// Ends a version of a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    /// Whose; see [`parse_memory_id`].
    pub memory_id: u128,
    /// Which.
    pub version: u32,
    /// When it ended; None takes every version of the memory out of the index (a deletion).
    pub valid_to_micros: Option<i64>,
}

/// The number of a UUID's text: 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12.
///
/// # Errors
///
/// The text has another form.
pub fn parse_memory_id(text: &str) -> Result<u128, Error> {
    let refused = || {
        Error::field_of(
            "memory_id",
            format!("{text:?} is not a UUID such as 01234567-89ab-cdef-0123-456789abcdef"),
        )
    };
    if text.len() != 36 {
        return Err(refused());
    }
    let mut number = 0;
    for (place, byte) in text.bytes().enumerate() {
        if matches!(place, 8 | 13 | 18 | 23) {
            if byte != b'-' {
                return Err(refused());
            }
        } else {
            let digit = char::from(byte).to_digit(16).ok_or_else(refused)?;
            number = number << 4 | u128::from(digit);
        }
    }
    Ok(number)
}

/// The text of a UUID's number, in lower case.
#[must_use]
pub fn format_memory_id(id: u128) -> String {
    let group = |shift: u32, digits: u32| (id >> shift) & ((1 << (4 * digits)) - 1);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        group(96, 8),
        group(80, 4),
        group(64, 4),
        group(48, 4),
        group(0, 12)
    )
}

#[cfg(test)]
mod tests {
    use super::{format_memory_id, parse_memory_id};

    #[test]
    fn ids_round_trip() {
        let text = "01234567-89ab-cdef-0123-456789abcdef";
        assert_eq!(
            parse_memory_id(text).map(format_memory_id).as_deref(),
            Ok(text)
        );
    }

    #[test]
    fn what_is_no_uuid_is_refused_by_name() {
        for text in [
            "",
            "1",
            "01234567-89ab-cdef-0123-456789abcdeg",
            "0123456789abcdef0123456789abcdef0000",
            "é234567-89ab-cdef-0123-456789abcdef",
        ] {
            let error = parse_memory_id(text).expect_err("not a UUID");
            assert_eq!(
                (error.reason(), error.field()),
                ("INVALID_FIELD", "memory_id")
            );
        }
    }
}
