//! Input that nobody sends in good faith: whatever it is, the core answers, and what it promises holds.
//!
//! Each property runs a few hundred cases; `PROPTEST_CASES=100000 cargo test --release --test fuzz` looks longer.

#[path = "../common/mod.rs"]
mod common;
mod filters;
mod indexes;
mod records;
mod strategies;
mod texts;
