//! Whether a connection is in use: how many of its calls are open, and since when there is none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The open calls of one connection.
pub(crate) struct Presence {
    began: Instant,
    open: AtomicUsize,
    /// When the last call ended, in microseconds after the beginning.
    left_micros: AtomicU64,
}

impl Presence {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            open: AtomicUsize::new(0),
            left_micros: AtomicU64::new(0),
        })
    }

    /// A call begins; it is open until what is given is dropped.
    pub(crate) fn enter(self: &Arc<Self>) -> OpenCall {
        self.open.fetch_add(1, SeqCst);
        OpenCall(self.clone())
    }

    /// Waits until no call has been open for so long, beginning now.
    pub(crate) async fn idle_for(&self, period: Duration) {
        let began = self.began.elapsed();
        loop {
            let left = if self.open.load(SeqCst) > 0 {
                period
            } else {
                let left = Duration::from_micros(self.left_micros.load(SeqCst));
                let since = left.max(began);
                period.saturating_sub(self.began.elapsed().saturating_sub(since))
            };
            if left.is_zero() {
                return;
            }
            sleep(left).await;
        }
    }
}

/// One call of a connection.
pub(crate) struct OpenCall(Arc<Presence>);

impl Drop for OpenCall {
    fn drop(&mut self) {
        let since = self.0.began.elapsed().as_micros() as u64;
        self.0.left_micros.store(since, SeqCst);
        self.0.open.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_calls_is_idle_after_the_period() {
        let began = Instant::now();
        Presence::new().idle_for(PERIOD).await;
        assert_eq!(began.elapsed().as_secs(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_call_keeps_it_and_its_end_begins_the_period_anew() {
        let presence = Presence::new();
        let began = Instant::now();
        let (long, short) = (presence.enter(), presence.enter());
        tokio::spawn(async move {
            sleep(Duration::from_secs(10)).await;
            drop(short);
            sleep(Duration::from_secs(490)).await;
            drop(long);
        });
        presence.idle_for(PERIOD).await;
        assert_eq!(began.elapsed().as_secs(), 560);
        presence.idle_for(PERIOD).await;
        assert_eq!(began.elapsed().as_secs(), 620, "asked again it waits again");
    }
}
