//! Who is calling.

use std::fmt;
use std::sync::Arc;

use crate::rate::Bucket;

/// What a credential may do; each may do what the ones before it may. The numbers of `mnemic.v1.AccessRole`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Search and read.
    Read = 1,
    /// Add, update, delete and restore.
    Write = 2,
    /// Retention, erasure, export and import, and the tenant's own keys, settings and audit log.
    Admin = 3,
    /// Every tenant, and the server itself.
    Operator = 4,
}

impl Role {
    /// All of them, ascending.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Admin, Self::Operator];

    /// As in configuration, claims and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
            Self::Operator => "operator",
        }
    }

    /// The role of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// The role of its number.
    pub fn numbered(number: i64) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|role| i64::from(*role as u8) == number)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The ids that a memory carries, or that a request names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScopeIds<'a> {
    /// The person or account.
    pub user_id: Option<&'a str>,
    /// The agent.
    pub agent_id: Option<&'a str>,
    /// The conversation.
    pub session_id: Option<&'a str>,
    /// The application.
    pub app_id: Option<&'a str>,
}

/// Narrows a credential to the memories that carry each of these ids; empty for no restriction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Restriction {
    /// The person or account.
    pub user_id: Option<String>,
    /// The agent.
    pub agent_id: Option<String>,
    /// The conversation.
    pub session_id: Option<String>,
    /// The application.
    pub app_id: Option<String>,
}

impl Restriction {
    /// Whether nothing is restricted.
    pub fn is_empty(&self) -> bool {
        self.pairs().next().is_none()
    }

    /// The ids that must be carried, by field: `("user_id", "alice")`.
    pub fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("user_id", &self.user_id),
            ("agent_id", &self.agent_id),
            ("session_id", &self.session_id),
            ("app_id", &self.app_id),
        ]
        .into_iter()
        .filter_map(|(field, id)| id.as_deref().map(|id| (field, id)))
    }

    /// Whether a memory that carries these ids may be read and written.
    pub fn allows(&self, carried: ScopeIds<'_>) -> bool {
        let holds = |wanted: &Option<String>, has: Option<&str>| {
            wanted.is_none() || wanted.as_deref() == has
        };
        holds(&self.user_id, carried.user_id)
            && holds(&self.agent_id, carried.agent_id)
            && holds(&self.session_id, carried.session_id)
            && holds(&self.app_id, carried.app_id)
    }
}

/// Who is calling: whose memories, how much, and for how long.
#[derive(Debug)]
pub struct Principal {
    /// The tenant that all of the caller's work is about.
    pub tenant: String,
    /// What it may do.
    pub role: Role,
    /// Which memories it may see.
    pub scope: Restriction,
    /// A key's id, a token's `sub`, or `anonymous` without authentication; no secret.
    pub subject: String,
    pub(crate) bucket: Option<Arc<Bucket>>,
}
