//! What a partition's keeper notes on it, for readers that the keeper does not see.

use std::sync::atomic::{AtomicU8, Ordering};

const RESIDENT: u8 = 1;
const USED: u8 = 2;

/// One byte of notes.
#[derive(Debug, Default)]
pub(crate) struct Marks(AtomicU8);

impl Marks {
    /// Whether the partition has every row that it is to have: it is not being loaded, and commits reach it.
    pub(crate) fn is_resident(&self) -> bool {
        self.0.load(Ordering::Acquire) & RESIDENT != 0
    }

    /// What was written to the partition before is there for whoever sees the mark. It lasts as long as the partition.
    pub(crate) fn set_resident(&self) {
        self.0.fetch_or(RESIDENT, Ordering::Release);
    }

    /// Notes a use. Most find it noted, and then no other core's cache loses the line.
    pub(crate) fn set_used(&self) {
        if self.0.load(Ordering::Relaxed) & USED == 0 {
            self.0.fetch_or(USED, Ordering::Relaxed);
        }
    }

    /// Whether a use was noted since the last call.
    pub(crate) fn take_used(&self) -> bool {
        self.0.fetch_and(!USED, Ordering::Relaxed) & USED != 0
    }
}
