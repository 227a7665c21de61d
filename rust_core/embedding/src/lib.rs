//! Embedding of texts without Python: tokenizer, local models, and a cache that answers repeated queries.
//!
//! * [`StaticModel`] and [`OnnxModel`] turn texts into unit vectors; both are a [`QueryModel`],
//! * [`VectorCache`] keeps the vectors of recent texts; the Python provider and the native front share one,
//! * [`QueryEmbedder`] runs a model for many callers at once: a bounded queue, a fixed pool of threads, one run for
//!   callers that ask for the same text.

mod cache;
mod error;
mod lru;
mod model;
mod onnx;
mod query;
mod static_table;
mod tokenization;
mod unit;

pub use cache::{Key, Vector, VectorCache};
pub use error::Error;
pub use model::QueryModel;
pub use onnx::{OnnxModel, OnnxSettings, Pooling};
pub use query::{Counters, QueryEmbedder, Queue};
pub use static_table::StaticModel;
