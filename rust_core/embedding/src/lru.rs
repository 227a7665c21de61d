//! A bounded map that forgets what was not used the longest.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};

use crate::cache::Key;

/// No entry: the end of the chain.
const NONE: u32 = u32::MAX;

/// Keys are digests, so any eight of their bytes are as good as a hash.
#[derive(Default)]
pub(crate) struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are hashed as one number");
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

struct Slot<V> {
    key: Key,
    value: V,
    newer: u32,
    older: u32,
}

/// Least recently used out first. Both operations take constant time.
pub(crate) struct Lru<V> {
    positions: HashMap<Key, u32, BuildHasherDefault<DigestHasher>>,
    slots: Vec<Slot<V>>,
    capacity: usize,
    newest: u32,
    oldest: u32,
}

impl<V> Lru<V> {
    /// An empty map of at most `capacity` entries; at least 1.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            positions: HashMap::default(),
            slots: Vec::new(),
            capacity: capacity.clamp(1, NONE as usize),
            newest: NONE,
            oldest: NONE,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The value of a key, which is then the one used last.
    pub(crate) fn get(&mut self, key: &Key) -> Option<&V> {
        let position = *self.positions.get(key)?;
        self.use_now(position);
        Some(&self.slots[position as usize].value)
    }

    /// Sets the value of a key, which is then the one used last, and gives back the value that made room for it.
    pub(crate) fn insert(&mut self, key: Key, value: V) -> Option<V> {
        let full = self.slots.len() == self.capacity;
        let oldest = self.oldest;
        let (position, replaced) = match self.positions.entry(key) {
            Entry::Occupied(entry) => {
                let position = *entry.get();
                let slot = &mut self.slots[position as usize];
                (position, Some(std::mem::replace(&mut slot.value, value)))
            }
            Entry::Vacant(entry) if full => {
                entry.insert(oldest);
                let slot = &mut self.slots[oldest as usize];
                let forgotten = std::mem::replace(&mut slot.key, key);
                let value = std::mem::replace(&mut slot.value, value);
                self.positions.remove(&forgotten);
                (oldest, Some(value))
            }
            Entry::Vacant(entry) => {
                let position = self.slots.len() as u32;
                entry.insert(position);
                self.slots.push(Slot {
                    key,
                    value,
                    newer: NONE,
                    older: NONE,
                });
                self.link_newest(position);
                return None;
            }
        };
        self.use_now(position);
        replaced
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.capacity);
    }

    fn use_now(&mut self, position: u32) {
        if position == self.newest {
            return;
        }
        let Slot { newer, older, .. } = self.slots[position as usize];
        // It is not the newest, so there is a newer one.
        self.slots[newer as usize].older = older;
        match older {
            NONE => self.oldest = newer,
            _ => self.slots[older as usize].newer = newer,
        }
        self.link_newest(position);
    }

    fn link_newest(&mut self, position: u32) {
        let slot = &mut self.slots[position as usize];
        (slot.newer, slot.older) = (NONE, self.newest);
        match self.newest {
            NONE => self.oldest = position,
            newest => self.slots[newest as usize].newer = position,
        }
        self.newest = position;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    fn key(number: u8) -> Key {
        Key::new(&[number], b"")
    }

    proptest! {
        /// The model: a list of keys and values, newest last.
        #[test]
        fn it_forgets_what_was_used_longest_ago(
            steps in prop::collection::vec((any::<bool>(), 0..12_u8, any::<u16>()), 0..200),
            capacity in 1..8_usize,
        ) {
            let mut lru = Lru::new(capacity);
            let mut model: VecDeque<(u8, u16)> = VecDeque::new();
            for (insert, name, value) in steps {
                let known = model.iter().position(|(other, _)| *other == name);
                let old = known.and_then(|position| model.remove(position));
                if insert {
                    let made_room = if old.is_none() && model.len() == capacity { model.pop_front() } else { old };
                    prop_assert_eq!(lru.insert(key(name), value), made_room.map(|(_, value)| value));
                    model.push_back((name, value));
                } else {
                    prop_assert_eq!(lru.get(&key(name)).copied(), old.map(|(_, value)| value));
                    model.extend(old);
                }
                prop_assert_eq!(lru.len(), model.len());
            }
        }
    }
}
