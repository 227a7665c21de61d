//! The one error enum of the crate.

use std::path::{Path, PathBuf};

/// Why a text has no vector. Callers that waited for the same run get the same error, hence `Clone`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A file of the model cannot be read as what it should be.
    #[error("{} {message}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The model is readable, but of another kind than accepted.
    #[error("{0}")]
    Unfit(String),
    /// The library that runs ONNX models cannot be loaded.
    #[error("{0}")]
    Library(String),
    /// The model gave a component that is not a number.
    #[error(
        "{title} gave a vector with components that are not finite, for text {position} of {texts}"
    )]
    NotFinite {
        /// The model, for people.
        title: String,
        /// Of the first such text.
        position: usize,
        /// How many there were.
        texts: usize,
    },
    /// As many requests wait for the model as may; try again after [`Error::RETRY_AFTER_MICROS`].
    #[error("the queue of the embedding model is full")]
    Overloaded,
    /// The deadline passed before the model was run.
    #[error("{0}")]
    Deadline(String),
    /// No model runs here; only what the cache holds is known.
    #[error("the embedding model does not run here")]
    NoModel,
    /// The embedder was closed while the request waited.
    #[error("the embedding model is closed")]
    Closed,
    /// A defect: of the model, the runtime or this crate.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// How long a refused caller should wait before another try.
    pub const RETRY_AFTER_MICROS: i64 = 100_000;

    /// The name of the reason in the taxonomy that all of Mnemic's languages share.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Corrupt { .. } => "CORRUPT_DATA",
            Self::Unfit(_) => "INVALID_FIELD",
            Self::Library(_) | Self::NotFinite { .. } | Self::NoModel => "EMBEDDING_UNAVAILABLE",
            Self::Overloaded => "OVERLOADED",
            Self::Deadline(_) => "DEADLINE_EXCEEDED",
            Self::Closed => "SHUTTING_DOWN",
            Self::Internal(_) => "INTERNAL",
        }
    }

    /// The setting or the file at fault; empty where none is.
    #[must_use]
    pub fn field(&self) -> String {
        match self {
            Self::Corrupt { path, .. } => path.display().to_string(),
            // Only a model of the user's own can be unfit.
            Self::Unfit(_) => "embedding.onnx.directory".to_owned(),
            _ => String::new(),
        }
    }

    pub(crate) fn corrupt(path: &Path, message: impl Into<String>) -> Self {
        Self::Corrupt {
            path: path.to_owned(),
            message: message.into(),
        }
    }
}
