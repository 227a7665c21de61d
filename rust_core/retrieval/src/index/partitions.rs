//! The partitions in memory, by their keys.
//!
//! There may be a hundred thousand of them and more, most of them small: a partition has its key with it, and the
//! tables hold nothing but pointers.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use parking_lot::RwLock;

use crate::partition::{KeyParts, Partition, PartitionKey};

/// So many locks that threads seldom meet at one; each is held for one look-up or insertion.
const SHARDS: u64 = 64;
/// The bits of a hash that choose the shard are none of those that tables use, which are the lowest and the highest.
const SHARD_SHIFT: u32 = 40;

/// All partitions.
pub(super) struct Partitions {
    /// Chosen anew in each process, so that nobody can choose keys that meet.
    hasher: RandomState,
    shards: Box<[RwLock<HashTable<Arc<Partition>>>]>,
}

impl Partitions {
    pub(super) fn new() -> Self {
        Self {
            hasher: RandomState::default(),
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
        }
    }

    /// What a function makes of a partition that is there.
    pub(super) fn with<T>(
        &self,
        key: &PartitionKey,
        get: impl FnOnce(&Arc<Partition>) -> T,
    ) -> Option<T> {
        let parts = KeyParts::of(key);
        let hash = self.hasher.hash_one(parts);
        let shard = self.shard(hash).read();
        shard.find(hash, |held| held.key() == parts).map(get)
    }

    /// Puts a partition in if there is none; the one that is there now.
    pub(super) fn insert(
        &self,
        key: &PartitionKey,
        new: impl FnOnce() -> Arc<Partition>,
    ) -> Arc<Partition> {
        let parts = KeyParts::of(key);
        let hash = self.hasher.hash_one(parts);
        let mut shard = self.shard(hash).write();
        let is_same = |held: &Arc<Partition>| held.key() == parts;
        let entry = shard.entry(hash, is_same, |held| self.hasher.hash_one(held.key()));
        match entry {
            Entry::Occupied(held) => Arc::clone(held.get()),
            Entry::Vacant(place) => {
                let held = new();
                place.insert(Arc::clone(&held));
                held
            }
        }
    }

    /// Takes a partition out; whether it was there.
    pub(super) fn remove(&self, key: &PartitionKey) -> bool {
        let parts = KeyParts::of(key);
        let hash = self.hasher.hash_one(parts);
        let mut shard = self.shard(hash).write();
        let found = shard.find_entry(hash, |held| held.key() == parts);
        let removed = found.ok().map(|entry| entry.remove().0);
        // What it held is freed when nobody waits for the lock.
        drop(shard);
        removed.is_some()
    }

    /// Every one, shard by shard.
    pub(super) fn all(&self) -> impl Iterator<Item = Arc<Partition>> {
        self.shards.iter().flat_map(|shard| {
            let held: Vec<Arc<Partition>> = shard.read().iter().cloned().collect();
            held
        })
    }

    fn shard(&self, hash: u64) -> &RwLock<HashTable<Arc<Partition>>> {
        &self.shards[(hash >> SHARD_SHIFT & (SHARDS - 1)) as usize]
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Partitions;
    use crate::partition::{Partition, PartitionKey};

    fn key(tenant: &str, owner_kind: u8, owner_id: &str) -> PartitionKey {
        PartitionKey {
            tenant: tenant.to_owned(),
            owner_kind,
            owner_id: owner_id.to_owned(),
        }
    }

    #[test]
    fn keys_that_differ_in_one_part_are_of_different_partitions() {
        let partitions = Partitions::new();
        let mut keys: Vec<PartitionKey> = (0..2_000)
            .map(|user| key("t", 1, &format!("{user}")))
            .collect();
        keys.extend([
            key("ab", 1, "c"),
            key("a", 1, "bc"),
            key("", 1, "abc"),
            key("abc", 1, ""),
        ]);
        keys.extend([key("a", 2, "bc"), key("", 2, "")]);
        let held: Vec<_> = keys
            .iter()
            .map(|key| partitions.insert(key, || Arc::new(Partition::new(key, 1))))
            .collect();
        for (key, held) in keys.iter().zip(&held) {
            let again = partitions.insert(key, || unreachable!("it is there"));
            assert!(Arc::ptr_eq(&again, held));
            assert!(
                partitions
                    .with(key, |found| Arc::ptr_eq(found, held))
                    .expect("it is there")
            );
        }
        assert_eq!(partitions.all().count(), keys.len());
        for key in &keys {
            assert!(partitions.remove(key) && !partitions.remove(key));
            assert!(partitions.with(key, |_| ()).is_none());
        }
        assert_eq!(partitions.all().count(), 0);
    }
}
