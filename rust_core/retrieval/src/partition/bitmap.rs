//! A bitmap over row numbers of which each view gets a copy that does not change.
//!
//! A copy costs as much as the partition is large, and a batch changes a few words of it. So the copy before the last is
//! brought up to date and given out again, once no view holds it.

use std::ops::Deref;
use std::sync::Arc;

/// A bitmap that does not change. One of up to 64 rows allocates nothing.
#[derive(Clone, Debug)]
pub(crate) enum Words {
    Few(u64),
    Many(Arc<[u64]>),
}

impl From<&[u64]> for Words {
    fn from(words: &[u64]) -> Self {
        match *words {
            [word] => Self::Few(word),
            _ => Self::Many(words.into()),
        }
    }
}

impl Deref for Words {
    type Target = [u64];

    #[inline]
    fn deref(&self) -> &[u64] {
        match self {
            Self::Few(word) => std::slice::from_ref(word),
            Self::Many(words) => words,
        }
    }
}

/// The writer's bitmap.
#[derive(Default)]
pub(super) struct Bitmap {
    words: Vec<u64>,
    /// Words changed since the last copy, and between that and the one before it.
    changed: Vec<u32>,
    changed_before: Vec<u32>,
    last: Option<Arc<[u64]>>,
    /// The copy before the last.
    spare: Option<Arc<[u64]>>,
}

impl Bitmap {
    /// With these words.
    pub(super) fn new(words: Vec<u64>) -> Self {
        Self {
            words,
            ..Self::default()
        }
    }

    pub(super) fn words(&self) -> &[u64] {
        &self.words
    }

    /// Puts a row in or takes it out; the bitmap grows as far as it has to.
    pub(super) fn set(&mut self, row: u32, is_in: bool) {
        let word = row as usize / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let bit = 1 << (row % 64);
        if is_in {
            self.words[word] |= bit;
        } else {
            self.words[word] &= !bit;
        }
        self.changed.push(word as u32);
    }

    /// A copy of its present state.
    pub(super) fn publish(&mut self) -> Words {
        if let [word] = self.words[..] {
            self.changed.clear();
            return Words::Few(word);
        }
        let copy = self.spare.take().and_then(|spare| self.updated(spare));
        let copy = copy.unwrap_or_else(|| self.words.as_slice().into());
        std::mem::swap(&mut self.changed, &mut self.changed_before);
        self.changed.clear();
        self.spare = self.last.replace(Arc::clone(&copy));
        Words::Many(copy)
    }

    /// The copy before the last with what has changed since; None if it is still held or too short.
    fn updated(&self, mut spare: Arc<[u64]>) -> Option<Arc<[u64]>> {
        let words = Arc::get_mut(&mut spare).filter(|words| words.len() == self.words.len())?;
        for &word in self.changed.iter().chain(&self.changed_before) {
            words[word as usize] = self.words[word as usize];
        }
        Some(spare)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Bitmap, Words};

    #[test]
    fn a_bitmap_takes_no_more_than_a_slice() {
        assert_eq!(size_of::<Words>(), size_of::<&[u64]>());
    }

    proptest! {
        #[test]
        fn each_copy_stays_as_it_was_published(
            batches in prop::collection::vec((prop::collection::vec((0..300_u32, any::<bool>()), 0..8), 0..4_usize), 1..30),
        ) {
            let mut bitmap = Bitmap::default();
            let mut held: Vec<(Words, Vec<u64>)> = Vec::new();
            for (changes, keep) in batches {
                for (row, is_in) in changes {
                    bitmap.set(row, is_in);
                }
                held.push((bitmap.publish(), bitmap.words().to_vec()));
                for (copy, expected) in &held {
                    prop_assert_eq!(&copy[..], expected.as_slice());
                }
                // Readers let go of old views sooner or later.
                let from = held.len().saturating_sub(keep);
                held.drain(..from);
            }
        }
    }
}
