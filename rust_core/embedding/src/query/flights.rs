//! Which texts wait for the model or are being run, and who waits for each.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use crate::lru::DigestHasher;
use crate::{Error, Key, Vector};

/// A vector, or why there is none.
pub(super) type Answer = Result<Vector, Error>;

/// A caller who waits for a vector.
pub(super) struct Waiter {
    deadline: Option<Instant>,
    done: Box<dyn FnOnce(Answer) + Send>,
}

impl Waiter {
    pub(super) fn new(
        deadline: Option<Instant>,
        done: impl FnOnce(Answer) + Send + 'static,
    ) -> Self {
        Self {
            deadline,
            done: Box::new(done),
        }
    }

    /// Calls back. A callback that panics costs the other callers nothing.
    pub(super) fn tell(self, answer: Answer) {
        let _ = catch_unwind(AssertUnwindSafe(|| (self.done)(answer)));
    }

    fn is_late(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }
}

/// A text whose turn has come.
pub(super) struct Flight {
    pub(super) key: Key,
    pub(super) text: Box<str>,
}

/// Texts in the order in which they came, each with all who wait for it; at most `capacity` callers.
pub(super) struct Flights {
    waiters: HashMap<Key, Vec<Waiter>, BuildHasherDefault<DigestHasher>>,
    queue: VecDeque<Flight>,
    capacity: usize,
    waiting: usize,
    joined: u64,
    closed: bool,
}

/// How a caller was taken in.
pub(super) enum Boarding {
    /// The text is a new one: a thread must be woken for it.
    NewText,
    /// Another caller asked for the text before.
    Joined,
}

impl Flights {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            waiters: HashMap::default(),
            queue: VecDeque::new(),
            capacity,
            waiting: 0,
            joined: 0,
            closed: false,
        }
    }

    /// Callers that wait, those whose text is being run included.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Callers that shared the run of another one.
    pub(super) fn joined(&self) -> u64 {
        self.joined
    }

    /// Texts being run.
    pub(super) fn running(&self) -> usize {
        self.waiters.len() - self.queue.len()
    }

    pub(super) fn closed(&self) -> bool {
        self.closed
    }

    /// When it is full: takes out those who wait in the queue for nothing any more.
    pub(super) fn make_room(&mut self, now: Instant) -> Vec<Waiter> {
        let mut late = Vec::new();
        if self.waiting < self.capacity {
            return late;
        }
        let waiters = &mut self.waiters;
        self.queue.retain(|flight| {
            let Some(waiting) = waiters.get_mut(&flight.key) else {
                return false;
            };
            late.extend(waiting.extract_if(.., |waiter| waiter.is_late(now)));
            let wanted = !waiting.is_empty();
            if !wanted {
                waiters.remove(&flight.key);
            }
            wanted
        });
        self.waiting -= late.len();
        late
    }

    /// Whether the text waits or is being run.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.waiters.contains_key(key)
    }

    /// Takes a caller in, or gives it back when there is no room.
    pub(super) fn board(
        &mut self,
        key: Key,
        text: &str,
        waiter: Waiter,
    ) -> Result<Boarding, (Waiter, Error)> {
        if self.closed {
            return Err((waiter, Error::Closed));
        }
        if self.waiting >= self.capacity {
            return Err((waiter, Error::Overloaded));
        }
        self.waiting += 1;
        if let Some(waiting) = self.waiters.get_mut(&key) {
            waiting.push(waiter);
            self.joined += 1;
            return Ok(Boarding::Joined);
        }
        self.waiters.insert(key, vec![waiter]);
        self.queue.push_back(Flight {
            key,
            text: text.into(),
        });
        Ok(Boarding::NewText)
    }

    /// The next text, unless all who waited for it are too late; and those who are.
    pub(super) fn depart(&mut self, now: Instant) -> Option<(Option<Flight>, Vec<Waiter>)> {
        let flight = self.queue.pop_front()?;
        let waiting = self.waiters.get_mut(&flight.key)?;
        let late: Vec<Waiter> = waiting
            .extract_if(.., |waiter| waiter.is_late(now))
            .collect();
        self.waiting -= late.len();
        if waiting.is_empty() {
            self.waiters.remove(&flight.key);
            return Some((None, late));
        }
        Some((Some(flight), late))
    }

    /// All who waited for a text that was run, those who came meanwhile included.
    pub(super) fn land(&mut self, key: &Key) -> Vec<Waiter> {
        let waiting = self.waiters.remove(key).unwrap_or_default();
        self.waiting -= waiting.len();
        waiting
    }

    /// Takes in no more, and gives back those whose text is not being run.
    pub(super) fn close(&mut self) -> Vec<Waiter> {
        self.closed = true;
        let queue = std::mem::take(&mut self.queue);
        queue
            .iter()
            .flat_map(|flight| self.land(&flight.key))
            .collect()
    }
}
