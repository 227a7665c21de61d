//! The calls in flight: how many, what they hold, and whether more are taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use tokio::sync::Notify;

use crate::refusal::{Reason, Refusal};
use crate::settings::{MAX_BUFFERED_BYTES, Settings};

const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Counts calls and refuses what is too much.
pub(crate) struct Activity {
    draining: AtomicBool,
    calls: Bounded,
    relayed: Bounded,
    buffered: Bounded,
    idle: Notify,
}

struct Bounded {
    count: AtomicUsize,
    limit: usize,
}

impl Bounded {
    fn new(limit: usize) -> Self {
        Self {
            count: AtomicUsize::new(0),
            limit,
        }
    }

    fn take(&self, amount: usize) -> bool {
        if self.count.fetch_add(amount, SeqCst) + amount > self.limit {
            self.give(amount);
            return false;
        }
        true
    }

    /// What is left.
    fn give(&self, amount: usize) -> usize {
        self.count.fetch_sub(amount, SeqCst) - amount
    }
}

impl Activity {
    pub(crate) fn new(settings: &Settings) -> Arc<Self> {
        Arc::new(Self {
            draining: AtomicBool::new(false),
            calls: Bounded::new(settings.max_calls),
            relayed: Bounded::new(settings.max_relayed_calls),
            buffered: Bounded::new(MAX_BUFFERED_BYTES),
            idle: Notify::new(),
        })
    }

    /// Begins a call.
    ///
    /// # Errors
    /// When the server drains, and when there are as many calls as it serves at once.
    pub(crate) fn begin(self: &Arc<Self>) -> Result<CallGuard, Refusal> {
        if !self.calls.take(1) {
            return Err(overloaded(
                "as many calls are in flight as the server serves at once",
            ));
        }
        let guard = CallGuard {
            activity: self.clone(),
            relayed: false,
            buffered: 0,
        };
        // After it was counted: a drain sees each call that does not see the drain.
        if self.draining.load(SeqCst) {
            return Err(Refusal::shutting_down());
        }
        Ok(guard)
    }

    /// Takes no new calls.
    pub(crate) fn drain(&self) {
        self.draining.store(true, SeqCst);
    }

    /// Calls in flight, those of them at the Python server, and bytes of messages that are being read.
    pub(crate) fn counts(&self) -> [usize; 3] {
        [&self.calls, &self.relayed, &self.buffered].map(|bounded| bounded.count.load(SeqCst))
    }

    /// Waits until no call is in flight; whether that came to be in time.
    pub(crate) async fn wait_idle(&self, timeout: Duration) -> bool {
        let idle = async {
            while self.calls.count.load(SeqCst) != 0 {
                // Looks again by itself too: a call that is refused counts for a moment without telling of its end.
                let _ = tokio::time::timeout(LOOK_AGAIN, self.idle.notified()).await;
            }
        };
        tokio::time::timeout(timeout, idle).await.is_ok()
    }
}

/// One call in flight, until it is dropped.
pub(crate) struct CallGuard {
    activity: Arc<Activity>,
    relayed: bool,
    buffered: usize,
}

impl CallGuard {
    /// The call goes on at the Python server.
    ///
    /// # Errors
    /// When as many calls are there as may be.
    pub(crate) fn relay(&mut self) -> Result<(), Refusal> {
        self.relayed = self.activity.relayed.take(1);
        if self.relayed {
            return Ok(());
        }
        Err(overloaded(
            "as many calls wait as the server takes (server.max_workers + server.max_pending_calls)",
        ))
    }

    /// So many more bytes of the call's message are kept here.
    ///
    /// # Errors
    /// When all calls together keep too many.
    pub(crate) fn buffer(&mut self, bytes: usize) -> Result<(), Refusal> {
        if !self.activity.buffered.take(bytes) {
            return Err(overloaded(
                "the messages that the server is reading take all the memory that they may",
            ));
        }
        self.buffered += bytes;
        Ok(())
    }

    /// The bytes are kept no longer.
    pub(crate) fn release_buffer(&mut self) {
        self.activity
            .buffered
            .give(std::mem::take(&mut self.buffered));
    }
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        self.release_buffer();
        if self.relayed {
            self.activity.relayed.give(1);
        }
        if self.activity.calls.give(1) == 0 && self.activity.draining.load(SeqCst) {
            self.activity.idle.notify_waiters();
        }
    }
}

fn overloaded(words: &str) -> Refusal {
    Refusal::new(Reason::Overloaded, format!("{words}; try again later"))
        .retry_after(Duration::from_secs(1))
}
