//! What is found out about a base while it is used, or happens to its rows: the bytes of its image never change.
//!
//! A small partition that is only searched has none of it.

use super::Base;
use super::layout::Lexicon;
use crate::partition::aside::Aside;
use crate::partition::graph::GraphSlot;
use crate::partition::scopes::Scopes;
use crate::partition::segment::SEGMENT_ROWS;
use crate::sync::OnceLock;
use crate::sync::atomic::AtomicU64;

/// Beside an image.
pub(crate) struct Late {
    segments: Box<[OfSegment]>,
    /// For each key of a lexicon, how many of its rows are current, as [`crate::partition::dictionary`] packs it.
    counted: [OnceLock<Box<[AtomicU64]>>; 2],
    scopes: OnceLock<Scopes>,
    /// Links between the rows of this base and those that come after it.
    graph: GraphSlot,
}

struct OfSegment {
    aside: Aside,
    /// No row happened or was heard later.
    newest: OnceLock<i64>,
}

impl Late {
    pub(super) fn new(base: &Base) -> Self {
        let segments = 0..base.rows().div_ceil(SEGMENT_ROWS as usize);
        let of_segment = |_| OfSegment {
            aside: Aside::new(),
            newest: OnceLock::new(),
        };
        Self {
            segments: segments.map(of_segment).collect(),
            counted: [OnceLock::new(), OnceLock::new()],
            scopes: OnceLock::new(),
            graph: GraphSlot::default(),
        }
    }

    /// Beside the rows of a segment.
    pub(in crate::partition) fn aside(&self, segment: usize) -> &Aside {
        &self.segments[segment].aside
    }

    /// The newest time of a segment.
    pub(crate) fn newest(&self, segment: usize, find: impl FnOnce() -> i64) -> i64 {
        *self.segments[segment].newest.get_or_init(find)
    }

    /// Where the counts of current rows of the keys are kept.
    pub(super) fn counted(&self, base: &Base, lexicon: Lexicon) -> &[AtomicU64] {
        let fresh = || (0..base.keys(lexicon)).map(|_| AtomicU64::new(0));
        self.counted[lexicon as usize].get_or_init(|| fresh().collect())
    }

    /// The scopes in a form that can be looked up.
    pub(super) fn scopes(&self, unpack: impl FnOnce() -> Scopes) -> &Scopes {
        self.scopes.get_or_init(unpack)
    }

    pub(crate) fn graph(&self) -> &GraphSlot {
        &self.graph
    }

    /// How many bytes it takes, without the links of the graph.
    pub(super) fn bytes(&self) -> usize {
        let counted = self.counted.iter().filter_map(OnceLock::get);
        let counted: usize = counted.map(|counts| size_of_val::<[_]>(counts)).sum();
        let asides = self
            .segments
            .iter()
            .map(|of_segment| of_segment.aside.bytes());
        size_of::<Self>()
            + size_of_val::<[_]>(&self.segments)
            + counted
            + asides.sum::<usize>()
            + self.scopes.get().map_or(0, Scopes::bytes)
    }
}
