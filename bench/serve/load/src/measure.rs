//! Counts and latencies by class of request.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;

/// Longer than any run.
const LONGEST_NANOS: u64 = 600_000_000_000;

/// What came of the requests.
pub(crate) struct Tally {
    /// Answers before this count for nothing.
    from: Instant,
    classes: BTreeMap<usize, Class>,
    /// Calls that ended without a status, and why the first one did.
    broken: u64,
    first_broken: Option<String>,
}

struct Class {
    latencies: Histogram<u64>,
    refusals: BTreeMap<u16, u64>,
}

impl Tally {
    pub(crate) fn new(from: Instant) -> Self {
        Self {
            from,
            classes: BTreeMap::new(),
            broken: 0,
            first_broken: None,
        }
    }

    /// Notes an answer: its status, and when its request was due.
    pub(crate) fn note<E: ToString>(&mut self, class: usize, due: Instant, status: Result<u16, E>) {
        let now = Instant::now();
        if now < self.from {
            return;
        }
        let class = self.classes.entry(class).or_insert_with(|| Class {
            latencies: Histogram::new_with_bounds(1, LONGEST_NANOS, 3)
                .expect("bounds that it accepts"),
            refusals: BTreeMap::new(),
        });
        match status {
            Ok(0) => class.latencies.saturating_record(nanos(now - due)),
            Ok(code) => *class.refusals.entry(code).or_default() += 1,
            Err(error) => {
                self.broken += 1;
                self.first_broken.get_or_insert_with(|| error.to_string());
            }
        }
    }

    pub(crate) fn into_report(self, seconds: f64, arrivals: Arrivals) -> Report {
        let classes = self.classes.into_iter().map(|(class, found)| {
            let at = |quantile| found.latencies.value_at_quantile(quantile) as f64 / 1_000.0;
            let report = ClassReport {
                answered: found.latencies.len(),
                refusals: found.refusals,
                mean_micros: found.latencies.mean() / 1_000.0,
                p50_micros: at(0.5),
                p90_micros: at(0.9),
                p99_micros: at(0.99),
                p999_micros: at(0.999),
                longest_micros: found.latencies.max() as f64 / 1_000.0,
            };
            (class, report)
        });
        Report {
            classes: classes.collect(),
            seconds,
            broken: self.broken,
            first_broken: self.first_broken,
            ended: arrivals.ended,
            unsent: arrivals.due - arrivals.sent,
            unanswered: arrivals.sent - arrivals.ended,
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(LONGEST_NANOS)
}

/// How far the requests of a run came.
#[derive(Clone, Copy, Default)]
pub(crate) struct Arrivals {
    /// Whose time had come.
    pub(crate) due: u64,
    /// Given to a connection.
    pub(crate) sent: u64,
    pub(crate) ended: u64,
}

/// What a run prints as JSON.
#[derive(Serialize)]
pub(crate) struct Report {
    classes: BTreeMap<usize, ClassReport>,
    /// The time that counted.
    seconds: f64,
    broken: u64,
    first_broken: Option<String>,
    /// Calls that ended, those of the warm-up included.
    ended: u64,
    /// Requests that were due and still waited for a place when the time was over.
    unsent: u64,
    /// Requests that were sent and had no answer then.
    unanswered: u64,
}

#[derive(Serialize)]
struct ClassReport {
    /// How many were answered with OK; the latencies are theirs.
    answered: u64,
    /// How many were not, by status.
    refusals: BTreeMap<u16, u64>,
    mean_micros: f64,
    p50_micros: f64,
    p90_micros: f64,
    p99_micros: f64,
    p999_micros: f64,
    longest_micros: f64,
}
