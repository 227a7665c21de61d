//! The fields that a filter may name.

use super::Operator;
use crate::Error;
use crate::partition::{MetadataValue, RecordBytes, ScopeIds, Texts, ValueRef};

const METADATA_PREFIX: &str = "metadata.";

/// A field of a memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Metadata(String),
    Kind,
    Role,
    Name,
    Category,
    Entity,
    Slot,
    UserId,
    AgentId,
    SessionId,
    AppId,
    EventTime,
    CreateTime,
    Confidence,
    Importance,
    Trust,
}

/// The built-in fields in the order in which a message lists them.
const BUILT_IN: [(&str, Field); 15] = [
    ("kind", Field::Kind),
    ("role", Field::Role),
    ("name", Field::Name),
    ("category", Field::Category),
    ("entity", Field::Entity),
    ("slot", Field::Slot),
    ("user_id", Field::UserId),
    ("agent_id", Field::AgentId),
    ("session_id", Field::SessionId),
    ("app_id", Field::AppId),
    ("event_time", Field::EventTime),
    ("create_time", Field::CreateTime),
    ("confidence", Field::Confidence),
    ("importance", Field::Importance),
    ("trust", Field::Trust),
];

/// Names of the numbers of `mnemic.v1.MemoryKind`, from 1.
const KINDS: [&str; 4] = ["message", "fact", "instruction", "summary"];
/// Names of the numbers of `mnemic.v1.Role`, from 1; nobody's role is 0 and has no name.
const ROLES: [&str; 4] = ["user", "assistant", "system", "tool"];

impl Field {
    pub(super) fn parse(name: &str) -> Result<Self, Error> {
        if let Some(key) = name
            .strip_prefix(METADATA_PREFIX)
            .filter(|key| !key.is_empty())
        {
            return Ok(Self::Metadata(key.to_owned()));
        }
        BUILT_IN
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, field)| field.clone())
            .ok_or_else(|| {
                let known: Vec<&str> = BUILT_IN.iter().map(|(known, _)| *known).collect();
                let message = format!(
                    "{name:?} is no field; metadata.KEY and {} are",
                    known.join(", ")
                );
                Error::filter("filter.comparison.field", message)
            })
    }

    /// Refuses what could never hold: a built-in field compared with a value of a type that it never has.
    pub(super) fn check(&self, operator: Operator, values: &[MetadataValue]) -> Result<(), Error> {
        for (index, value) in values.iter().enumerate() {
            let path = || format!("filter.comparison.values[{index}]");
            if matches!(value, MetadataValue::Float(float) if float.is_nan()) {
                return Err(Error::filter(
                    path(),
                    "NaN compares with nothing; a finite number is accepted",
                ));
            }
            let accepted = match self {
                Self::Metadata(_) => continue,
                _ if self.is_number() => "a number",
                _ => "a text",
            };
            let fits = match value {
                MetadataValue::Text(_) => !self.is_number(),
                MetadataValue::Integer(_) | MetadataValue::Float(_) => self.is_number(),
                MetadataValue::Boolean(_) | MetadataValue::Texts(_) => false,
            };
            if !fits {
                let message = format!(
                    "{} compares with {accepted}, not with {}",
                    self.name(),
                    describe(value)
                );
                return Err(Error::filter(path(), message));
            }
        }
        if self.is_number() && matches!(operator, Operator::Contains | Operator::ContainsIgnoreCase)
        {
            let message = format!(
                "{} is a number; {} is for texts and lists",
                self.name(),
                operator.name()
            );
            return Err(Error::filter("filter.comparison.operator", message));
        }
        Ok(())
    }

    /// The field's value in a row; None if it is not there. An empty name, slot or list counts as not there.
    pub(super) fn of<'a>(
        &self,
        record: &'a RecordBytes,
        scope: &'a ScopeIds,
    ) -> Option<ValueRef<'a>> {
        let id = match self {
            Self::UserId => &scope.user_id,
            Self::AgentId => &scope.agent_id,
            Self::SessionId => &scope.session_id,
            Self::AppId => &scope.app_id,
            _ => return self.of_record(record),
        };
        id.as_deref().map(ValueRef::Text)
    }

    /// The same for fields that are not of the scope; of those there is nothing.
    pub(super) fn of_record<'a>(&self, record: &'a RecordBytes) -> Option<ValueRef<'a>> {
        match self {
            Self::Metadata(key) => record
                .metadata()
                .find(|(name, _)| name == key)
                .map(|(_, value)| value),
            Self::Kind => named(&KINDS, record.kind()),
            Self::Role => named(&ROLES, record.role()),
            Self::Name => filled(record.name()),
            Self::Category => listed(record.categories()),
            Self::Entity => listed(record.entities()),
            Self::Slot => filled(record.slot()),
            Self::EventTime => record.event_time_micros().map(ValueRef::Integer),
            Self::CreateTime => Some(ValueRef::Integer(record.create_time_micros())),
            Self::Confidence => Some(ValueRef::Float(record.confidence())),
            Self::Importance => Some(ValueRef::Float(record.importance())),
            // A number, unlike kinds and roles: what a filter asks for is a minimum.
            Self::Trust => Some(ValueRef::Integer(i64::from(record.trust()))),
            Self::UserId | Self::AgentId | Self::SessionId | Self::AppId => None,
        }
    }

    fn is_number(&self) -> bool {
        matches!(
            self,
            Self::EventTime | Self::CreateTime | Self::Confidence | Self::Importance | Self::Trust
        )
    }

    fn name(&self) -> &str {
        match self {
            Self::Metadata(key) => key,
            _ => BUILT_IN
                .iter()
                .find(|(_, field)| field == self)
                .map_or("", |(name, _)| name),
        }
    }
}

fn named<'a>(names: &[&'a str], number: u8) -> Option<ValueRef<'a>> {
    names
        .get(usize::from(number).checked_sub(1)?)
        .copied()
        .map(ValueRef::Text)
}

fn filled(text: &str) -> Option<ValueRef<'_>> {
    (!text.is_empty()).then_some(ValueRef::Text(text))
}

fn listed(texts: Texts<'_>) -> Option<ValueRef<'_>> {
    (!texts.is_empty()).then_some(ValueRef::Texts(texts))
}

fn describe(value: &MetadataValue) -> &'static str {
    match value {
        MetadataValue::Text(_) => "a text",
        MetadataValue::Integer(_) => "an integer",
        MetadataValue::Float(_) => "a number",
        MetadataValue::Boolean(_) => "true or false",
        MetadataValue::Texts(_) => "a list",
    }
}
