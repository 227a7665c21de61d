//! API keys: held by the hashes of their secrets.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::RwLock;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::rate::{Bucket, Rate};
use crate::{Principal, Refusal, Restriction, Role};

/// How every secret begins.
pub const SECRET_PREFIX: &str = "mnk_";
/// The prefix and 256 bits in base64url without padding.
const SECRET_LENGTH: usize = SECRET_PREFIX.len() + 43;
const MINUTE_MICROS: i64 = 60_000_000;
const NEVER: i64 = i64::MIN;

/// The hash under which the store and this process know a secret.
///
/// Plain SHA-256: a secret is 256 random bits, so there is nothing that a slow hash would make harder to guess.
pub fn hash_secret(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

/// An API key that is good.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiKey {
    /// Its id; no secret.
    pub key_id: String,
    /// [`hash_secret`] of its secret.
    pub hash: [u8; 32],
    /// Whose it is.
    pub tenant: String,
    /// What it may do.
    pub role: Role,
    /// Which memories it may see.
    pub scope: Restriction,
    /// From then on it is worthless, in microseconds since 1970.
    pub expire_micros: Option<i64>,
    /// How often it may be used; the default rate where unset.
    pub requests_per_second: Option<f64>,
    /// How often at once; the default burst where unset.
    pub request_burst: Option<u32>,
}

#[derive(Debug)]
struct Held {
    hash: [u8; 32],
    expire_micros: Option<i64>,
    principal: Arc<Principal>,
    /// The minute of the last use, and the last one that was taken from here.
    used_micros: AtomicI64,
    taken_micros: AtomicI64,
}

/// The start of a hash, by which keys are found. Half of it keeps keys apart; all of it is compared.
type Found = [u8; 16];

#[derive(Debug, Default)]
pub(crate) struct Keys {
    held: RwLock<Table>,
}

#[derive(Debug, Default)]
struct Table {
    by_hash: HashMap<Found, Arc<Held>, foldhash::fast::RandomState>,
    hashes: HashMap<String, Found, foldhash::fast::RandomState>,
}

impl Keys {
    /// Makes a key good, or changes it.
    pub(crate) fn insert(&self, key: ApiKey, default: Option<Rate>) {
        let rate = Rate::of(key.requests_per_second, key.request_burst, default);
        let found = start_of(&key.hash);
        let held = Arc::new(Held {
            hash: key.hash,
            expire_micros: key.expire_micros,
            used_micros: AtomicI64::new(NEVER),
            taken_micros: AtomicI64::new(NEVER),
            principal: Arc::new(Principal {
                tenant: key.tenant,
                role: key.role,
                scope: key.scope,
                subject: key.key_id.clone(),
                bucket: rate.map(|rate| Arc::new(Bucket::new(rate))),
            }),
        });
        let mut table = self.held.write();
        if let Some(old) = table.hashes.insert(key.key_id, found) {
            table.by_hash.remove(&old);
        }
        table.by_hash.insert(found, held);
    }

    /// Makes a key worthless at once; whether it was there.
    pub(crate) fn remove(&self, key_id: &str) -> bool {
        let mut table = self.held.write();
        let found = table.hashes.remove(key_id);
        found.is_some_and(|found| table.by_hash.remove(&found).is_some())
    }

    pub(crate) fn count(&self) -> usize {
        self.held.read().hashes.len()
    }

    pub(crate) fn authenticate(
        &self,
        secret: &[u8],
        now_micros: i64,
    ) -> Result<Arc<Principal>, Refusal> {
        let unknown = || Refusal::unauthenticated("there is no such API key, or it was revoked");
        if secret.len() != SECRET_LENGTH {
            return Err(Refusal::unauthenticated(
                "this is no API key: they are `mnk_` and 43 characters",
            ));
        }
        let hash = hash_secret(secret);
        let held = self.held.read().by_hash.get(&start_of(&hash)).cloned();
        let held = held.ok_or_else(unknown)?;
        if !bool::from(held.hash.ct_eq(&hash)) {
            return Err(unknown());
        }
        if held.expire_micros.is_some_and(|end| now_micros >= end) {
            return Err(Refusal::unauthenticated("this API key has expired")
                .with("key_id", held.principal.subject.clone()));
        }
        let minute = now_micros - now_micros.rem_euclid(MINUTE_MICROS);
        if held.used_micros.load(Ordering::Relaxed) < minute {
            held.used_micros.store(minute, Ordering::Relaxed);
        }
        Ok(held.principal.clone())
    }

    /// The keys that were used since this was last asked, with the minute of their last use.
    pub(crate) fn take_uses(&self) -> Vec<(String, i64)> {
        let table = self.held.read();
        let uses = table.by_hash.values().filter_map(|held| {
            let used = held.used_micros.load(Ordering::Relaxed);
            let is_new = held.taken_micros.swap(used, Ordering::Relaxed) < used;
            is_new.then(|| (held.principal.subject.clone(), used))
        });
        uses.collect()
    }
}

fn start_of(hash: &[u8; 32]) -> Found {
    *hash.first_chunk().expect("a hash is longer than its start")
}
