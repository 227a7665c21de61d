//! The messages of the contract that the front reads and writes, generated from `proto/` (`make generate`).

#[allow(
    clippy::all,
    clippy::pedantic,
    unreachable_pub,
    reason = "generated; which of these it meets changes with its generator"
)]
#[rustfmt::skip]
mod v1;

pub use v1::*;
