//! Token buckets.

use std::sync::atomic::{AtomicI64, Ordering};

/// How often a caller may call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// On average; above 0.
    pub requests_per_second: f64,
    /// At once, before the average holds; at least 1.
    pub burst: u32,
}

impl Rate {
    /// The rate of a key: what it says, and the default where it says nothing. None for no limit.
    ///
    /// Where no burst is said, it is a second's worth.
    pub fn of(
        requests_per_second: Option<f64>,
        burst: Option<u32>,
        default: Option<Self>,
    ) -> Option<Self> {
        let per_second = requests_per_second.or(default.map(|rate| rate.requests_per_second))?;
        let burst = burst
            .or(default.map(|rate| rate.burst))
            .unwrap_or_else(|| per_second.ceil().clamp(1.0, f64::from(u32::MAX)) as u32);
        Some(Self {
            requests_per_second: per_second,
            burst,
        })
    }
}

/// A bucket that many threads take from without a lock.
///
/// It holds one number: the time at which the bucket would be full again (the generic cell rate algorithm, ITU-T I.371,
/// where it is called the theoretical arrival time). A call moves it on by one interval, and is refused if it lies more
/// than the burst ahead of now. All of it is in nanoseconds.
#[derive(Debug)]
pub(crate) struct Bucket {
    interval: i64,
    tolerance: i64,
    full_at: AtomicI64,
}

impl Bucket {
    pub(crate) fn new(rate: Rate) -> Self {
        // An hour's worth of a rate this low is a bucket of its own; more would overflow with a large burst.
        let interval = (1e9 / rate.requests_per_second).clamp(1.0, 1e15);
        let tolerance = interval * f64::from(rate.burst.max(1) - 1);
        Self {
            interval: interval as i64,
            tolerance: tolerance.min(1e18) as i64,
            full_at: AtomicI64::new(i64::MIN),
        }
    }

    /// Takes one; or says how many microseconds later there will be one.
    pub(crate) fn take(&self, now_micros: i64) -> Result<(), i64> {
        let now = now_micros.saturating_mul(1000);
        let mut full_at = self.full_at.load(Ordering::Relaxed);
        loop {
            // No call moves it further ahead than this: the clock was set back.
            let furthest = now
                .saturating_add(self.tolerance)
                .saturating_add(self.interval);
            let from = if full_at > furthest {
                now
            } else {
                full_at.max(now)
            };
            let ahead = from - now;
            if ahead > self.tolerance {
                return Err((ahead - self.tolerance).div_euclid(1000) + 1);
            }
            let next = from.saturating_add(self.interval);
            match self.full_at.compare_exchange_weak(
                full_at,
                next,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(()),
                Err(other) => full_at = other,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_burst_passes_and_the_next_waits() {
        let bucket = Bucket::new(Rate {
            requests_per_second: 2.0,
            burst: 3,
        });
        let now = 1_000_000_000;
        for _ in 0..3 {
            assert_eq!(bucket.take(now), Ok(()));
        }
        let wait = bucket.take(now).expect_err("the burst is used up");
        assert!((400_000..=500_001).contains(&wait), "{wait}");
        assert_eq!(bucket.take(now + wait), Ok(()));
        assert!(bucket.take(now + wait).is_err());
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let bucket = Bucket::new(Rate {
            requests_per_second: 1.0,
            burst: 1,
        });
        assert_eq!(bucket.take(10_000_000_000), Ok(()));
        assert_eq!(bucket.take(1_000_000), Ok(()));
    }

    #[test]
    fn what_is_not_said_comes_from_the_default() {
        let default = Some(Rate {
            requests_per_second: 10.0,
            burst: 4,
        });
        let rate = |per_second, burst, default| {
            Rate::of(per_second, burst, default).map(|rate| (rate.requests_per_second, rate.burst))
        };
        assert_eq!(rate(None, None, None), None);
        assert_eq!(rate(None, Some(3), None), None);
        assert_eq!(rate(Some(2.5), None, None), Some((2.5, 3)));
        assert_eq!(rate(None, None, default), Some((10.0, 4)));
        assert_eq!(rate(Some(2.0), None, default), Some((2.0, 4)));
        assert_eq!(rate(None, Some(9), default), Some((10.0, 9)));
    }

    proptest! {
        #[test]
        fn no_stretch_of_time_sees_more_than_burst_and_rate(
            per_second in 0.5f64..2000.0,
            burst in 1u32..50,
            steps in prop::collection::vec(0i64..20_000, 1..300),
        ) {
            let bucket = Bucket::new(Rate { requests_per_second: per_second, burst });
            let mut now = 1_700_000_000_000_000;
            let mut passed = Vec::new();
            for step in steps {
                now += step;
                if bucket.take(now).is_ok() {
                    passed.push(now);
                }
            }
            for (first, &start) in passed.iter().enumerate() {
                for (last, &end) in passed.iter().enumerate().skip(first) {
                    let most = f64::from(burst) + per_second * ((end - start) as f64 / 1e6);
                    prop_assert!(((last - first + 1) as f64) <= most * 1.000_001 + 1e-6);
                }
            }
        }
    }
}
