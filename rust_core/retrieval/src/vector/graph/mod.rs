//! A graph over int8 rows: the rows nearest to a query are found by following links to nearer ones.
//!
//! HNSW (Malkov and Yashunin, Efficient and robust approximate nearest neighbor search using Hierarchical Navigable Small
//! World graphs, 2016) with what the hardware asks for: links are flat arrays of whole cache lines, the codes of all
//! neighbours are asked for before the first is scored, they are scored a batch at a time, and a search allocates nothing.
//!
//! # One builder, many readers
//!
//! A link is one atomic number, and nothing that it leads to moves: a node is described and linked to others before
//! anything is linked to it, and that with `Release`. So a search finds a whole node behind every link that it reads, at
//! every moment; a row that is being added is found by it or not. Rows that a search must not find are left out of its
//! answer but lead it on, and so do rows that were deleted, until the graph is built anew.

mod beam;
mod build;
mod layer;
mod walk;

use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

use self::beam::{Beam, Visited};
use self::build::Builder;
use self::layer::{BASE_SLOTS, Layer, UPPER_SLOTS};
use self::walk::{Scorer, descend, explore};
use super::kernels::Factor;
use super::{Collector, Query, SimdPath};

/// So many layers above the lowest are enough for 16^7 rows.
const UPPER_LAYERS: usize = 7;

/// Where a graph finds the codes of rows.
pub trait CodeRows {
    /// The codes and the scale of a row (see [`quantize`](super::quantize)); None if there is no such row.
    fn get(&self, row: u32) -> Option<(&[u8], &f32)>;
}

/// Links between rows; see the module.
pub struct Graph {
    path: SimdPath,
    stride: usize,
    /// The lowest layer has every row, under its own number.
    base: Layer<BASE_SLOTS>,
    upper: [Layer<UPPER_SLOTS>; UPPER_LAYERS],
    /// How many upper layers have a node; node 0 of the highest is the way in.
    top: AtomicU32,
    /// Rows that were added.
    length: AtomicU32,
    builder: Mutex<Builder>,
}

/// How far a search looks.
#[derive(Clone, Copy, Debug)]
pub struct Reach<'a> {
    /// Which rows it may find: bit `i % 64` of word `i / 64` stands for row `i`; None are all.
    pub selected: Option<&'a [u64]>,
    /// How many of them it looks for: the more, the more certain that the best of them are the nearest.
    pub width: usize,
    /// It gives up when it has looked at more rows than this.
    pub most: usize,
}

/// What a search needs to remember; it lives from search to search, so that none allocates.
#[derive(Default)]
pub struct Scratch {
    beam: Beam,
    visited: Visited,
}

impl Graph {
    /// Without rows, for rows of `stride` codes.
    ///
    /// # Panics
    ///
    /// If the CPU cannot run `path`.
    #[must_use]
    pub fn new(path: SimdPath, stride: usize) -> Self {
        super::scan::assert_runs(path);
        Self {
            path,
            stride,
            base: Layer::new(),
            upper: std::array::from_fn(|_| Layer::new()),
            top: AtomicU32::new(0),
            length: AtomicU32::new(0),
            builder: Mutex::new(Builder::new(stride)),
        }
    }

    /// How many rows it has.
    pub fn len(&self) -> u32 {
        self.length.load(Ordering::Relaxed)
    }

    /// Whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was allocated for the links, in bytes.
    pub fn bytes(&self) -> usize {
        let upper: usize = self.upper.iter().map(Layer::bytes).sum();
        self.base.bytes() + upper
    }

    /// Adds a row, which must not be there yet; whether there is such a row. Takes as long as several searches; one
    /// thread at a time.
    ///
    /// # Panics
    ///
    /// If rows have another stride than the graph.
    pub fn insert(&self, rows: &impl CodeRows, row: u32) -> bool {
        let is_there = self.builder.lock().insert(self, rows, row);
        self.length
            .fetch_add(u32::from(is_there), Ordering::Relaxed);
        is_there
    }

    /// Offers the int8 scores of nearly all of the `width` nearest selected rows that it has. None are offered, and the
    /// answer is false, if more than `reach.most` rows had to be looked at.
    ///
    /// # Panics
    ///
    /// If the query or the rows have another stride than the graph.
    pub fn search(
        &self,
        rows: &impl CodeRows,
        query: &Query,
        reach: &Reach<'_>,
        base_row: u32,
        scratch: &mut Scratch,
        best: &mut impl Collector,
    ) -> bool {
        assert_eq!(query.stride(), self.stride, "a query of another stride");
        let top = self.top();
        if top == 0 {
            return true;
        }
        let scorer = Scorer {
            path: self.path,
            rows,
            factor: Factor {
                codes: query.codes(),
                correction: query.correction(),
            },
            scale: query.scale(),
        };
        let mut at = 0;
        for layer in self.upper[..top].iter().rev() {
            let nodes = layer.nodes();
            at = nodes.below(descend(&nodes, &scorer, at));
        }
        scratch.beam.reset(reach.width);
        let memory = (&mut scratch.beam, &mut scratch.visited);
        let nodes = self.base.nodes();
        let most = reach.most;
        let is_done = match reach.selected {
            None => explore(&nodes, &scorer, at, memory, most, |_| true),
            Some(rows) => explore(&nodes, &scorer, at, memory, most, |row| has(rows, row)),
        };
        if is_done {
            for (score, row) in scratch.beam.selected() {
                best.push(score, base_row + row);
            }
        }
        is_done
    }

    /// How many upper layers a search begins with.
    fn top(&self) -> usize {
        self.top.load(Ordering::Acquire) as usize
    }

    /// Says that so many upper layers have a node.
    fn raise(&self, levels: usize) {
        self.top.fetch_max(levels as u32, Ordering::Release);
    }
}

impl Scratch {
    /// How many rows the last search looked at in the lowest layer.
    pub fn looked_at(&self) -> usize {
        self.visited.count()
    }
}

#[inline]
fn has(words: &[u64], row: u32) -> bool {
    let word = words.get(row as usize / 64);
    word.is_some_and(|word| word >> (row % 64) & 1 == 1)
}
