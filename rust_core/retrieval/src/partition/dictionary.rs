//! From a term or a name to the rows that hold it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

use super::append_list::AppendList;
use super::segment::RowNumber;

/// Most terms of a partition occur in a few rows only.
const FIRST_POSTINGS: usize = 4;

/// One row that holds a term.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Posting {
    pub(crate) row: RowNumber,
    /// How often.
    pub(crate) frequency: u32,
}

/// The rows that hold a term, ascending. It may run ahead of a reader's view: rows from its limit on are to be ignored.
pub(crate) type PostingList = AppendList<Posting>;

/// A map that grows only. Its lock is held for look-ups and for the insertion of one new key, never while postings are
/// read or written.
#[derive(Default)]
pub(crate) struct Dictionary {
    lists: RwLock<HashMap<Box<str>, Arc<PostingList>>>,
}

impl Dictionary {
    /// The posting lists of some keys, in their order.
    pub(crate) fn lists<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a str>,
    ) -> Vec<Option<Arc<PostingList>>> {
        let lists = self.lists.read();
        keys.into_iter()
            .map(|key| lists.get(key).cloned())
            .collect()
    }

    /// Adds a row to the list of a key.
    pub(crate) fn push(&self, key: &str, posting: Posting) {
        let known = self.lists.read().get(key).cloned();
        let list = known.unwrap_or_else(|| {
            let list = Arc::new(PostingList::new(FIRST_POSTINGS));
            self.lists.write().insert(key.into(), Arc::clone(&list));
            list
        });
        list.push(posting);
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.lists.read().len()
    }

    /// How many bytes it takes, about: the map's own slots are counted at their nominal size.
    pub(crate) fn bytes(&self) -> usize {
        const OVERHEAD: usize =
            size_of::<(Box<str>, Arc<PostingList>)>() + 1 + 2 * size_of::<usize>();
        let lists = self.lists.read();
        lists
            .iter()
            .map(|(key, list)| key.len() + list.bytes() + OVERHEAD)
            .sum()
    }
}
