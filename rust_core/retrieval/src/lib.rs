//! The retrieval core of Mnemic: partitions of memories in memory, found by meaning, words and names.

pub mod text;
pub mod vector;
