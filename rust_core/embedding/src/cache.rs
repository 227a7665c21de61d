//! Vectors of recent texts kept in memory.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::lru::Lru;

/// A smaller part would forget texts that a whole cache of the same size would still know.
const LEAST_ENTRIES_OF_A_SHARD: usize = 256;
const MOST_SHARDS: usize = 16;

/// A unit vector as it is sent and kept: little-endian float32.
pub type Vector = Arc<[u8]>;

/// SHA-256 of identity, NUL and text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl Key {
    /// The key of a text under a model's identity.
    #[must_use]
    pub fn new(text: &[u8], identity: &[u8]) -> Self {
        let digest = Sha256::new()
            .chain_update(identity)
            .chain_update([0])
            .chain_update(text);
        Self(digest.finalize().into())
    }

    fn word(&self, position: usize) -> u64 {
        let start = position * 8;
        self.0[start..start + 8]
            .iter()
            .fold(0, |word, byte| word << 8 | u64::from(*byte))
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.word(0));
    }
}

/// A bounded cache of the unit vectors of one model, least recently used out first; safe to use from many threads.
///
/// Large caches are divided by key, so that callers seldom wait for one another; each part forgets on its own.
pub struct VectorCache {
    identity: String,
    dimension: usize,
    shards: Box<[Mutex<Lru<Vector>>]>,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl VectorCache {
    /// An empty cache.
    ///
    /// `entries` vectors are kept at most (0: none), of the model with this identity, of `dimension` components each.
    #[must_use]
    pub fn new(identity: &str, dimension: usize, entries: usize) -> Self {
        let shards = match entries {
            0 => 0,
            _ => (entries / LEAST_ENTRIES_OF_A_SHARD).clamp(1, MOST_SHARDS),
        };
        let shards = (0..shards)
            .map(|shard| Mutex::new(Lru::new((entries + shard) / shards)))
            .collect();
        Self {
            identity: identity.to_owned(),
            dimension,
            shards,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// The identity of the model whose vectors it holds.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The components of a vector.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The key of a text; UTF-8, or what Python makes of a lone surrogate.
    #[must_use]
    pub fn key(&self, text: &[u8]) -> Key {
        Key::new(text, self.identity.as_bytes())
    }

    /// A text's unit vector as little-endian float32, counted as a hit if it is known.
    pub fn get(&self, key: &Key) -> Option<Vector> {
        let found = self.shard(key)?.lock().get(key).cloned()?;
        self.hits.fetch_add(1, Ordering::Relaxed);
        Some(found)
    }

    /// Keeps a vector of [`VectorCache::dimension`] components; others are left out.
    pub fn insert(&self, key: Key, vector: Vector) {
        if vector.len() != self.dimension * size_of::<f32>() {
            return;
        }
        if let Some(shard) = self.shard(&key) {
            let forgotten = shard.lock().insert(key, vector);
            // Freed after the lock is released.
            drop(forgotten);
        }
    }

    /// Counts texts that had to be given to the model.
    pub fn count_misses(&self, texts: u64) {
        self.misses.fetch_add(texts, Ordering::Relaxed);
    }

    /// Texts answered from memory.
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// Texts given to the model.
    pub fn misses(&self) -> u64 {
        self.misses.load(Ordering::Relaxed)
    }

    /// How many vectors it holds.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all vectors.
    pub fn clear(&self) {
        for shard in &self.shards {
            shard.lock().clear();
        }
    }

    fn shard(&self, key: &Key) -> Option<&Mutex<Lru<Vector>>> {
        // Other bytes than those that the map inside uses.
        let shards = self.shards.len() as u64;
        (shards > 0).then(|| &self.shards[(key.word(1) % shards) as usize])
    }
}

pub(crate) fn as_bytes(vector: &[f32]) -> Vector {
    let mut bytes = Vec::with_capacity(size_of_val(vector));
    for component in vector {
        bytes.extend_from_slice(&component.to_le_bytes());
    }
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(value: f32) -> Vector {
        as_bytes(&[value, 0.0])
    }

    #[test]
    fn a_kept_vector_is_found_again_and_counted() {
        let cache = VectorCache::new("model:1", 2, 4);
        let key = cache.key("tea".as_bytes());
        assert_eq!(cache.get(&key), None);
        cache.insert(key, vector(1.0));
        assert_eq!(cache.get(&key), Some(vector(1.0)));
        assert_eq!((cache.hits(), cache.len()), (1, 1));
    }

    #[test]
    fn the_key_is_the_digest_of_identity_nul_and_text() {
        let found = Key::new("café".as_bytes(), b"minilm-int8:abc");
        let expected = Sha256::digest("minilm-int8:abc\0café".as_bytes());
        assert_eq!(found.0.as_slice(), expected.as_slice());
    }

    #[test]
    fn identity_and_text_are_not_mixed_up() {
        assert_ne!(Key::new(b"b", b"a"), Key::new(b"", b"ab"));
    }

    #[test]
    fn a_vector_of_another_length_is_not_kept() {
        let cache = VectorCache::new("model:1", 3, 4);
        cache.insert(cache.key(b"tea"), vector(1.0));
        assert!(cache.is_empty());
    }

    #[test]
    fn all_parts_together_hold_as_many_as_asked_for() {
        for entries in [0, 1, 255, 256, 1000, 4097] {
            let cache = VectorCache::new("model:1", 2, entries);
            for number in 0..3 * entries {
                cache.insert(cache.key(&number.to_le_bytes()), vector(1.0));
            }
            assert!(cache.len() <= entries);
            assert!(
                cache.len() >= entries * 9 / 10,
                "{} of {entries}",
                cache.len()
            );
        }
    }

    #[test]
    fn a_cleared_cache_knows_nothing() {
        let cache = VectorCache::new("model:1", 2, 4);
        cache.insert(cache.key(b"tea"), vector(1.0));
        cache.clear();
        assert_eq!(cache.get(&cache.key(b"tea")), None);
    }
}
