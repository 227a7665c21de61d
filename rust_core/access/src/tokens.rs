//! JSON Web Tokens (RFC 7519): verified with the keys that the issuer published.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Validation;
use parking_lot::{Condvar, Mutex, RwLock};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::claims::Bearer;
use crate::key_set::{KeySet, KeySetError};
use crate::keys::hash_secret;
use crate::rate::{Bucket, Rate};
use crate::token_cache::{TokenCache, Verified};
use crate::{Algorithm, ClaimRules, Principal, Refusal};

/// Longer tokens are refused unread.
const MOST_TOKEN_BYTES: usize = 8192;
const MOST_SUBJECT_BYTES: usize = 256;
/// Buckets whose tokens are gone are looked for when there are so many more.
const BUCKETS_BETWEEN_SWEEPS: usize = 4096;
const SECOND_MICROS: i64 = 1_000_000;

/// Which tokens are good, and what they mean.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenRules {
    /// How tokens may be signed; each key verifies the one algorithm of its type.
    pub algorithms: Vec<Algorithm>,
    /// What `iss` must be; anything when unset.
    pub issuer: Option<String>,
    /// One of these must be in `aud`; tokens that name an audience are refused when empty.
    pub audiences: Vec<String>,
    /// How far the issuer's clock may be from ours.
    pub leeway_seconds: u32,
    /// Which claims say what.
    pub claims: ClaimRules,
}

#[derive(Debug)]
pub(crate) struct Tokens {
    rules: TokenRules,
    rate: Option<Rate>,
    keys: ArcSwap<KeySet>,
    /// One more with each change of what makes a token good, so that none is remembered that was verified before it.
    changes: AtomicU64,
    cache: TokenCache,
    tenants: RwLock<HashSet<String>>,
    /// One for each tenant and subject with a token in the cache.
    buckets: Mutex<Buckets>,
    unknown_key: Mutex<bool>,
    unknown_key_seen: Condvar,
}

#[derive(Debug, Default)]
struct Buckets {
    by_subject: HashMap<(String, String), Weak<Bucket>, foldhash::fast::RandomState>,
    sweep_at: usize,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

impl Tokens {
    pub(crate) fn new(rules: TokenRules, rate: Option<Rate>) -> Self {
        Self {
            rules,
            rate,
            keys: ArcSwap::default(),
            changes: AtomicU64::new(0),
            cache: TokenCache::default(),
            tenants: RwLock::default(),
            buckets: Mutex::default(),
            unknown_key: Mutex::new(false),
            unknown_key_seen: Condvar::new(),
        }
    }

    /// Replaces the keys; tokens that were verified with the old ones are forgotten.
    pub(crate) fn set_keys(&self, json: &str) -> Result<usize, KeySetError> {
        let keys = KeySet::parse(json, &self.rules.algorithms)?;
        let count = keys.keys.len();
        self.keys.store(Arc::new(keys));
        self.forget(|_| true);
        Ok(count)
    }

    pub(crate) fn insert_tenant(&self, tenant: &str) {
        self.tenants.write().insert(tenant.to_owned());
    }

    pub(crate) fn remove_tenant(&self, tenant: &str) {
        self.tenants.write().remove(tenant);
        self.forget(|principal| principal.tenant == tenant);
    }

    fn forget(&self, gone: impl Fn(&Principal) -> bool) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.cache.remove_if(gone);
    }

    /// Waits until a token names a key that is not in the set, and forgets that one did; whether one did.
    pub(crate) fn wait_for_unknown_key(&self, timeout: Duration) -> bool {
        let mut seen = self.unknown_key.lock();
        if !*seen {
            self.unknown_key_seen.wait_for(&mut seen, timeout);
        }
        std::mem::take(&mut *seen)
    }

    pub(crate) fn authenticate(
        &self,
        token: &[u8],
        now_micros: i64,
    ) -> Result<Arc<Principal>, Refusal> {
        if token.len() > MOST_TOKEN_BYTES {
            return Err(Refusal::unauthenticated(format!(
                "the token is longer than {MOST_TOKEN_BYTES} bytes"
            ))
            .with("limit_bytes", MOST_TOKEN_BYTES.to_string()));
        }
        let hash = hash_secret(token);
        if let Some(known) = self.cache.get(&hash) {
            return known.at(now_micros);
        }
        let changes = self.changes.load(Ordering::Acquire);
        let verified = self.verify(token)?;
        let principal = verified.at(now_micros)?;
        self.cache.insert(hash, verified);
        if self.changes.load(Ordering::Acquire) != changes {
            // What it was verified with is replaced; the next call sees what now holds.
            self.cache
                .remove_if(|cached| std::ptr::eq(cached, &raw const *principal));
        }
        Ok(principal)
    }

    fn verify(&self, token: &[u8]) -> Result<Verified, Refusal> {
        let claims = self.verified_claims(token)?;
        self.check_issuer(&claims)?;
        self.check_audience(&claims)?;
        let leeway = i64::from(self.rules.leeway_seconds) * SECOND_MICROS;
        let end = time(&claims, "exp")?.ok_or_else(|| {
            Refusal::unauthenticated("the token never expires: `exp` must be given")
                .with("claim", "exp")
        })?;
        let not_before = time(&claims, "nbf")?.unwrap_or(i64::MIN);
        let bearer = self.rules.claims.bearer(&claims)?;
        if !self.tenants.read().contains(&bearer.tenant) {
            return Err(Refusal::unauthenticated(
                "the token is of a tenant that is not here",
            ));
        }
        let subject = match claims.get("sub") {
            Some(Value::String(subject)) if subject.len() <= MOST_SUBJECT_BYTES => subject.clone(),
            None => String::new(),
            Some(_) => {
                return Err(Refusal::unauthenticated(
                    "the token's claim `sub` is no text, or too long",
                )
                .with("claim", "sub"));
            }
        };
        Ok(Verified {
            principal: Arc::new(self.principal(bearer, subject)),
            not_before_micros: not_before.saturating_sub(leeway),
            end_micros: end.saturating_add(leeway),
        })
    }

    /// The claims of a token whose signature is good.
    fn verified_claims(&self, token: &[u8]) -> Result<Map<String, Value>, Refusal> {
        let header = header(token)?;
        if header.crit.is_some() {
            return Err(Refusal::unauthenticated(
                "the token asks for extensions (`crit`) that are not known here",
            ));
        }
        let allowed = |algorithm: &Algorithm| self.rules.algorithms.contains(algorithm);
        let algorithm = Algorithm::named(&header.alg).filter(allowed);
        let algorithm = algorithm.ok_or_else(|| {
            let names: Vec<_> = self
                .rules
                .algorithms
                .iter()
                .map(|each| each.name())
                .collect();
            let names = names.join(", ");
            Refusal::unauthenticated(format!("the token is not signed with one of {names}"))
                .with("algorithms", names)
        })?;
        let mut validation = Validation::new(algorithm.verifier());
        // The claims are checked here, against the time that the caller gave.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let keys = self.keys.load();
        let mut fitting = keys.fitting(algorithm, header.kid.as_deref()).peekable();
        if fitting.peek().is_none() {
            *self.unknown_key.lock() = true;
            self.unknown_key_seen.notify_all();
            return Err(Refusal::unauthenticated(
                "the token is signed with a key that is not in the issuer's key set",
            ));
        }
        fitting
            .find_map(|key| jsonwebtoken::decode(token, &key.key, &validation).ok())
            .map(|data| data.claims)
            .ok_or_else(|| Refusal::unauthenticated("the token's signature or form is wrong"))
    }

    fn check_issuer(&self, claims: &Map<String, Value>) -> Result<(), Refusal> {
        let Some(issuer) = &self.rules.issuer else {
            return Ok(());
        };
        if claims.get("iss").and_then(Value::as_str) == Some(issuer) {
            return Ok(());
        }
        Err(
            Refusal::unauthenticated("the token is not of the configured issuer")
                .with("claim", "iss"),
        )
    }

    /// RFC 7519 §4.1.3: whoever is not in the audience that a token names must refuse it.
    fn check_audience(&self, claims: &Map<String, Value>) -> Result<(), Refusal> {
        let wanted = &self.rules.audiences;
        let is_wanted = |value: &Value| {
            value
                .as_str()
                .is_some_and(|text| wanted.iter().any(|each| each == text))
        };
        let is_good = match claims.get("aud") {
            None => wanted.is_empty(),
            Some(Value::Array(list)) => list.iter().any(is_wanted),
            Some(value) => is_wanted(value),
        };
        if is_good {
            return Ok(());
        }
        Err(Refusal::unauthenticated("the token is not for this server").with("claim", "aud"))
    }

    fn principal(&self, bearer: Bearer, subject: String) -> Principal {
        let bucket = self.rate.map(|rate| {
            let key = (bearer.tenant.clone(), subject.clone());
            self.buckets.lock().of(key, rate)
        });
        Principal {
            tenant: bearer.tenant,
            role: bearer.role,
            scope: bearer.scope,
            subject,
            bucket,
        }
    }

    pub(crate) fn cached(&self) -> usize {
        self.cache.len()
    }
}

impl Verified {
    fn at(&self, now_micros: i64) -> Result<Arc<Principal>, Refusal> {
        if now_micros >= self.end_micros {
            return Err(Refusal::unauthenticated("the token has expired").with("claim", "exp"));
        }
        if now_micros < self.not_before_micros {
            return Err(Refusal::unauthenticated("the token is not good yet").with("claim", "nbf"));
        }
        Ok(self.principal.clone())
    }
}

impl Buckets {
    /// All tokens of a subject take from one bucket, so that more tokens do not mean more calls.
    fn of(&mut self, subject: (String, String), rate: Rate) -> Arc<Bucket> {
        if let Some(bucket) = self.by_subject.get(&subject).and_then(Weak::upgrade) {
            return bucket;
        }
        if self.by_subject.len() >= self.sweep_at {
            self.by_subject
                .retain(|_, bucket| bucket.strong_count() > 0);
            self.sweep_at = self.by_subject.len() + BUCKETS_BETWEEN_SWEEPS;
        }
        let bucket = Arc::new(Bucket::new(rate));
        self.by_subject.insert(subject, Arc::downgrade(&bucket));
        bucket
    }
}

fn header(token: &[u8]) -> Result<Header, Refusal> {
    let parts: Vec<&[u8]> = token.splitn(4, |&byte| byte == b'.').collect();
    let read = |&encoded: &&[u8]| -> Option<Header> {
        let json = URL_SAFE_NO_PAD.decode(encoded).ok()?;
        serde_json::from_slice(&json).ok()
    };
    let [first, _, _] = parts.as_slice() else {
        return Err(malformed());
    };
    read(first).ok_or_else(malformed)
}

fn malformed() -> Refusal {
    Refusal::unauthenticated("the credential is neither an API key (`mnk_…`) nor a token")
}

/// A time of the claims in microseconds. They are seconds, with or without a fraction.
fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Option<i64>, Refusal> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => value
            .as_f64()
            .filter(|seconds| seconds.is_finite())
            // A conversion of floats saturates.
            .map(|seconds| Some((seconds * 1e6) as i64))
            .ok_or_else(|| {
                Refusal::unauthenticated(format!("the token's claim `{name}` is no time"))
                    .with("claim", name)
            }),
    }
}
