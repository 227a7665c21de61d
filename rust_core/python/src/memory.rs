//! Memories, scopes and keys, read from the dataclasses of `mnemic.model`.

use mnemic_retrieval::Error;
use mnemic_retrieval::partition::{self, MetadataValue, parse_memory_id};
use pyo3::Borrowed;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyBool, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple};

use crate::refusal;

/// `mnemic.model.scope.PartitionKey`.
#[derive(FromPyObject)]
pub(crate) struct PartitionKey(String, u8, String);

impl From<PartitionKey> for partition::PartitionKey {
    fn from(PartitionKey(tenant, owner_kind, owner_id): PartitionKey) -> Self {
        Self {
            tenant,
            owner_kind,
            owner_id,
        }
    }
}

/// `mnemic.model.scope.Scope`.
#[derive(FromPyObject)]
#[expect(
    clippy::struct_field_names,
    reason = "they are the attributes of the dataclass"
)]
pub(crate) struct Scope {
    user_id: Option<String>,
    agent_id: Option<String>,
    session_id: Option<String>,
    app_id: Option<String>,
}

impl From<Scope> for partition::ScopeIds {
    fn from(scope: Scope) -> Self {
        let Scope {
            user_id,
            agent_id,
            session_id,
            app_id,
        } = scope;
        Self {
            user_id,
            agent_id,
            session_id,
            app_id,
        }
    }
}

/// A value of `mnemic.model.memory.Metadata`.
pub(crate) struct Value(pub(crate) MetadataValue);

impl<'py> FromPyObject<'_, 'py> for Value {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        // Before integers: True is an instance of int.
        let value = if let Ok(truth) = object.cast::<PyBool>() {
            MetadataValue::Boolean(truth.is_true())
        } else if object.is_instance_of::<PyString>() {
            MetadataValue::Text(object.extract()?)
        } else if object.is_instance_of::<PyInt>() {
            let refused = |_| {
                let message = "an integer beyond 64 bits; -9223372036854775808 to 9223372036854775807 are accepted";
                refusal(&Error::Filter {
                    field: "filter.comparison.values".to_owned(),
                    message: message.to_owned(),
                })
            };
            MetadataValue::Integer(object.extract().map_err(refused)?)
        } else if object.is_instance_of::<PyFloat>() {
            MetadataValue::Float(object.extract()?)
        } else if object.is_instance_of::<PyTuple>() || object.is_instance_of::<PyList>() {
            MetadataValue::Texts(object.extract()?)
        } else {
            let kind = object.get_type().name()?;
            return Err(PyTypeError::new_err(format!(
                "str, int, float, bool or a tuple of str is accepted, not {kind}"
            )));
        };
        Ok(Self(value))
    }
}

struct Metadata(Vec<(String, MetadataValue)>);

impl<'py> FromPyObject<'_, 'py> for Metadata {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let pairs = object.cast::<PyMapping>()?.items()?;
        let read = |pair: Bound<'py, PyAny>| {
            pair.extract::<(String, Value)>()
                .map(|(key, Value(value))| (key, value))
        };
        pairs.iter().map(read).collect::<PyResult<_>>().map(Self)
    }
}

/// `mnemic.model.memory.Memory`, without vector and model.
#[derive(FromPyObject)]
#[expect(
    clippy::struct_field_names,
    reason = "they are the attributes of the dataclass"
)]
pub(crate) struct Memory {
    memory_id: PyBackedStr,
    scope: Scope,
    kind: u8,
    body: String,
    role: u8,
    name: String,
    event_time_micros: Option<i64>,
    event_time_end_micros: Option<i64>,
    event_time_precision: u8,
    create_time_micros: i64,
    update_time_micros: i64,
    valid_from_micros: i64,
    valid_to_micros: Option<i64>,
    expire_time_micros: Option<i64>,
    metadata: Metadata,
    categories: Vec<String>,
    source_ids: Vec<String>,
    entities: Vec<String>,
    slot: String,
    slot_value: String,
    superseded_by: Option<String>,
    confidence: f64,
    importance: f64,
    pinned: bool,
    trust: u8,
    version: u32,
    revision: i64,
}

impl Memory {
    /// The memory as the core takes it.
    pub(crate) fn into_core(self) -> PyResult<partition::Memory> {
        Ok(partition::Memory {
            memory_id: parse_memory_id(&self.memory_id).map_err(|error| refusal(&error))?,
            scope: self.scope.into(),
            kind: self.kind,
            body: self.body,
            role: self.role,
            name: self.name,
            event_time_micros: self.event_time_micros,
            event_time_end_micros: self.event_time_end_micros,
            event_time_precision: self.event_time_precision,
            create_time_micros: self.create_time_micros,
            update_time_micros: self.update_time_micros,
            valid_from_micros: self.valid_from_micros,
            valid_to_micros: self.valid_to_micros,
            expire_time_micros: self.expire_time_micros,
            metadata: self.metadata.0,
            categories: self.categories,
            source_ids: self.source_ids,
            entities: self.entities,
            slot: self.slot,
            slot_value: self.slot_value,
            superseded_by: self.superseded_by,
            confidence: self.confidence,
            importance: self.importance,
            pinned: self.pinned,
            trust: self.trust,
            version: self.version,
            revision: self.revision,
        })
    }
}

/// A memory with its vector, as `Index.load` and `Index.apply` take them.
#[derive(FromPyObject)]
pub(crate) struct Row(Memory, Option<PyBackedBytes>);

/// Rows as the core takes them; the vectors stay where Python has them.
pub(crate) fn rows_into_core(rows: Vec<Row>) -> PyResult<Vec<partition::Row<PyBackedBytes>>> {
    rows.into_iter()
        .map(|Row(memory, vector)| {
            Ok(partition::Row {
                memory: memory.into_core()?,
                vector,
            })
        })
        .collect()
}
