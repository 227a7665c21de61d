//! The native gRPC listener: answers searches itself, relays everything else to the Python server.

pub mod answers;
pub mod contract;
pub mod framing;
mod refusal;

pub use refusal::{Reason, Refusal};
