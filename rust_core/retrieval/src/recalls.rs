//! Which memories searches gave, noted beside the searches for whoever keeps count of it.
//!
//! A search adds the ids of its hits to one of a few bounded buffers. It never waits: it takes the next buffer when
//! somebody has the first, and where none has room the ids are dropped and counted.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use parking_lot::Mutex;

use crate::index::SearchOutcome;

const SHARDS: usize = 8;
/// Of each shard. A thousand searches a second of ten hits each fill all of them in seven seconds.
const MOST_IN_A_SHARD: usize = 8192;

/// What was recalled since it was last taken.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recalled {
    /// How often, by memory id.
    pub counts: HashMap<u128, u64>,
    /// How many recalls were dropped for want of room.
    pub dropped: u64,
}

/// The buffers.
#[derive(Debug, Default)]
pub struct Recalls {
    is_on: AtomicBool,
    shards: [Mutex<Vec<u128>>; SHARDS],
    dropped: AtomicU64,
    places: RandomState,
}

impl Recalls {
    /// Whether recalls are noted; at first they are not, since nobody may be there to take them.
    pub fn turn(&self, is_on: bool) {
        self.is_on.store(is_on, Ordering::Relaxed);
    }

    /// Notes what a search gave.
    pub fn note_outcome(&self, outcome: &SearchOutcome) {
        if self.is_on.load(Ordering::Relaxed) && !outcome.hits.is_empty() {
            let given = outcome.hits.iter().flat_map(|hit| {
                std::iter::once(hit)
                    .chain(&hit.grouped)
                    .map(|hit| hit.record.memory_id())
            });
            self.add(given);
        }
    }

    /// Notes memories that were given.
    pub fn note(&self, memory_ids: impl IntoIterator<Item = u128>) {
        if self.is_on.load(Ordering::Relaxed) {
            self.add(memory_ids.into_iter());
        }
    }

    fn add(&self, mut memory_ids: impl Iterator<Item = u128>) {
        // A thread comes to the same buffer each time, and mostly has it for itself.
        let first = self.places.hash_one(thread::current().id()) as usize;
        for step in 0..SHARDS {
            let Some(mut shard) = self.shards[(first.wrapping_add(step)) % SHARDS].try_lock()
            else {
                continue;
            };
            let room = MOST_IN_A_SHARD - shard.len();
            shard.extend(memory_ids.by_ref().take(room));
            if room > 0 {
                break;
            }
        }
        let left = memory_ids.count() as u64;
        if left > 0 {
            self.dropped.fetch_add(left, Ordering::Relaxed);
        }
    }

    /// What was noted since the last call.
    pub fn take(&self) -> Recalled {
        let mut counts = HashMap::new();
        for shard in &self.shards {
            // The buffer keeps its memory: searches are not to wait while it grows anew.
            for memory_id in shard.lock().drain(..) {
                *counts.entry(memory_id).or_insert(0) += 1;
            }
        }
        Recalled {
            counts,
            dropped: self.dropped.swap(0, Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on() -> Recalls {
        let recalls = Recalls::default();
        recalls.turn(true);
        recalls
    }

    #[test]
    fn what_was_given_is_counted_until_it_is_taken() {
        let recalls = on();
        recalls.note([1, 2]);
        recalls.note([2]);
        let taken = recalls.take();
        assert_eq!(taken.counts, HashMap::from([(1, 1), (2, 2)]));
        assert_eq!(recalls.take(), Recalled::default());
    }

    #[test]
    fn nothing_is_noted_unless_somebody_asks_for_it() {
        let recalls = Recalls::default();
        recalls.note([1]);
        assert_eq!(recalls.take(), Recalled::default());
    }

    #[test]
    fn what_finds_no_room_is_dropped_and_counted() {
        let recalls = on();
        let all = SHARDS * MOST_IN_A_SHARD;
        for memory_id in 0..all as u128 + 5 {
            recalls.note([memory_id]);
        }
        let taken = recalls.take();
        assert_eq!((taken.counts.len(), taken.dropped), (all, 5));
        recalls.note([7]);
        assert_eq!(recalls.take().counts.len(), 1);
    }

    #[test]
    fn threads_lose_nothing_while_there_is_room() {
        let recalls = on();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..500).for_each(|_| recalls.note([1, 2])));
            }
        });
        let taken = recalls.take();
        let counted: u64 = taken.counts.values().sum();
        assert_eq!(counted + taken.dropped, 4000);
    }
}
