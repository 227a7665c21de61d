//! The retrieval core of Mnemic: partitions of memories in memory, found by meaning, words and names.
//!
//! [`Index`] is the entry: it holds one [`partition`] for each owner, takes batches of rows and answers searches. A
//! search never waits for a write: it works on the snapshot that was published last.
//!
//! * [`time`] resolves the times that texts name, [`understanding`] leaves out of a query what tells nothing apart,
//! * [`vector`], [`text`] and [`entity`] are the three retrievers, each on its own,
//! * [`filter`] narrows, [`fusion`] turns signals into one score,
//! * [`partition`] keeps the rows, [`index`] brings all of it together.

pub mod entity;
mod error;
pub mod filter;
pub mod fusion;
pub mod index;
pub mod partition;
pub mod recalls;
mod snapshot;
mod spelling;
mod sync;
pub mod text;
pub mod time;
pub mod understanding;
pub mod vector;

pub use error::Error;
pub use index::{Hit, Index, SearchOutcome, SearchRequest};
pub use partition::{
    Close, Memory, PartitionKey, PartitionStats, Record, Row, ScopeIds, ScopeMatch,
};
pub use snapshot::Snapshot;
