//! Tokens that were verified, by the hashes of their bytes: a signature is checked once, not with every call.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::Principal;

/// How many tokens half of the cache holds.
const MOST: usize = 8192;

type Generation = HashMap<[u8; 32], Verified, foldhash::fast::RandomState>;

/// A token that was good.
#[derive(Clone, Debug)]
pub(crate) struct Verified {
    pub(crate) principal: Arc<Principal>,
    pub(crate) not_before_micros: i64,
    pub(crate) end_micros: i64,
}

/// Bounded by two generations: when the younger is full, the older is dropped and the younger takes its place.
#[derive(Debug, Default)]
pub(crate) struct TokenCache {
    generations: RwLock<Generations>,
}

/// The younger and the older.
#[derive(Debug, Default)]
struct Generations(Generation, Generation);

impl Generations {
    fn insert(&mut self, hash: [u8; 32], verified: Verified) {
        if self.0.len() >= MOST {
            self.1 = mem::take(&mut self.0);
        }
        self.0.insert(hash, verified);
    }
}

impl TokenCache {
    pub(crate) fn get(&self, hash: &[u8; 32]) -> Option<Verified> {
        let generations = self.generations.read();
        if let Some(found) = generations.0.get(hash) {
            return Some(found.clone());
        }
        let is_old = generations.1.contains_key(hash);
        drop(generations);
        is_old.then(|| self.make_young(hash)).flatten()
    }

    fn make_young(&self, hash: &[u8; 32]) -> Option<Verified> {
        let mut generations = self.generations.write();
        let found = generations.1.remove(hash)?;
        generations.insert(*hash, found.clone());
        Some(found)
    }

    pub(crate) fn insert(&self, hash: [u8; 32], verified: Verified) {
        self.generations.write().insert(hash, verified);
    }

    pub(crate) fn remove_if(&self, gone: impl Fn(&Principal) -> bool) {
        let mut generations = self.generations.write();
        let Generations(young, old) = &mut *generations;
        for generation in [young, old] {
            generation.retain(|_, verified| !gone(&verified.principal));
        }
    }

    pub(crate) fn len(&self) -> usize {
        let generations = self.generations.read();
        generations.0.len() + generations.1.len()
    }
}
