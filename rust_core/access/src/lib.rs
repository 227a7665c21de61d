//! Who is calling and what they may do: API keys, tokens, roles, restrictions and rates.
//!
//! Both servers of a process ask the same [`Authenticator`], so that they refuse the same callers for the same reasons.
//! Nothing here touches a network, a disk or a clock: whoever owns the store says which keys and tenants there are, whoever
//! fetches key sets hands them over, and the time comes with every question.

mod authenticator;
mod claims;
mod key_set;
mod keys;
mod methods;
mod principal;
mod rate;
mod refusal;
mod token_cache;
mod tokens;

pub use authenticator::{Authenticator, Rules};
pub use claims::{ClaimRules, ScopeField};
pub use key_set::{Algorithm, KeySetError};
pub use keys::{ApiKey, SECRET_PREFIX, hash_secret};
pub use methods::{METHODS, least_role};
pub use principal::{Principal, Restriction, Role, ScopeIds};
pub use rate::Rate;
pub use refusal::Refusal;
pub use tokens::TokenRules;

/// The tenant that is there from the start.
pub const DEFAULT_TENANT: &str = "default";
