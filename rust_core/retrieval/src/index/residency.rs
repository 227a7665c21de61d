//! What an index may answer without asking its keeper.
//!
//! The keeper loads partitions, applies every commit to those that are in memory, and takes out what was not used for
//! long. A search that goes through it loads first what is not there. One that does not, because it must not wait for
//! the keeper, needs to know whether everything that it asks for is there: the keeper marks a partition as resident once
//! it holds all that was committed and is reached by every later commit, and notes the owners that have no memories at
//! all, which have no partition.

use std::collections::HashSet;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use foldhash::quality::RandomState;
use parking_lot::RwLock;

use super::{Index, SearchOutcome, SearchRequest};
use crate::Error;
use crate::partition::view::View;
use crate::partition::{LatestVersion, Partition, PartitionKey};

const EMPTY_SHARDS: usize = 64;
/// Of all that the keeper noted, so many owners without memories are remembered at most in each shard.
const MOST_EMPTY: usize = 1_024;

/// What the keeper says of the whole index.
pub(super) struct Residency {
    /// The last commit that was applied.
    revision: AtomicI64,
    /// Chosen anew in each process, so that nobody can choose keys that meet.
    hasher: RandomState,
    empty: Box<[RwLock<HashSet<PartitionKey, RandomState>>]>,
}

/// States of partitions that have everything that was committed when they were asked for.
pub struct Residents(Vec<(usize, Arc<View>)>);

impl Residents {
    /// How many rows they have.
    pub fn rows(&self) -> usize {
        let rows = self.0.iter().map(|(_, view)| view.counts.live as usize);
        rows.sum()
    }

    pub(super) fn views(&self) -> impl Iterator<Item = &Arc<View>> {
        self.0.iter().map(|(_, view)| view)
    }

    /// Which of the keys that were asked for have a partition at all, by their places.
    pub fn places(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|&(place, _)| place)
    }
}

impl Residency {
    pub(super) fn new() -> Self {
        Self {
            revision: AtomicI64::new(0),
            hasher: RandomState::default(),
            empty: (0..EMPTY_SHARDS).map(|_| RwLock::default()).collect(),
        }
    }

    fn empty(&self, key: &PartitionKey) -> &RwLock<HashSet<PartitionKey, RandomState>> {
        &self.empty[self.hasher.hash_one(key) as usize % EMPTY_SHARDS]
    }
}

impl Index {
    /// The last commit that the keeper applied. What is read after this is at least of that revision.
    pub fn revision(&self) -> i64 {
        self.residency.revision.load(Ordering::SeqCst)
    }

    /// Says that everything up to a commit was applied, before the commit is acknowledged.
    pub fn set_revision(&self, revision: i64) {
        self.residency.revision.store(revision, Ordering::SeqCst);
    }

    /// Marks a partition as holding every row that was committed, from now on. Dropping it takes the mark away.
    pub fn set_resident(&self, key: &PartitionKey) {
        if let Some(partition) = self.partition(key) {
            partition.marks.set_resident();
        }
    }

    /// Notes that an owner has no memories, until [`Index::forget_empty`]. The set is bounded: one note may take the
    /// place of another.
    pub fn note_empty(&self, key: &PartitionKey) {
        let mut empty = self.residency.empty(key).write();
        if empty.len() >= MOST_EMPTY {
            let victim = empty.iter().next().cloned();
            victim.map(|victim| empty.remove(&victim));
        }
        empty.insert(key.clone());
    }

    /// Says that an owner may have memories; before the write of the first is acknowledged.
    pub fn forget_empty(&self, key: &PartitionKey) {
        let empty = self.residency.empty(key);
        if empty.read().contains(key) {
            empty.write().remove(key);
        }
    }

    /// Whether [`Index::residents`] gave a partition out since the last call: a keeper that needs room spares it once.
    pub fn take_used(&self, key: &PartitionKey) -> bool {
        self.partition(key)
            .is_some_and(|partition| partition.marks.take_used())
    }

    /// The states of partitions now, if each is resident or its owner is known to have no memories; else None.
    pub fn residents(&self, keys: &[PartitionKey]) -> Option<Residents> {
        let mut views = Vec::with_capacity(keys.len());
        for (place, key) in keys.iter().enumerate() {
            if keys[..place].contains(key) {
                continue;
            }
            match self.resident(key) {
                Some(partition) => {
                    partition.marks.set_used();
                    views.push((place, partition.view()));
                }
                None if self.residency.empty(key).read().contains(key) => {}
                None => return None,
            }
        }
        Some(Residents(views))
    }

    /// As [`Index::search`], in the states that the request's partitions had when they were asked for.
    ///
    /// # Errors
    ///
    /// As [`Index::search`].
    pub fn search_residents(
        &self,
        request: &SearchRequest<'_>,
        residents: Residents,
    ) -> Result<SearchOutcome, Error> {
        let views = residents.0.into_iter().map(|(_, view)| view);
        self.search_views(request, views)
    }

    /// The last version of a memory in a resident partition, ended or not. None: it is not there, or a writer is at work
    /// right now; nothing is said about whether the memory exists.
    ///
    /// # Errors
    ///
    /// [`Error::Snapshot`]: the file behind the partition is damaged.
    pub fn latest(
        &self,
        key: &PartitionKey,
        memory_id: u128,
    ) -> Result<Option<LatestVersion>, Error> {
        self.resident(key)
            .map_or(Ok(None), |partition| partition.latest(memory_id))
    }

    fn resident(&self, key: &PartitionKey) -> Option<Arc<Partition>> {
        self.partition(key)
            .filter(|partition| partition.marks.is_resident())
    }
}

#[cfg(test)]
mod tests {
    use super::{EMPTY_SHARDS, MOST_EMPTY};
    use crate::fusion::Weights;
    use crate::index::DEFAULT_CANDIDATES;
    use crate::partition::{Close, Memory, PartitionKey, Row, ScopeIds, ScopeMatch};
    use crate::vector::SimdPath;
    use crate::{Index, SearchRequest};

    fn key(user: &str) -> PartitionKey {
        PartitionKey {
            tenant: "default".to_owned(),
            owner_kind: 1,
            owner_id: user.to_owned(),
        }
    }

    fn row(id: u128, version: u32, body: &str) -> Row<Vec<u8>> {
        let memory = Memory {
            memory_id: id,
            version,
            body: body.to_owned(),
            scope: ScopeIds {
                user_id: Some("u".to_owned()),
                ..ScopeIds::default()
            },
            ..Memory::default()
        };
        Row {
            memory,
            vector: None,
        }
    }

    fn index() -> Index {
        Index::new(4, SimdPath::best()).expect("a valid dimension")
    }

    /// What a search for "hello" finds in some users' partitions; None if it may not be answered.
    fn found(index: &Index, users: &[&str]) -> Option<usize> {
        let partitions: Vec<PartitionKey> = users.iter().map(|user| key(user)).collect();
        let request = SearchRequest {
            partitions: &partitions,
            scope: &ScopeIds::default(),
            scope_match: ScopeMatch::Tenant,
            text: "hello",
            understood: None,
            vector: None,
            filter: None,
            now_micros: 1,
            reference_micros: None,
            as_of_micros: None,
            include_superseded: false,
            top_k: 10,
            weights: Weights::new([0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0]).expect("valid weights"),
            min_score: 0.0,
            explain: false,
            candidates: DEFAULT_CANDIDATES,
            separate: false,
            calibration: None,
            min_confidence: 0.0,
            context_window: 0,
        };
        let residents = index.residents(&partitions)?;
        let outcome = index.search_residents(&request, residents);
        Some(outcome.expect("a valid search").hits.len())
    }

    #[test]
    fn only_resident_partitions_and_owners_known_to_be_empty_are_searched() {
        let index = index();
        assert_eq!(found(&index, &["u"]), None);
        index
            .apply(&key("u"), &[row(1, 1, "hello")], &[])
            .expect("applied");
        assert_eq!(found(&index, &["u"]), None, "it may still be loading");
        index.set_resident(&key("u"));
        assert_eq!(found(&index, &["u"]), Some(1));
        assert_eq!(found(&index, &["u", "u"]), Some(1));
        assert_eq!(found(&index, &["u", "s"]), None);
        index.note_empty(&key("s"));
        assert_eq!(found(&index, &["u", "s"]), Some(1));
        index.forget_empty(&key("s"));
        assert_eq!(found(&index, &["u", "s"]), None);
        index.drop_partition(&key("u"));
        index
            .apply(&key("u"), &[row(1, 1, "hello")], &[])
            .expect("applied");
        assert_eq!(found(&index, &["u"]), None, "another stay, another mark");
    }

    #[test]
    fn a_use_is_noted_until_it_is_asked_for() {
        let index = index();
        index
            .apply(&key("u"), &[row(1, 1, "hello")], &[])
            .expect("applied");
        index.set_resident(&key("u"));
        assert!(!index.take_used(&key("u")));
        found(&index, &["u"]);
        assert!(index.take_used(&key("u")));
        assert!(!index.take_used(&key("u")));
        assert!(!index.take_used(&key("nobody")));
    }

    #[test]
    fn the_owners_noted_as_empty_are_bounded() {
        let index = index();
        for number in 0..EMPTY_SHARDS * MOST_EMPTY * 2 {
            index.note_empty(&key(&number.to_string()));
        }
        let noted = index
            .residency
            .empty
            .iter()
            .map(|shard| shard.read().len())
            .sum::<usize>();
        assert!(noted <= EMPTY_SHARDS * MOST_EMPTY);
        let last = (EMPTY_SHARDS * MOST_EMPTY * 2 - 1).to_string();
        assert_eq!(found(&index, &[&last]), Some(0));
    }

    #[test]
    fn the_latest_version_is_found_in_the_base_and_after_it_and_not_when_deleted() {
        let index = index();
        let bodies = |id| {
            let latest = index.latest(&key("u"), id).expect("no damage");
            latest.map(|latest| (latest.record.body().to_owned(), latest.valid_to_micros))
        };
        let rows = [row(1, 1, "one"), row(2, 1, "two"), row(3, 1, "three")];
        index.load(&key("u"), &rows).expect("loaded");
        assert_eq!(bodies(1), None, "it is not resident");
        index.set_resident(&key("u"));
        assert_eq!(bodies(1), Some(("one".to_owned(), None)));
        let end = |memory_id, version, valid_to_micros| Close {
            memory_id,
            version,
            valid_to_micros,
        };
        index
            .apply(
                &key("u"),
                &[row(1, 2, "uno"), row(4, 1, "four")],
                &[end(1, 1, Some(5)), end(2, 1, Some(7)), end(3, 1, None)],
            )
            .expect("applied");
        assert_eq!(bodies(1), Some(("uno".to_owned(), None)));
        assert_eq!(bodies(2), Some(("two".to_owned(), Some(7))));
        assert_eq!(bodies(3), None);
        assert_eq!(bodies(4), Some(("four".to_owned(), None)));
        assert_eq!(bodies(5), None);
        index.compact(&key("u")).expect("compacted");
        assert_eq!(bodies(1), Some(("uno".to_owned(), None)));
        assert_eq!(bodies(3), None);
    }
}
