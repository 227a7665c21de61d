//! The same names over loom, with the orderings that the real ones document and no stronger ones: what lies in the
//! standard library's containers here synchronises nothing for the model.

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::sync::{MutexGuard, RwLockReadGuard, RwLockWriteGuard};

use atomic::{AtomicUsize, Ordering};

/// Loom's atomics behind turnstiles.
///
/// Loom compares a store only with the last access before it. If that is a load by the same thread, the loads of others
/// before it are forgotten, and interleavings with them are never tried (loom 0.7: a writer that reads its length and
/// stores the next one runs once, whatever its readers do). A read-modify-write at each access, of a value that says
/// nothing and with an ordering that synchronises nothing, makes every access dependent on every other.
pub(crate) mod atomic {
    pub(crate) use loom::sync::atomic::Ordering;

    macro_rules! behind_a_turnstile {
        ($($name:ident: $number:ty),*) => {$(
            pub(crate) struct $name {
                turnstile: loom::sync::atomic::AtomicBool,
                value: loom::sync::atomic::$name,
            }

            #[allow(dead_code, reason = "not every type needs every method")]
            impl $name {
                pub(crate) fn new(value: $number) -> Self {
                    Self {
                        turnstile: loom::sync::atomic::AtomicBool::new(false),
                        value: loom::sync::atomic::$name::new(value),
                    }
                }

                fn pass(&self) -> &loom::sync::atomic::$name {
                    self.turnstile.fetch_or(false, Ordering::Relaxed);
                    &self.value
                }

                pub(crate) fn load(&self, order: Ordering) -> $number {
                    self.pass().load(order)
                }

                pub(crate) fn store(&self, value: $number, order: Ordering) {
                    self.pass().store(value, order);
                }

                pub(crate) fn fetch_max(&self, value: $number, order: Ordering) -> $number {
                    self.pass().fetch_max(value, order)
                }
            }
        )*};
    }
    behind_a_turnstile!(AtomicUsize: usize, AtomicU32: u32, AtomicU64: u64, AtomicI64: i64);
}

/// As `parking_lot::Mutex`: not poisoned by a panic.
pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect("loom's locks are never poisoned")
    }

    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok()
    }
}

/// As `parking_lot::RwLock`.
pub(crate) struct RwLock<T>(loom::sync::RwLock<T>);

impl<T> RwLock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(loom::sync::RwLock::new(value))
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().expect("loom's locks are never poisoned")
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().expect("loom's locks are never poisoned")
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

/// As `std::sync::OnceLock`, for one setter at a time: whoever finds the value has synchronised with its setting.
pub(crate) struct OnceLock<T> {
    value: std::sync::OnceLock<T>,
    is_set: AtomicUsize,
}

impl<T> OnceLock<T> {
    pub(crate) fn new() -> Self {
        Self {
            value: std::sync::OnceLock::new(),
            is_set: AtomicUsize::new(0),
        }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        let is_set = self.is_set.load(Ordering::Acquire) != 0;
        is_set.then(|| self.value.get().expect("it was set before it said so"))
    }

    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        let value = self.value.get_or_init(make);
        self.is_set.store(1, Ordering::Release);
        value
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        self.value.set(value)?;
        self.is_set.store(1, Ordering::Release);
        Ok(())
    }

    pub(crate) fn take(&mut self) -> Option<T> {
        self.value.take()
    }
}

/// As `arc_swap::ArcSwap`: a load synchronises with the store whose value it gives. Old values stay until the end.
pub(crate) struct ArcSwap<T> {
    values: std::sync::Mutex<Vec<Arc<T>>>,
    last: AtomicUsize,
}

impl<T> ArcSwap<T> {
    pub(crate) fn from_pointee(value: T) -> Self {
        Self {
            values: std::sync::Mutex::new(vec![Arc::new(value)]),
            last: AtomicUsize::new(0),
        }
    }

    pub(crate) fn load_full(&self) -> Arc<T> {
        let last = self.last.load(Ordering::Acquire);
        let values = self.values.lock().expect("nothing panics while it is held");
        Arc::clone(&values[last])
    }

    pub(crate) fn store(&self, value: Arc<T>) {
        let place = {
            let mut values = self.values.lock().expect("nothing panics while it is held");
            values.push(value);
            values.len() - 1
        };
        self.last.store(place, Ordering::Release);
    }
}

/// A cell for each stretch that was written: loom refuses an access that no synchronisation orders after the writing.
pub(crate) struct Accesses(std::sync::Mutex<Vec<(usize, UnsafeCell<()>)>>);

impl Accesses {
    pub(crate) fn new() -> Self {
        Self(std::sync::Mutex::new(Vec::new()))
    }

    pub(crate) fn write(&self, from: usize, to: usize) {
        let mut written = self.0.lock().expect("nobody panics while it is held");
        let before = written.last().map_or(0, |(end, _)| *end);
        assert_eq!(
            from, before,
            "an element is written once, after all before it"
        );
        let cell = UnsafeCell::new(());
        cell.with_mut(|_| ());
        written.push((to, cell));
    }

    pub(crate) fn read_below(&self, to: usize) {
        let written = self.0.lock().expect("nobody panics while it is held");
        let end = written.last().map_or(0, |(end, _)| *end);
        assert!(to <= end, "an element was published before it was written");
        for (_, cell) in written.iter().take_while(|(end, _)| *end <= to) {
            cell.with(|_| ());
        }
    }
}
