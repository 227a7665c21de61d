//! What threads share in a partition: atomics, locks and the published view.
//!
//! They are the standard library's, `parking_lot`'s and `arc_swap`'s. Under `--cfg loom` the tests of
//! `partition/interleavings.rs` put loom's in their place, which try the interleavings and the stale reads that the
//! memory model allows, on the same code; `make test-loom` runs them.

#[cfg(all(loom, test))]
mod modelled;
#[cfg(not(all(loom, test)))]
mod real {
    pub(crate) use std::sync::{OnceLock, atomic};

    pub(crate) use arc_swap::ArcSwap;
    pub(crate) use parking_lot::{Mutex, RwLock};

    /// Tells a model checker which stretches of raw memory are written and read; nothing outside of one.
    pub(crate) struct Accesses;

    #[expect(clippy::unused_self, reason = "the modelled one keeps what it is told")]
    impl Accesses {
        pub(crate) const fn new() -> Self {
            Self
        }

        /// The elements `from..to` are written by this thread now, and by nobody ever again.
        #[inline]
        pub(crate) const fn write(&self, _from: usize, _to: usize) {}

        /// This thread may read the elements below `to` from now on.
        #[inline]
        pub(crate) const fn read_below(&self, _to: usize) {}
    }
}

#[cfg(all(loom, test))]
pub(crate) use modelled::{Accesses, ArcSwap, Mutex, OnceLock, RwLock, atomic};
#[cfg(not(all(loom, test)))]
pub(crate) use real::{Accesses, ArcSwap, Mutex, OnceLock, RwLock, atomic};
