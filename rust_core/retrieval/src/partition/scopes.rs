//! The distinct scopes of a partition, which rows name by their slot, and the way from a slot to its rows.
//!
//! What is here follows from the list of scopes and from the column of slots: it can be made anew from them.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::append_list::AppendList;
use super::memory::{ScopeIds, ScopeMatch};
use crate::sync::{OnceLock, RwLock};

/// Up to so many scopes are compared one by one; most partitions have no more.
const FEW: usize = 16;
/// Which of the four ids, and its value.
type Id = (usize, Box<str>);

/// The distinct scopes in the order in which they came. One writer appends while readers look up.
pub(crate) struct Scopes {
    list: AppendList<Arc<ScopeIds>>,
    /// Once there are more than [`FEW`].
    directory: OnceLock<Box<RwLock<Directory>>>,
}

/// From ids to the slots that carry them, so that the sessions of a large partition are not compared one by one.
#[derive(Default)]
struct Directory {
    slots: HashMap<Arc<ScopeIds>, u32, RandomState>,
    /// Ascending.
    carriers: HashMap<Id, Vec<u32>, RandomState>,
}

/// Which slots a search selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Slots {
    /// Every one that the partition has.
    All,
    /// These, ascending.
    Some(Vec<u32>),
}

impl Slots {
    /// Of whether each slot, in order, is selected.
    pub(super) fn of(each: impl Iterator<Item = bool>) -> Self {
        let mut selected = None;
        for (slot, is_selected) in each.enumerate() {
            let slot = slot as u32;
            if !is_selected && selected.is_none() {
                selected = Some((0..slot).collect());
            } else if let (true, Some(slots)) = (is_selected, &mut selected) {
                Vec::push(slots, slot);
            }
        }
        selected.map_or(Self::All, Self::Some)
    }
}

impl Scopes {
    pub(crate) fn new() -> Self {
        Self {
            list: AppendList::new(4),
            directory: OnceLock::new(),
        }
    }

    /// Appends a scope, whose slot is the number of those that are there.
    pub(crate) fn push(&self, slot: u32, scope: Arc<ScopeIds>) {
        if slot as usize == FEW {
            let mut directory = Directory::default();
            for (slot, scope) in self.list.slices().flatten().enumerate() {
                directory.add(slot as u32, scope);
            }
            self.directory
                .get_or_init(|| Box::new(RwLock::new(directory)));
        }
        if let Some(directory) = self.directory.get() {
            directory.write().add(slot, &scope);
        }
        self.list.push(scope);
    }

    /// The scope of a slot.
    pub(crate) fn get(&self, slot: u32) -> Option<&Arc<ScopeIds>> {
        self.list.get(slot as usize)
    }

    /// The slots that the ids asked for select.
    pub(crate) fn select(&self, asked: &ScopeIds, scope_match: ScopeMatch) -> Slots {
        if scope_match == ScopeMatch::Tenant {
            return Slots::All;
        }
        if let Some(directory) = self.directory.get() {
            return directory.read().select(asked, scope_match);
        }
        let scopes = self.list.slices().flatten();
        Slots::of(scopes.map(|scope| asked.selects(scope, scope_match)))
    }

    /// How many bytes it takes, about: maps are counted at the nominal size of their entries.
    pub(crate) fn bytes(&self) -> usize {
        let directory = self.directory.get();
        self.list.bytes() + directory.map_or(0, |directory| directory.read().bytes())
    }
}

impl Directory {
    fn add(&mut self, slot: u32, scope: &Arc<ScopeIds>) {
        self.slots.insert(Arc::clone(scope), slot);
        for (place, id) in scope.ids().into_iter().enumerate() {
            if let Some(id) = id {
                let carriers = self.carriers.entry((place, id.as_str().into()));
                carriers.or_default().push(slot);
            }
        }
    }

    fn select(&self, asked: &ScopeIds, scope_match: ScopeMatch) -> Slots {
        match scope_match {
            ScopeMatch::Tenant => Slots::All,
            ScopeMatch::Visible => self.visible(asked),
            ScopeMatch::Exact => self.exact(asked),
        }
    }

    /// A scope that is visible carries some of the ids asked for and no other.
    fn visible(&self, asked: &ScopeIds) -> Slots {
        let places = asked.ids().into_iter().enumerate();
        let all = places.fold(0_u8, |all, (place, id)| {
            all | u8::from(id.is_some()) << place
        });
        let mut slots = Vec::new();
        for some in (0..=all).filter(|some| some & !all == 0) {
            let keep = |place: usize, id: &Option<String>| {
                id.as_ref().filter(|_| some >> place & 1 == 1).cloned()
            };
            let scope = ScopeIds {
                user_id: keep(0, &asked.user_id),
                agent_id: keep(1, &asked.agent_id),
                session_id: keep(2, &asked.session_id),
                app_id: keep(3, &asked.app_id),
            };
            slots.extend(self.slots.get(&scope));
        }
        slots.sort_unstable();
        if slots.len() == self.slots.len() {
            Slots::All
        } else {
            Slots::Some(slots)
        }
    }

    /// Each id asked for is carried: the carriers of the rarest, as far as they carry the others too.
    fn exact(&self, asked: &ScopeIds) -> Slots {
        let mut lists = Vec::with_capacity(4);
        for (place, id) in asked.ids().into_iter().enumerate() {
            if let Some(id) = id {
                let carriers = self.carriers.get(&(place, id.as_str().into()));
                lists.push(carriers.map_or(&[][..], Vec::as_slice));
            }
        }
        lists.retain(|list| list.len() < self.slots.len());
        lists.sort_unstable_by_key(|list| list.len());
        let Some((rarest, others)) = lists.split_first() else {
            return Slots::All;
        };
        let in_all = |slot: &&u32| others.iter().all(|list| list.binary_search(slot).is_ok());
        Slots::Some(rarest.iter().filter(in_all).copied().collect())
    }

    fn bytes(&self) -> usize {
        let of_scopes = self.slots.len() * size_of::<(Arc<ScopeIds>, u32)>();
        let carriers = self.carriers.iter().map(|((_, id), slots)| {
            size_of::<(Id, Vec<u32>)>() + id.len() + slots.capacity() * size_of::<u32>()
        });
        of_scopes + carriers.sum::<usize>()
    }
}

/// The rows of a stretch that does not change any more, by slot.
#[derive(Debug)]
pub(crate) struct RowsBySlot {
    /// The slots that occur, ascending.
    slots: Box<[u32]>,
    /// Where the rows of each end.
    ends: Box<[u32]>,
    /// Places in the stretch; those of one slot follow one another, ascending.
    places: Box<[u16]>,
}

impl RowsBySlot {
    /// The longest stretch whose places it can name.
    const LONGEST: usize = 1 << 16;

    /// Of a column of slots.
    ///
    /// # Panics
    ///
    /// If it has more than 65,536 rows.
    pub(crate) fn of(column: &[u32]) -> Self {
        assert!(column.len() <= Self::LONGEST, "{} rows", column.len());
        let mut sorted: Vec<(u32, u16)> = column.iter().copied().zip(0..=u16::MAX).collect();
        sorted.sort_unstable();
        let runs = || sorted.chunk_by(|a, b| a.0 == b.0);
        let end = |end: &mut usize, run: &[(u32, u16)]| {
            *end += run.len();
            Some(*end as u32)
        };
        Self {
            slots: runs().map(|run| run[0].0).collect(),
            ends: runs().scan(0, end).collect(),
            places: sorted.iter().map(|&(_, place)| place).collect(),
        }
    }

    /// The places of a slot's rows, ascending.
    pub(crate) fn places(&self, slot: u32) -> &[u16] {
        let Ok(found) = self.slots.binary_search(&slot) else {
            return &[];
        };
        let start = found.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.places[start as usize..self.ends[found] as usize]
    }

    /// Whether they lie side by side, if there are some.
    pub(crate) fn is_stretch(&self, slot: u32) -> bool {
        let places = self.places(slot);
        let between = |(first, last): (&u16, &u16)| usize::from(last - first) + 1;
        let ends = places.first().zip(places.last());
        ends.map_or(0, between) == places.len()
    }

    /// How many bytes it takes beyond its own size.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&self.slots[..]) + size_of_val(&self.ends[..]) + size_of_val(&self.places[..])
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::{RowsBySlot, Scopes, Slots};
    use crate::partition::{ScopeIds, ScopeMatch};

    fn scopes() -> impl Strategy<Value = ScopeIds> {
        let id =
            || prop::option::of(prop::sample::select(vec!["", "a", "b"]).prop_map(str::to_owned));
        (id(), id(), id(), id()).prop_map(|(user_id, agent_id, session_id, app_id)| ScopeIds {
            user_id,
            agent_id,
            session_id,
            app_id,
        })
    }

    proptest! {
        #[test]
        fn the_slots_selected_are_those_whose_scopes_are(
            mut held in prop::collection::vec(scopes(), 0..60),
            asked in scopes(),
            scope_match in prop::sample::select(vec![ScopeMatch::Visible, ScopeMatch::Exact, ScopeMatch::Tenant]),
        ) {
            let mut seen = std::collections::HashSet::new();
            held.retain(|scope| seen.insert(scope.clone()));
            let scopes = Scopes::new();
            for (slot, scope) in held.iter().enumerate() {
                scopes.push(slot as u32, Arc::new(scope.clone()));
            }
            let all = 0..held.len() as u32;
            let expected: Vec<u32> =
                all.clone().filter(|&slot| asked.selects(&held[slot as usize], scope_match)).collect();
            let selected = match scopes.select(&asked, scope_match) {
                Slots::All => all.collect(),
                Slots::Some(slots) => slots,
            };
            prop_assert_eq!(selected, expected);
        }

        #[test]
        fn the_rows_of_a_slot_are_those_that_name_it(column in prop::collection::vec(0..9_u32, 0..300)) {
            let by_slot = RowsBySlot::of(&column);
            for slot in 0..10 {
                let places = 0..column.len() as u16;
                let expected: Vec<u16> = places.filter(|&place| column[usize::from(place)] == slot).collect();
                prop_assert_eq!(by_slot.places(slot), expected);
            }
        }
    }
}
