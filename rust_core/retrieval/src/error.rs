//! The one error enum of the core.

use crate::vector::VectorError;

/// Why the core refused a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A vector cannot be taken.
    #[error("{source}")]
    Vector {
        /// The path of the vector in the request.
        field: String,
        /// What is wrong with it.
        source: VectorError,
    },
    /// A filter is malformed.
    #[error("{message}")]
    Filter {
        /// The path of the part that is wrong.
        field: String,
        /// Why, and what is accepted.
        message: String,
    },
    /// Another field of the request is malformed.
    #[error("{message}")]
    Field {
        /// Its path.
        field: String,
        /// Why, and what is accepted.
        message: String,
    },
    /// A snapshot is damaged, or of another format, model, dimension or partition.
    #[error("{0}")]
    Snapshot(String),
    /// A limit of the index itself: nothing that the caller of one request can mend.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// The name of the reason in the taxonomy that all of Mnemic's languages share.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Vector {
                source: VectorError::WrongLength { .. },
                ..
            } => "DIMENSION_MISMATCH",
            Self::Vector { .. } => "VECTOR_NOT_FINITE",
            Self::Filter { .. } => "INVALID_FILTER",
            Self::Field { .. } => "INVALID_FIELD",
            Self::Snapshot(_) => "SNAPSHOT_UNUSABLE",
            Self::Internal(_) => "INTERNAL",
        }
    }

    /// The path of the field that was not acceptable; empty where none is to blame.
    #[must_use]
    pub fn field(&self) -> &str {
        match self {
            Self::Vector { field, .. } | Self::Filter { field, .. } | Self::Field { field, .. } => {
                field
            }
            Self::Snapshot(_) => "path",
            Self::Internal(_) => "",
        }
    }

    pub(crate) fn vector(field: impl Into<String>, source: VectorError) -> Self {
        Self::Vector {
            field: field.into(),
            source,
        }
    }

    pub(crate) fn filter(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Filter {
            field: field.into(),
            message: message.into(),
        }
    }

    pub(crate) fn field_of(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Field {
            field: field.into(),
            message: message.into(),
        }
    }
}
