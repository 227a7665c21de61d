//! The native gRPC listener: answers searches itself, relays everything else to the Python server.
//!
//! ```text
//! client ─TCP/TLS/unix─► listener ─► dispatch ─► health
//!                                       ├─► answers   (native: Search, BatchSearch, Get, BatchGet)
//!                                       └─► relay     (everything else, and what answers leaves) ─unix─► Python
//! ```
//!
//! Nothing here knows Python: a call that is answered here never waits for the interpreter.

mod activity;
pub mod answers;
pub mod contract;
mod dispatch;
pub mod framing;
mod front;
mod gathering;
mod health;
mod learning;
mod listener;
pub mod native;
mod pace;
mod preface;
mod presence;
mod pump;
mod refusal;
mod relay;
mod reply;
mod settings;
mod tls;
pub mod watching;

pub use front::{Front, Load, StartError};
pub use pace::CLIENT_STREAMS;
pub use refusal::{Reason, Refusal};
pub use settings::{Settings, TlsFiles};
pub use tls::TlsError;
