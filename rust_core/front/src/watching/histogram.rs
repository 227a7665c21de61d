//! Counts of durations in buckets that double.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// The upper end of the first bucket.
const FIRST_NANOS: u64 = 12_500;
/// The last bucket but one ends at 0.8 s; the last has no end.
const BUCKETS: usize = 18;

/// Durations, counted by many threads at once.
#[derive(Debug, Default)]
pub struct Histogram {
    counts: [AtomicU64; BUCKETS],
    nanos: AtomicU64,
}

impl Histogram {
    /// Counts one.
    pub fn count(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        // How often the first bucket must double to hold it.
        let doublings = nanos.div_ceil(FIRST_NANOS).next_power_of_two().ilog2() as usize;
        self.counts[doublings.min(BUCKETS - 1)].fetch_add(1, Relaxed);
        self.nanos.fetch_add(nanos, Relaxed);
    }

    /// What was counted up to about now.
    pub fn read(&self) -> Distribution {
        Distribution {
            bounds: (0..BUCKETS - 1)
                .map(|doublings| (FIRST_NANOS << doublings) as f64 / 1e9)
                .collect(),
            counts: self
                .counts
                .iter()
                .map(|count| count.load(Relaxed))
                .collect(),
            seconds: self.nanos.load(Relaxed) as f64 / 1e9,
        }
    }
}

/// What a [`Histogram`] has counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// The upper end of each bucket but the last, in seconds, ascending.
    pub bounds: Vec<f64>,
    /// How many lie in each bucket, those above all bounds last.
    pub counts: Vec<u64>,
    /// Their sum.
    pub seconds: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_lies_in_the_bucket_that_ends_at_or_above_it() {
        for (nanos, bucket) in [
            (0, 0),
            (1, 0),
            (12_500, 0),
            (12_501, 1),
            (25_000, 1),
            (25_001, 2),
            (800_000_000, 16),
            (900_000_000, 17),
            (u64::MAX, 17),
        ] {
            let histogram = Histogram::default();
            histogram.count(Duration::from_nanos(nanos));
            let counts = histogram.read().counts;
            assert_eq!(
                counts.iter().position(|&count| count == 1),
                Some(bucket),
                "{nanos}"
            );
        }
    }

    #[test]
    fn bounds_ascend_and_the_sum_is_kept() {
        let histogram = Histogram::default();
        histogram.count(Duration::from_millis(2));
        histogram.count(Duration::from_millis(3));
        let read = histogram.read();
        assert!(read.bounds.is_sorted());
        assert_eq!(read.bounds.len() + 1, read.counts.len());
        assert!((read.seconds - 0.005).abs() < 1e-12);
    }
}
