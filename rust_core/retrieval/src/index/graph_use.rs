//! Where graphs are made and searched.

use std::sync::atomic::Ordering;

use super::Index;
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
}
