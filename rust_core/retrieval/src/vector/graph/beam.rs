//! The best nodes that a search has met, and which it has met at all: memory that lives from search to search.

use super::super::top_k::{ordered, score_of_ordered};

/// The entry has been expanded: its links were followed.
const EXPANDED: u64 = 1;
/// The entry may be part of the answer.
const SELECTED: u64 = 2;
const FLAG_BITS: u32 = 2;
/// Nodes have smaller numbers than this.
pub(super) const NODE_LIMIT: u32 = 1 << (32 - FLAG_BITS);

/// An entry of a beam: ordered by score, then node.
fn entry(score: f32, node: u32, selected: bool) -> u64 {
    let flags = if selected { SELECTED } else { 0 };
    u64::from(ordered(score)) << 32 | u64::from(node) << FLAG_BITS | flags
}

fn score_of(entry: u64) -> f32 {
    score_of_ordered((entry >> 32) as u32)
}

fn node_of(entry: u64) -> u32 {
    entry as u32 >> FLAG_BITS
}

/// The best nodes, best first: as many as it takes to have `width` selected ones.
///
/// An array that is kept in order by insertion is faster than two heaps: most insertions are near its end, and what is to
/// be expanded next is found without moving anything.
#[derive(Default)]
pub(super) struct Beam {
    entries: Vec<u64>,
    width: usize,
    /// How many of the entries are selected.
    selected: usize,
    /// Only better entries enter.
    floor: u64,
    /// All entries before this one have been expanded.
    next: usize,
}

impl Beam {
    pub(super) fn reset(&mut self, width: usize) {
        self.entries.clear();
        self.entries.reserve(2 * width + 1);
        self.width = width.max(1);
        self.selected = 0;
        self.floor = 0;
        self.next = 0;
    }

    /// Takes a node if it is good enough.
    #[inline]
    pub(super) fn offer(&mut self, score: f32, node: u32, selected: bool) {
        let entry = entry(score, node, selected);
        if entry <= self.floor {
            return;
        }
        let place = self.entries.partition_point(|&other| other > entry);
        self.entries.insert(place, entry);
        self.next = self.next.min(place);
        if selected {
            self.selected += 1;
            if self.selected >= self.width {
                self.cut();
            }
        }
    }

    /// Drops what lies behind the worst of the selected that are wanted.
    fn cut(&mut self) {
        while let Some(&last) = self.entries.last() {
            let is_selected = last & SELECTED != 0;
            if is_selected && self.selected == self.width {
                self.floor = last;
                return;
            }
            self.selected -= usize::from(is_selected);
            self.entries.pop();
        }
    }

    /// The best node that has not been expanded, and marks it.
    #[inline]
    pub(super) fn expand(&mut self) -> Option<u32> {
        let entries = &mut self.entries[self.next..];
        let place = entries.iter().position(|entry| entry & EXPANDED == 0);
        let Some(place) = place else {
            self.next = self.entries.len();
            return None;
        };
        entries[place] |= EXPANDED;
        self.next += place + 1;
        Some(node_of(entries[place]))
    }

    /// The selected nodes with their scores, best first.
    pub(super) fn selected(&self) -> impl Iterator<Item = (f32, u32)> {
        let selected = self.entries.iter().filter(|&&entry| entry & SELECTED != 0);
        selected.map(|&entry| (score_of(entry), node_of(entry)))
    }
}

/// Which nodes a search has met: a bit for each, and a list to take them back with.
#[derive(Default)]
pub(super) struct Visited {
    words: Vec<u64>,
    met: Vec<u32>,
}

impl Visited {
    /// Forgets all, for nodes below a limit.
    pub(super) fn reset(&mut self, limit: u32) {
        for node in self.met.drain(..) {
            self.words[node as usize / 64] = 0;
        }
        let words = (limit as usize).div_ceil(64);
        if self.words.len() < words {
            self.words.resize(words, 0);
        }
    }

    /// Whether a node is met for the first time.
    #[inline]
    pub(super) fn meet(&mut self, node: u32) -> bool {
        let word = &mut self.words[node as usize / 64];
        let bit = 1 << (node % 64);
        let is_new = *word & bit == 0;
        if is_new {
            *word |= bit;
            self.met.push(node);
        }
        is_new
    }

    /// How many were met.
    pub(super) fn count(&self) -> usize {
        self.met.len()
    }
}
