//! Where the links of a layer lie: chunks that never move, in a table that is replaced when it grows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arc_swap::{ArcSwap, Guard};

/// Nodes of a chunk, as a power of two: half a megabyte of links in the lowest layer, 16 kB in the others, of which some
/// have few nodes.
const fn chunk_bits(slots: usize) -> u32 {
    if slots == BASE_SLOTS { 12 } else { 8 }
}

/// The slots of a node of the lowest layer: as many links.
pub(super) const BASE_SLOTS: usize = 32;
/// The slots of a node of an upper layer: its row, its number one layer below, and links.
pub(super) const UPPER_SLOTS: usize = 16;

const ROW: usize = 0;
const BELOW: usize = 1;

/// What one node keeps: numbers plus one, for 0 is none. Whole cache lines.
#[repr(align(64))]
struct Node<const SLOTS: usize>([AtomicU32; SLOTS]);

type Chunk<const SLOTS: usize> = Arc<[Node<SLOTS>]>;

/// The nodes of one layer, numbered from 0.
pub(super) struct Layer<const SLOTS: usize> {
    chunks: ArcSwap<Vec<Chunk<SLOTS>>>,
}

/// A layer as one search sees it: nodes that came with a later chunk are not there.
pub(super) struct Nodes<const SLOTS: usize> {
    chunks: Guard<Arc<Vec<Chunk<SLOTS>>>>,
}

impl<const SLOTS: usize> Layer<SLOTS> {
    const CHUNK_BITS: u32 = chunk_bits(SLOTS);

    pub(super) fn new() -> Self {
        Self {
            chunks: ArcSwap::default(),
        }
    }

    /// What is there now.
    pub(super) fn nodes(&self) -> Nodes<SLOTS> {
        Nodes {
            chunks: self.chunks.load(),
        }
    }

    /// Makes room for a node. One thread at a time.
    pub(super) fn make_room(&self, node: u32) {
        let chunks = self.chunks.load();
        let wanted = (node >> Self::CHUNK_BITS) as usize + 1;
        if chunks.len() < wanted {
            let mut longer = Vec::clone(&chunks);
            longer.resize_with(wanted, empty_chunk);
            self.chunks.store(Arc::new(longer));
        }
    }

    /// How many bytes its chunks take.
    pub(super) fn bytes(&self) -> usize {
        (self.chunks.load().len() << Self::CHUNK_BITS) * size_of::<Node<SLOTS>>()
    }
}

fn empty_chunk<const SLOTS: usize>() -> Chunk<SLOTS> {
    let node = || Node(std::array::from_fn(|_| AtomicU32::new(0)));
    let nodes = std::iter::repeat_with(node);
    nodes.take(1 << chunk_bits(SLOTS)).collect()
}

impl<const SLOTS: usize> Nodes<SLOTS> {
    const CHUNK_BITS: u32 = chunk_bits(SLOTS);
    /// Whether nodes of the layer are rows themselves.
    const IS_BASE: bool = SLOTS == BASE_SLOTS;
    const FIRST_LINK: usize = if Self::IS_BASE { 0 } else { 2 };
    /// The most links of a node.
    pub(super) const LINKS: usize = SLOTS - Self::FIRST_LINK;

    /// Nodes have smaller numbers than this.
    pub(super) fn limit(&self) -> u32 {
        (self.chunks.len() as u32) << Self::CHUNK_BITS
    }

    #[inline]
    fn slots(&self, node: u32) -> &[AtomicU32; SLOTS] {
        let chunk = &self.chunks[(node >> Self::CHUNK_BITS) as usize];
        &chunk[(node & ((1 << Self::CHUNK_BITS) - 1)) as usize].0
    }

    fn slots_of_links(&self, node: u32) -> &[AtomicU32] {
        &self.slots(node)[Self::FIRST_LINK..]
    }

    /// The nodes that a node is linked to.
    #[inline]
    pub(super) fn links(&self, node: u32) -> impl Iterator<Item = u32> {
        let limit = self.limit();
        self.slots_of_links(node)
            .iter()
            .filter_map(|slot| slot.load(Ordering::Acquire).checked_sub(1))
            .filter(move |&linked| linked < limit)
    }

    /// The slots of a node as memory to ask for.
    #[inline]
    pub(super) fn memory(&self, node: u32) -> &[AtomicU32] {
        self.slots(node)
    }

    /// The row of a node.
    #[inline]
    pub(super) fn row(&self, node: u32) -> Option<u32> {
        if Self::IS_BASE {
            return Some(node);
        }
        self.slots(node)[ROW].load(Ordering::Acquire).checked_sub(1)
    }

    /// The number of a node of an upper layer one layer below.
    pub(super) fn below(&self, node: u32) -> u32 {
        debug_assert!(!Self::IS_BASE);
        self.slots(node)[BELOW]
            .load(Ordering::Acquire)
            .saturating_sub(1)
    }

    /// Says what a new node of an upper layer stands for, before it is linked.
    pub(super) fn describe(&self, node: u32, row: u32, below: u32) {
        debug_assert!(!Self::IS_BASE);
        self.slots(node)[BELOW].store(below + 1, Ordering::Release);
        self.slots(node)[ROW].store(row + 1, Ordering::Release);
    }

    /// Replaces the links of a node. A reader in the midst of it sees some of the old and some of the new.
    pub(super) fn set_links(&self, node: u32, links: impl IntoIterator<Item = u32>) {
        let linked = links.into_iter().map(|linked| linked + 1);
        for (slot, value) in self
            .slots_of_links(node)
            .iter()
            .zip(linked.chain(std::iter::repeat(0)))
        {
            slot.store(value, Ordering::Release);
        }
    }

    /// Links a node to one more; whether there was room or it was linked already.
    pub(super) fn add_link(&self, node: u32, linked: u32) -> bool {
        for slot in self.slots_of_links(node) {
            match slot.load(Ordering::Relaxed) {
                0 => {
                    slot.store(linked + 1, Ordering::Release);
                    return true;
                }
                there if there == linked + 1 => return true,
                _ => {}
            }
        }
        false
    }
}
