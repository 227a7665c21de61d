//! The one place that both servers ask.

use std::sync::Arc;
use std::time::Duration;

use crate::key_set::KeySetError;
use crate::keys::{ApiKey, Keys, SECRET_PREFIX};
use crate::principal::{Principal, Restriction, Role};
use crate::rate::{Bucket, Rate};
use crate::tokens::{TokenRules, Tokens};
use crate::{DEFAULT_TENANT, Refusal, least_role};

const SCHEME: &[u8] = b"bearer ";

/// Which credentials are taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// API keys.
    pub keys: bool,
    /// Tokens, and which.
    pub tokens: Option<TokenRules>,
    /// The rate of keys that have none of their own, and of tokens.
    pub rate: Option<Rate>,
}

/// Knows who is calling and what they may do.
#[derive(Debug)]
pub struct Authenticator {
    rate: Option<Rate>,
    /// Who everyone is, without authentication.
    anyone: Option<Arc<Principal>>,
    keys: Option<Keys>,
    tokens: Option<Tokens>,
}

impl Authenticator {
    /// No authentication: everyone is an operator in the default tenant.
    pub fn open() -> Self {
        Self::new(Rules::default())
    }

    /// By rules that take keys, tokens, both or neither; with neither everyone is an operator in the default tenant.
    pub fn new(rules: Rules) -> Self {
        let anyone = (!rules.keys && rules.tokens.is_none()).then(|| Principal {
            tenant: DEFAULT_TENANT.to_owned(),
            role: Role::Operator,
            scope: Restriction::default(),
            subject: "anonymous".to_owned(),
            bucket: rules.rate.map(|rate| Arc::new(Bucket::new(rate))),
        });
        Self {
            rate: rules.rate,
            anyone: anyone.map(Arc::new),
            keys: rules.keys.then(Keys::default),
            tokens: rules.tokens.map(|tokens| Tokens::new(tokens, rules.rate)),
        }
    }

    /// Whether everyone may do everything.
    pub fn is_open(&self) -> bool {
        self.anyone.is_some()
    }

    /// Who calls with this `authorization` header at this time (microseconds since 1970).
    ///
    /// # Errors
    ///
    /// `UNAUTHENTICATED` without a credential, and with one that is malformed, unknown, revoked or expired.
    pub fn authenticate(
        &self,
        authorization: Option<&[u8]>,
        now_micros: i64,
    ) -> Result<Arc<Principal>, Refusal> {
        if let Some(anyone) = &self.anyone {
            return Ok(anyone.clone());
        }
        let header = authorization.ok_or_else(|| {
            Refusal::unauthenticated(
                "this server asks for a credential: send `authorization: Bearer …`",
            )
        })?;
        let credential = credential(header).ok_or_else(|| {
            Refusal::unauthenticated("`authorization` must be `Bearer` and one credential")
        })?;
        if credential.starts_with(SECRET_PREFIX.as_bytes()) {
            let keys = self.keys.as_ref();
            let keys =
                keys.ok_or_else(|| Refusal::unauthenticated("this server takes no API keys"))?;
            return keys.authenticate(credential, now_micros);
        }
        let tokens = self.tokens.as_ref().ok_or_else(|| {
            Refusal::unauthenticated("this server takes API keys only: they begin with `mnk_`")
        })?;
        tokens.authenticate(credential, now_micros)
    }

    /// Whether a caller may call a method, given its path such as `/mnemic.v1.MemoryService/GetMemory`.
    ///
    /// # Errors
    ///
    /// `PERMISSION_DENIED` below the method's least role. A credential that is restricted to a scope is turned away from
    /// all that administers a tenant, since that cannot be narrowed to a scope.
    pub fn permit(&self, principal: &Principal, path: &str) -> Result<(), Refusal> {
        let Some(least) = least_role(path) else {
            return Ok(());
        };
        let method = path.rsplit('/').next().unwrap_or_default();
        if principal.role < least {
            let role = principal.role;
            return Err(Refusal::denied(format!(
                "{method} asks for the role {least}; this credential has {role}"
            ))
            .with("method", method)
            .with("role", role.name())
            .with("least_role", least.name()));
        }
        if least >= Role::Admin && !principal.scope.is_empty() {
            return Err(Refusal::denied(format!(
                "{method} is not for credentials that are restricted to a scope"
            ))
            .with("method", method));
        }
        Ok(())
    }

    /// Counts one call against the caller's rate.
    ///
    /// # Errors
    ///
    /// `QUOTA_EXCEEDED` when they come too fast, with the time after which one more may come.
    pub fn admit(&self, principal: &Principal, now_micros: i64) -> Result<(), Refusal> {
        match &principal.bucket {
            None => Ok(()),
            Some(bucket) => bucket.take(now_micros).map_err(Refusal::too_often),
        }
    }

    /// Makes an API key good, or changes it; nothing where keys are not taken.
    pub fn insert_key(&self, key: ApiKey) {
        if let Some(keys) = &self.keys {
            keys.insert(key, self.rate);
        }
    }

    /// Makes an API key worthless at once; whether it was good.
    pub fn remove_key(&self, key_id: &str) -> bool {
        self.keys.as_ref().is_some_and(|keys| keys.remove(key_id))
    }

    /// How many API keys are held.
    pub fn key_count(&self) -> usize {
        self.keys.as_ref().map_or(0, Keys::count)
    }

    /// The ids of API keys that were used since this was last asked, with the minute of the last use.
    pub fn take_uses(&self) -> Vec<(String, i64)> {
        self.keys.as_ref().map_or_else(Vec::new, Keys::take_uses)
    }

    /// Replaces the keys that verify tokens by a key set (RFC 7517); how many of its keys are usable.
    ///
    /// # Errors
    ///
    /// The set is refused; what was there before stays.
    pub fn set_key_set(&self, json: &str) -> Result<usize, KeySetError> {
        self.tokens
            .as_ref()
            .map_or(Ok(0), |tokens| tokens.set_keys(json))
    }

    /// Waits until a token named a key that the key set does not have; whether one did. False at once where no tokens
    /// are taken.
    pub fn wait_for_unknown_key(&self, timeout: Duration) -> bool {
        self.tokens
            .as_ref()
            .is_some_and(|tokens| tokens.wait_for_unknown_key(timeout))
    }

    /// Lets tokens of a tenant in.
    pub fn insert_tenant(&self, tenant: &str) {
        if let Some(tokens) = &self.tokens {
            tokens.insert_tenant(tenant);
        }
    }

    /// Turns tokens of a tenant away at once.
    pub fn remove_tenant(&self, tenant: &str) {
        if let Some(tokens) = &self.tokens {
            tokens.remove_tenant(tenant);
        }
    }

    /// How many verified tokens are remembered.
    pub fn cached_tokens(&self) -> usize {
        self.tokens.as_ref().map_or(0, Tokens::cached)
    }
}

/// The one word after `Bearer`, whose case is free (RFC 6750, RFC 9110 §11.1).
fn credential(header: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = header.split_at_checked(SCHEME.len())?;
    let word = rest.trim_ascii();
    let is_word = !word.is_empty() && word.iter().all(u8::is_ascii_graphic);
    (scheme.eq_ignore_ascii_case(SCHEME) && is_word).then_some(word)
}
