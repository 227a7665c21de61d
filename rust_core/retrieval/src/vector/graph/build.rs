//! Adding a row: find its neighbours, choose those that lie in different directions, link both ways.

use super::beam::{Beam, NODE_LIMIT, Visited};
use super::layer::Nodes;
use super::walk::{Batch, Scorer, descend, explore};
use super::{CodeRows, Graph, UPPER_LAYERS};
use crate::vector::kernels::{self, Factor};
use crate::vector::{Aligned, LANE, SimdPath, ZERO_CODE};

/// How many rows equal to its own a node is linked to.
const MOST_EQUALS: usize = 4;
/// How many of the nearest rows are looked at for neighbours.
const CONSTRUCTION_WIDTH: usize = 200;
/// One node of so many is also in the layer above, as a power of two.
const LAYER_BITS: u32 = 4;

/// The one who adds rows; a graph keeps it behind a lock that searches never take.
pub(super) struct Builder {
    beam: Beam,
    visited: Visited,
    /// Codes of the row that is added, and of one that is compared with others.
    row: RowFactor,
    other: RowFactor,
    candidates: Vec<(f32, u32)>,
    chosen: Vec<u32>,
    /// How many nodes each upper layer has.
    upper: [u32; UPPER_LAYERS],
}

/// A row as the other side of integer products.
struct RowFactor {
    codes: Aligned<i8>,
    correction: i32,
    squares: i32,
    scale: f32,
}

impl RowFactor {
    fn new(stride: usize) -> Self {
        Self {
            codes: Aligned::zeroed(stride),
            correction: 0,
            squares: 0,
            scale: 0.0,
        }
    }

    fn set(&mut self, (codes, &scale): (&[u8], &f32)) {
        let (mut sum, mut squares) = (0, 0);
        let chunks = self.codes.as_chunks_mut::<LANE>().0;
        for (own, codes) in chunks.iter_mut().zip(codes.as_chunks::<LANE>().0) {
            for (own, &code) in own.iter_mut().zip(codes) {
                *own = (code ^ ZERO_CODE).cast_signed();
            }
            for code in own.iter().map(|&code| i32::from(code)) {
                sum += code;
                squares += code * code;
            }
        }
        self.squares = squares;
        self.correction = i32::from(ZERO_CODE) * sum;
        self.scale = scale;
    }

    /// The score of an equal row.
    fn own_score(&self) -> f32 {
        kernels::score_of(self.squares, self.scale, self.scale)
    }

    fn scorer<'a, R>(&'a self, path: SimdPath, rows: &'a R) -> Scorer<'a, R> {
        Scorer {
            path,
            rows,
            factor: Factor {
                codes: &self.codes,
                correction: self.correction,
            },
            scale: self.scale,
        }
    }
}

impl Builder {
    pub(super) fn new(stride: usize) -> Self {
        Self {
            beam: Beam::default(),
            visited: Visited::default(),
            row: RowFactor::new(stride),
            other: RowFactor::new(stride),
            candidates: Vec::new(),
            chosen: Vec::new(),
            upper: [0; UPPER_LAYERS],
        }
    }

    /// Adds a row that is not there yet; whether it has codes.
    pub(super) fn insert<R: CodeRows>(&mut self, graph: &Graph, rows: &R, row: u32) -> bool {
        let Some(codes) = rows.get(row).filter(|_| row < NODE_LIMIT) else {
            return false;
        };
        self.row.set(codes);
        let top = graph.top();
        // The first row is the way into all layers that there are, so that there is always one.
        let levels = if top == 0 { 1 } else { levels_of(row) };
        let mut below = row;
        let mut ids = [0; UPPER_LAYERS];
        let layers = graph.upper.iter().zip(&mut self.upper);
        for ((layer, count), id) in layers.zip(&mut ids).take(levels) {
            *id = *count;
            *count += 1;
            layer.make_room(*id);
            layer.nodes().describe(*id, row, below);
            below = *id;
        }
        graph.base.make_room(row);
        let mut at = 0;
        for level in (0..top).rev() {
            let nodes = graph.upper[level].nodes();
            if level < levels {
                at = self.link(graph, &nodes, rows, at, ids[level]);
            } else {
                at = descend(&nodes, &self.row.scorer(graph.path, rows), at);
            }
            at = nodes.below(at);
        }
        if top > 0 {
            let nodes = graph.base.nodes();
            self.link(graph, &nodes, rows, at, row);
            // From below upwards: whoever comes down to the row finds the way on.
            self.link_back(graph.path, &nodes, rows, row);
            for (layer, &id) in graph.upper[..top].iter().zip(&ids).take(levels) {
                self.link_back(graph.path, &layer.nodes(), rows, id);
            }
        }
        graph.raise(levels);
        true
    }

    /// Links a new node of a layer to others, none of them to it, and gives the nearest.
    fn link<const SLOTS: usize, R: CodeRows>(
        &mut self,
        graph: &Graph,
        nodes: &Nodes<SLOTS>,
        rows: &R,
        from: u32,
        new: u32,
    ) -> u32 {
        self.beam.reset(CONSTRUCTION_WIDTH);
        let scorer = self.row.scorer(graph.path, rows);
        let memory = (&mut self.beam, &mut self.visited);
        explore(nodes, &scorer, from, memory, usize::MAX, |_| true);
        self.candidates.clear();
        self.candidates.extend(self.beam.selected());
        let nearest = self.candidates.first().map_or(from, |&(_, node)| node);
        self.choose(graph.path, nodes, rows, self.row.own_score());
        nodes.set_links(new, self.chosen.iter().copied());
        nearest
    }

    /// Links those to a new node that it is linked to.
    fn link_back<const SLOTS: usize, R: CodeRows>(
        &mut self,
        path: SimdPath,
        nodes: &Nodes<SLOTS>,
        rows: &R,
        new: u32,
    ) {
        for neighbour in nodes.links(new) {
            if !nodes.add_link(neighbour, new) {
                self.relink(path, nodes, rows, neighbour, new);
            }
        }
    }

    /// Chooses the links of a full node anew, one more among them.
    fn relink<const SLOTS: usize, R: CodeRows>(
        &mut self,
        path: SimdPath,
        nodes: &Nodes<SLOTS>,
        rows: &R,
        node: u32,
        one_more: u32,
    ) {
        let row_of = |node: u32| nodes.row(node).and_then(|row| rows.get(row));
        let Some(codes) = row_of(node) else {
            return;
        };
        self.other.set(codes);
        let own = self.other.own_score();
        let mut batch = Batch::new(self.other.codes.len());
        for linked in nodes.links(node).chain([one_more]) {
            if let Some(row) = row_of(linked) {
                batch.push(linked, row);
            }
        }
        self.candidates.clear();
        let scorer = self.other.scorer(path, rows);
        scorer.score(&mut batch, |node, score| {
            self.candidates.push((score, node));
        });
        self.candidates
            .sort_unstable_by(|one, other| other.0.total_cmp(&one.0));
        self.choose(path, nodes, rows, own);
        nodes.set_links(node, self.chosen.iter().copied());
    }

    /// Chooses among the candidates, best first, those that are not nearer to one chosen before than to the node: links in
    /// different directions (Malkov and Yashunin, Efficient and robust approximate nearest neighbor search using
    /// Hierarchical Navigable Small World graphs, algorithm 4).
    ///
    /// Of rows that are equal to the node's, whose score is its `own`, a few are chosen: none would leave most of them
    /// without a link, all would leave no room for others.
    fn choose<'r, const SLOTS: usize, R: CodeRows>(
        &mut self,
        path: SimdPath,
        nodes: &Nodes<SLOTS>,
        rows: &'r R,
        own: f32,
    ) {
        /// So many are compared at once: a kernel's group.
        const TOGETHER: usize = 4;
        let row_of = |node: u32| nodes.row(node).and_then(|row| rows.get(row));
        self.chosen.clear();
        let mut batch = Batch::new(self.other.codes.len());
        let mut equals = 0;
        for &(score, node) in &self.candidates {
            if self.chosen.len() == Nodes::<SLOTS>::LINKS {
                break;
            }
            if score >= own {
                equals += 1;
                if equals <= MOST_EQUALS {
                    self.chosen.push(node);
                }
                continue;
            }
            let Some(codes) = row_of(node) else {
                continue;
            };
            self.other.set(codes);
            let scorer = self.other.scorer(path, rows);
            let is_nearer_to = |others: &[u32], batch: &mut Batch<'r>| {
                for &other in others {
                    if let Some(row) = row_of(other) {
                        batch.push(other, row);
                    }
                }
                let mut is_nearer = false;
                scorer.score(batch, |_, to_other| is_nearer |= to_other > score);
                is_nearer
            };
            let mut groups = self.chosen.chunks(TOGETHER);
            if !groups.any(|others| is_nearer_to(others, &mut batch)) {
                self.chosen.push(node);
            }
        }
    }
}

/// In how many upper layers a row is: a number that depends on nothing else, so that the same rows make the same graph.
fn levels_of(row: u32) -> usize {
    // The finaliser of SplitMix64 (Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators).
    let mut hash = u64::from(row).wrapping_add(0x9E37_79B9_7F4A_7C15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    hash ^= hash >> 31;
    ((hash.trailing_zeros() / LAYER_BITS) as usize).min(UPPER_LAYERS)
}
