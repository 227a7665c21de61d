//! Whether a connection is in use: how many of its calls are open, since when there is none, and whether its client takes
//! what it is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Whoever takes more than this in a second is never too slow, however much waits for him.
const BYTES_A_SECOND: usize = 64 * 1024;

/// The open calls of one connection, and the pieces of their answers that have not left.
pub(crate) struct Presence {
    began: Instant,
    open: AtomicUsize,
    /// When the last call ended, in microseconds after the beginning.
    left_micros: AtomicU64,
    /// Pieces that wait, by the period in which they began to: this one and the one before.
    waiting: [AtomicUsize; 2],
    waiting_bytes: AtomicUsize,
    period: AtomicUsize,
}

impl Presence {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            open: AtomicUsize::new(0),
            left_micros: AtomicU64::new(0),
            waiting: Default::default(),
            waiting_bytes: AtomicUsize::new(0),
            period: AtomicUsize::new(0),
        })
    }

    /// A call begins; it is open until what is given is dropped.
    pub(crate) fn enter(self: &Arc<Self>) -> OpenCall {
        self.open.fetch_add(1, SeqCst);
        OpenCall(self.clone())
    }

    fn leave(&self) {
        let since = self.began.elapsed().as_micros() as u64;
        self.left_micros.store(since, SeqCst);
        self.open.fetch_sub(1, SeqCst);
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

    /// Waits until a piece has waited for its taker for so long and a second more for each 64 KiB that wait with it; it may
    /// be twice as long.
    ///
    /// One at a time may wait so: it moves the periods on.
    pub(crate) async fn stalled_for(&self, period: Duration) {
        loop {
            let waiting = self.waiting_bytes.load(SeqCst) as f64;
            sleep(period + Duration::from_secs_f64(waiting / BYTES_A_SECOND as f64)).await;
            let next = (self.period.load(SeqCst) + 1) % 2;
            // What began in the period before this one has waited for all of this one.
            if self.waiting[next].load(SeqCst) > 0 {
                return;
            }
            self.period.store(next, SeqCst);
        }
    }
}

/// One call of a connection.
pub(crate) struct OpenCall(Arc<Presence>);

impl OpenCall {
    /// A piece of its answer waits from now on, until what is given is dropped.
    pub(crate) fn wait(&self, bytes: usize) -> Untaken {
        let presence = self.0.clone();
        let period = presence.period.load(SeqCst);
        presence.open.fetch_add(1, SeqCst);
        presence.waiting[period].fetch_add(1, SeqCst);
        presence.waiting_bytes.fetch_add(bytes, SeqCst);
        Untaken {
            presence,
            period,
            bytes,
        }
    }
}

/// A piece of an answer that has not left. Its call counts as open, also when it has ended otherwise.
pub(crate) struct Untaken {
    presence: Arc<Presence>,
    period: usize,
    bytes: usize,
}

impl Drop for Untaken {
    fn drop(&mut self) {
        self.presence.waiting_bytes.fetch_sub(self.bytes, SeqCst);
        self.presence.waiting[self.period].fetch_sub(1, SeqCst);
        self.presence.leave();
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.0.leave();
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

    #[tokio::test(start_paused = true)]
    async fn a_piece_that_is_not_taken_stalls_its_connection_after_one_or_two_periods() {
        let (presence, began) = (Presence::new(), Instant::now());
        let call = presence.enter();
        let piece = call.wait(1_000);
        drop(call);
        presence.stalled_for(PERIOD).await;
        assert!((60..=121).contains(&began.elapsed().as_secs()));
        drop(piece);
    }

    #[tokio::test(start_paused = true)]
    async fn pieces_that_are_taken_in_time_stall_nothing() {
        let presence = Presence::new();
        let taken = presence.clone();
        tokio::spawn(async move {
            let call = taken.enter();
            for _ in 0..100 {
                let piece = call.wait(1_000);
                sleep(Duration::from_secs(58)).await;
                drop(piece);
            }
        });
        let stalled = presence.stalled_for(PERIOD);
        assert!(tokio::time::timeout(99 * PERIOD, stalled).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn the_more_waits_the_longer_it_may() {
        let (presence, began) = (Presence::new(), Instant::now());
        let _piece = presence.enter().wait(100 * BYTES_A_SECOND);
        presence.stalled_for(PERIOD).await;
        assert!(began.elapsed().as_secs() >= 160);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_not_idle_while_the_last_piece_of_an_answer_waits() {
        let (presence, began) = (Presence::new(), Instant::now());
        let piece = presence.enter().wait(1);
        tokio::spawn(async move {
            sleep(Duration::from_secs(100)).await;
            drop(piece);
        });
        presence.idle_for(PERIOD).await;
        assert_eq!(began.elapsed().as_secs(), 160);
    }
}
