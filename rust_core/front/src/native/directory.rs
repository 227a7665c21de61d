//! Which partition a memory is in, of those that were seen lately.
//!
//! Ids are not indexed across partitions. Who reads a memory by its id has mostly seen it before, in a search or in an
//! earlier read; for those a small table is enough, and the others are asked of the store.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use mnemic_retrieval::PartitionKey;
use parking_lot::Mutex;

/// So many locks that threads seldom meet at one.
const SHARDS: usize = 64;
/// Places that one id may take; a new one takes that of the oldest.
const WAYS: usize = 8;
const SETS: usize = 128;
/// How many ids it knows at most.
#[cfg(test)]
const CAPACITY: usize = SHARDS * SETS * WAYS;

/// From memory ids to partitions: 65,536 of them at most, whatever happens.
pub(super) struct Directory {
    hasher: RandomState,
    shards: Box<[Mutex<Shard>]>,
}

type Set = [Option<(u128, Arc<PartitionKey>)>; WAYS];

struct Shard {
    /// Made when the first id comes.
    sets: Box<[Set]>,
}

impl Directory {
    pub(super) fn new() -> Self {
        let shard = |_| {
            Mutex::new(Shard {
                sets: Box::default(),
            })
        };
        Self {
            hasher: RandomState::default(),
            shards: (0..SHARDS).map(shard).collect(),
        }
    }

    /// Notes where a memory is. A memory never moves, so that most notes find themselves there.
    pub(super) fn note(&self, memory_id: u128, key: &Arc<PartitionKey>) {
        let (shard, set) = self.place(memory_id);
        let mut shard = self.shards[shard].lock();
        if shard.sets.is_empty() {
            shard.sets = (0..SETS).map(|_| Set::default()).collect();
        }
        let set = &mut shard.sets[set];
        let known = |entry: &Option<(u128, Arc<PartitionKey>)>| {
            entry.as_ref().is_some_and(|(id, _)| *id == memory_id)
        };
        match set.iter_mut().find(|entry| known(entry)) {
            Some(Some((_, held))) if Arc::ptr_eq(held, key) || held == key => {}
            Some(entry) => *entry = Some((memory_id, Arc::clone(key))),
            None => {
                set.rotate_right(1);
                set[0] = Some((memory_id, Arc::clone(key)));
            }
        }
    }

    /// Where a memory is, if that was noted and has not been crowded out.
    pub(super) fn find(&self, memory_id: u128) -> Option<Arc<PartitionKey>> {
        let (shard, set) = self.place(memory_id);
        let shard = self.shards[shard].lock();
        let mut held = shard.sets.get(set)?.iter().flatten();
        held.find(|(id, _)| *id == memory_id)
            .map(|(_, key)| Arc::clone(key))
    }

    fn place(&self, memory_id: u128) -> (usize, usize) {
        let hash = self.hasher.hash_one(memory_id) as usize;
        (hash % SHARDS, hash / SHARDS % SETS)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mnemic_retrieval::PartitionKey;

    use super::{CAPACITY, Directory};

    fn key(owner_id: &str) -> Arc<PartitionKey> {
        Arc::new(PartitionKey {
            tenant: "default".to_owned(),
            owner_kind: 1,
            owner_id: owner_id.to_owned(),
        })
    }

    #[test]
    fn what_was_noted_last_is_found() {
        let directory = Directory::new();
        assert_eq!(directory.find(1), None);
        directory.note(1, &key("a"));
        directory.note(2, &key("b"));
        directory.note(1, &key("c"));
        assert_eq!(directory.find(1), Some(key("c")));
        assert_eq!(directory.find(2), Some(key("b")));
    }

    #[test]
    fn it_holds_no_more_than_its_capacity() {
        assert_eq!(CAPACITY, 65_536);
        let (directory, key) = (Directory::new(), key("a"));
        for id in 0..2 * CAPACITY as u128 {
            directory.note(id, &key);
            assert_eq!(directory.find(id).as_ref(), Some(&key));
        }
        assert!(Arc::strong_count(&key) <= CAPACITY + 1);
        assert!(Arc::strong_count(&key) > CAPACITY / 2);
    }
}
