//! Work that makes searches faster and that no one waits for: done in steps by whoever has time.

use std::sync::atomic::Ordering;

use super::Index;
use crate::partition::PartitionKey;
use crate::vector::plan::GraphUse;

impl Index {
    /// Says where graphs are made and searched from now on; [`GraphUse::WhereFaster`] at first.
    pub fn set_graph_use(&self, graph_use: GraphUse) {
        let width = match graph_use {
            GraphUse::WhereFaster => 0,
            GraphUse::Always(width) => width.max(1),
        };
        self.graph_width.store(width, Ordering::Relaxed);
    }

    pub(super) fn graph_use(&self) -> GraphUse {
        match self.graph_width.load(Ordering::Relaxed) {
            0 => GraphUse::WhereFaster,
            width => GraphUse::Always(width),
        }
    }

    /// Does a step of what is due for a partition, of about a tenth of a second; whether more is due.
    ///
    /// Searches and writes go on meanwhile.
    pub fn upkeep(&self, key: &PartitionKey) -> bool {
        self.partition(key)
            .is_some_and(|partition| partition.upkeep(self.path, self.dimension, self.graph_use()))
    }
}
