//! The native gRPC listener.

pub mod contract;
