//! Running a model for many callers at once.

mod flights;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::cache::as_bytes;
use crate::{Error, Key, QueryModel, Vector, VectorCache};

use flights::{Answer, Boarding, Flight, Flights, Waiter};

/// A quick model embeds texts of up to so many bytes on the thread of their caller.
const QUICK_BYTES: usize = 1_024;

/// How much may run and wait at once.
#[derive(Clone, Copy, Debug)]
pub struct Queue {
    /// Threads that run the model; at least 1.
    pub threads: usize,
    /// Requests that may wait beside those that run.
    pub waiting: usize,
}

/// What an embedder did and is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// Texts answered from memory, Python's included.
    pub hits: u64,
    /// Texts given to the model, Python's included.
    pub misses: u64,
    /// Requests that shared a run which another one had asked for.
    pub joined: u64,
    /// Requests that wait for a vector now.
    pub waiting: usize,
    /// Texts that the model works on now.
    pub running: usize,
}

/// Embeds single texts: known ones from the cache, fresh ones on a fixed pool of threads, or at once by a model that is quick.
///
/// A fresh text that several callers ask for at once is embedded once. A request that finds the queue full is refused
/// at once; one whose deadline passed before its turn costs no run.
pub struct QueryEmbedder {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    model: Option<Arc<dyn QueryModel>>,
    cache: Arc<VectorCache>,
    flights: Mutex<Flights>,
    work: Condvar,
}

impl QueryEmbedder {
    /// An embedder with its threads.
    ///
    /// Without a model (it runs elsewhere) only what the cache holds is known. A model must be of the identity that
    /// the cache is of.
    ///
    /// # Errors
    /// [`Error::Internal`] when a thread cannot be started.
    pub fn new(
        model: Option<Arc<dyn QueryModel>>,
        cache: Arc<VectorCache>,
        queue: Queue,
    ) -> Result<Self, Error> {
        let threads = match model {
            Some(_) => queue.threads.max(1),
            None => 0,
        };
        let embedder = Self {
            shared: Arc::new(Shared {
                model,
                cache,
                flights: Mutex::new(Flights::new(threads + queue.waiting)),
                work: Condvar::new(),
            }),
            threads: Mutex::new(Vec::with_capacity(threads)),
        };
        for number in 0..threads {
            let shared = Arc::clone(&embedder.shared);
            let thread = thread::Builder::new()
                .name(format!("mnemic-embed-{number}"))
                .spawn(move || shared.serve())
                .map_err(|error| Error::Internal(format!("no thread for the model: {error}")))?;
            embedder.threads.lock().push(thread);
        }
        Ok(embedder)
    }

    /// Names the model.
    pub fn identity(&self) -> &str {
        self.shared.cache.identity()
    }

    /// The components of a vector.
    pub fn dimension(&self) -> usize {
        self.shared.cache.dimension()
    }

    /// Whether it can embed a text that the cache does not hold.
    pub fn runs_model(&self) -> bool {
        self.shared.model.is_some()
    }

    /// The unit vector of a known text.
    pub fn cached(&self, text: &str) -> Option<Vector> {
        let cache = &self.shared.cache;
        cache.get(&cache.key(text.as_bytes()))
    }

    /// Embeds a text and calls `done` with its unit vector.
    ///
    /// `done` is called once: before this returns, if the text is known, the request is refused, or the model is quick and
    /// the text not long, else later on a thread of the pool. It must not work long there.
    ///
    /// The errors are [`Error::Overloaded`], [`Error::Deadline`] when the deadline passed before the model was run,
    /// [`Error::NoModel`], [`Error::Closed`], and those of the model.
    pub fn embed<F>(&self, text: &str, deadline: Option<Instant>, done: F)
    where
        F: FnOnce(Answer) + Send + 'static,
    {
        let shared = &self.shared;
        let key = shared.cache.key(text.as_bytes());
        if let Some(vector) = shared.cache.get(&key) {
            return done(Ok(vector));
        }
        let Some(model) = shared.model.as_deref() else {
            return done(Err(Error::NoModel));
        };
        // To wake a thread for it, and one for its vector, would take longer.
        if model.is_quick() && text.len() <= QUICK_BYTES {
            if shared.flights.lock().closed() {
                return done(Err(Error::Closed));
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return done(Err(too_late()));
            }
            shared.cache.count_misses(1);
            return done(shared.run(model, &key, text));
        }
        let waiter = Waiter::new(deadline, done);
        let mut flights = shared.flights.lock();
        // A run may have ended since: its vector is kept before its flight lands.
        if !flights.has(&key)
            && let Some(vector) = shared.cache.get(&key)
        {
            drop(flights);
            return waiter.tell(Ok(vector));
        }
        let late = flights.make_room(Instant::now());
        let boarded = flights.board(key, text, waiter);
        drop(flights);
        for waiter in late {
            waiter.tell(Err(too_late()));
        }
        match boarded {
            Ok(Boarding::NewText) => {
                shared.cache.count_misses(1);
                shared.work.notify_one();
            }
            Ok(Boarding::Joined) => {}
            Err((waiter, error)) => waiter.tell(Err(error)),
        }
    }

    /// What it did and is doing.
    pub fn counters(&self) -> Counters {
        let (hits, misses) = (self.shared.cache.hits(), self.shared.cache.misses());
        let flights = self.shared.flights.lock();
        Counters {
            hits,
            misses,
            joined: flights.joined(),
            waiting: flights.waiting(),
            running: flights.running(),
        }
    }

    /// Refuses what waits and what comes, and waits for the runs that have begun. Further calls do nothing.
    pub fn close(&self) {
        let refused = self.shared.flights.lock().close();
        self.shared.work.notify_all();
        for waiter in refused {
            waiter.tell(Err(Error::Closed));
        }
        let threads = std::mem::take(&mut *self.threads.lock());
        for thread in threads {
            // The last owner may be a callback: a thread cannot wait for itself, and ends when the callback does.
            if thread.thread().id() != thread::current().id() {
                // A panic of the model was answered where it happened.
                let _ = thread.join();
            }
        }
    }
}

impl Drop for QueryEmbedder {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    /// The life of a thread of the pool.
    fn serve(&self) {
        let Some(model) = self.model.as_deref() else {
            return;
        };
        while let Some((flight, late)) = self.next() {
            for waiter in late {
                waiter.tell(Err(too_late()));
            }
            let Some(Flight { key, text }) = flight else {
                continue;
            };
            let answer = self.run(model, &key, &text);
            let waiters = self.flights.lock().land(&key);
            for waiter in waiters {
                waiter.tell(answer.clone());
            }
        }
    }

    /// Waits for work: a text to run, unless nobody waits for it any more, and the callers that are too late for it.
    fn next(&self) -> Option<(Option<Flight>, Vec<Waiter>)> {
        let mut flights = self.flights.lock();
        loop {
            if let Some(next) = flights.depart(Instant::now()) {
                return Some(next);
            }
            if flights.closed() {
                return None;
            }
            self.work.wait(&mut flights);
        }
    }

    fn run(&self, model: &dyn QueryModel, key: &Key, text: &str) -> Answer {
        // Models take `&self` and keep no state between calls, so a panic leaves nothing half done.
        let vector = catch_unwind(AssertUnwindSafe(|| model.embed(text)))
            .unwrap_or_else(|_| Err(Error::Internal("the embedding model panicked".to_owned())))?;
        let vector = as_bytes(&vector);
        self.cache.insert(*key, Arc::clone(&vector));
        Ok(vector)
    }
}

fn too_late() -> Error {
    Error::Deadline("the deadline passed in the queue of the embedding model".to_owned())
}
