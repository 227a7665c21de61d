//! What the claims of a token say about its bearer.

use serde_json::{Map, Value};

use crate::{Refusal, Restriction, Role};

/// Longer ids than the contract allows are refused rather than carried along.
const MOST_ID_BYTES: usize = 256;
const MOST_TENANT_BYTES: usize = 64;

/// Which claims say what. A claim is named as it stands in the token; if there is no such claim, dots lead into objects:
/// `realm_access.roles`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRules {
    /// Holds the tenant.
    pub tenant: String,
    /// The tenant of tokens without that claim; they are refused when unset.
    pub default_tenant: Option<String>,
    /// Holds the role: a text, a list of texts, or several in one text between spaces as OAuth scopes have them. The
    /// highest that means a role counts.
    pub role: String,
    /// What a value of the role claim means; empty for the names of the roles themselves.
    pub roles: Vec<(String, Role)>,
    /// The role of tokens without a value that means one; they are refused when unset.
    pub default_role: Option<Role>,
    /// The claims that hold a restriction's ids, if any: `("user_id", "sub")`. Where one is named here, a token without it
    /// is refused.
    pub scope: Vec<(ScopeField, String)>,
}

/// A field of a restriction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeField {
    /// `user_id`.
    User,
    /// `agent_id`.
    Agent,
    /// `session_id`.
    Session,
    /// `app_id`.
    App,
}

impl ScopeField {
    /// The field of a name such as `user_id`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "user_id" => Some(Self::User),
            "agent_id" => Some(Self::Agent),
            "session_id" => Some(Self::Session),
            "app_id" => Some(Self::App),
            _ => None,
        }
    }
}

/// What a token's claims say about its bearer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Bearer {
    pub(crate) tenant: String,
    pub(crate) role: Role,
    pub(crate) scope: Restriction,
}

impl ClaimRules {
    pub(crate) fn bearer(&self, claims: &Map<String, Value>) -> Result<Bearer, Refusal> {
        Ok(Bearer {
            tenant: self.tenant_of(claims)?,
            role: self.role_of(claims)?,
            scope: self.scope_of(claims)?,
        })
    }

    fn tenant_of(&self, claims: &Map<String, Value>) -> Result<String, Refusal> {
        match claim(claims, &self.tenant) {
            Some(Value::String(tenant)) if is_tenant_id(tenant) => Ok(tenant.clone()),
            None => self
                .default_tenant
                .clone()
                .ok_or_else(|| missing(&self.tenant)),
            Some(_) => Err(unfit(&self.tenant, "names no tenant")),
        }
    }

    fn role_of(&self, claims: &Map<String, Value>) -> Result<Role, Refusal> {
        let found = claim(claims, &self.role);
        let values: Vec<&str> = match found {
            Some(Value::String(text)) => text.split(' ').collect(),
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let highest = values
            .into_iter()
            .filter_map(|value| self.meaning(value))
            .max();
        highest.or(self.default_role).ok_or_else(|| match found {
            None => missing(&self.role),
            Some(_) => unfit(&self.role, "means no role here"),
        })
    }

    fn meaning(&self, value: &str) -> Option<Role> {
        if self.roles.is_empty() {
            return Role::named(value);
        }
        let found = self.roles.iter().find(|(name, _)| name == value);
        found.map(|&(_, role)| role)
    }

    fn scope_of(&self, claims: &Map<String, Value>) -> Result<Restriction, Refusal> {
        let mut scope = Restriction::default();
        for (field, name) in &self.scope {
            let id = match claim(claims, name) {
                Some(Value::String(id)) if (1..=MOST_ID_BYTES).contains(&id.len()) => id.clone(),
                None => return Err(missing(name)),
                Some(_) => return Err(unfit(name, "holds no id")),
            };
            *match field {
                ScopeField::User => &mut scope.user_id,
                ScopeField::Agent => &mut scope.agent_id,
                ScopeField::Session => &mut scope.session_id,
                ScopeField::App => &mut scope.app_id,
            } = Some(id);
        }
        Ok(scope)
    }
}

/// 1 to 64 of `a-z`, `0-9`, `-` and `_`, beginning with a letter.
fn is_tenant_id(text: &str) -> bool {
    let rest =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    text.len() <= MOST_TENANT_BYTES
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(rest)
}

fn claim<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let found = claims.get(name).or_else(|| {
        let mut steps = name.split('.');
        let first = claims.get(steps.next()?)?;
        steps.try_fold(first, |value, step| value.get(step))
    });
    found.filter(|value| !value.is_null())
}

fn missing(claim: &str) -> Refusal {
    Refusal::unauthenticated(format!(
        "the token has no claim `{claim}`, which this server asks for"
    ))
    .with("claim", claim)
}

fn unfit(claim: &str, why: &str) -> Refusal {
    Refusal::unauthenticated(format!("the token's claim `{claim}` {why}")).with("claim", claim)
}
