//! Walking through the graph: towards a query, and around it.

use super::CodeRows;
use super::beam::{Beam, Visited};
use super::layer::Nodes;
use crate::vector::kernels::{self, BLOCK, Factor, Scattered};
use crate::vector::{SimdPath, prefetch};

/// Scores rows against one factor.
pub(super) struct Scorer<'a, R> {
    pub(super) path: SimdPath,
    pub(super) rows: &'a R,
    pub(super) factor: Factor<'a>,
    /// What a code of 1 of the factor stands for.
    pub(super) scale: f32,
}

/// Rows on their way to a kernel, their memory asked for.
pub(super) struct Batch<'a> {
    nodes: [u32; BLOCK],
    codes: [&'a [u8]; BLOCK],
    scales: [&'a f32; BLOCK],
    length: usize,
    stride: usize,
}

impl<'a> Batch<'a> {
    /// For rows of so many codes.
    pub(super) fn new(stride: usize) -> Self {
        Self {
            stride,
            nodes: [0; BLOCK],
            codes: [&[]; BLOCK],
            scales: [&0.0; BLOCK],
            length: 0,
        }
    }

    fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Adds a node and asks for its row.
    ///
    /// # Panics
    ///
    /// If the row is of another stride.
    #[inline]
    pub(super) fn push(&mut self, node: u32, (codes, scale): (&'a [u8], &'a f32)) {
        assert_eq!(codes.len(), self.stride, "a row of another stride");
        prefetch(codes);
        prefetch(std::slice::from_ref(scale));
        self.nodes[self.length] = node;
        self.codes[self.length] = codes;
        self.scales[self.length] = scale;
        self.length += 1;
    }
}

impl<R: CodeRows> Scorer<'_, R> {
    /// Gives each node of the batch with its score and empties it.
    #[inline]
    pub(super) fn score(&self, batch: &mut Batch<'_>, mut take: impl FnMut(u32, f32)) {
        assert_eq!(batch.stride, self.factor.codes.len());
        let mut dots = [0; BLOCK];
        let count = std::mem::take(&mut batch.length);
        let rows = Scattered(&batch.codes[..count]);
        // SAFETY: the graph was made for a path that runs here; the batch has at most BLOCK rows, of its stride.
        unsafe { kernels::scattered_dots(self.path, rows, self.factor, &mut dots) };
        let scored = batch.nodes.iter().zip(&batch.scales).zip(&dots);
        for ((&node, &&scale), &dot) in scored.take(count) {
            take(node, kernels::score_of(dot, scale, self.scale));
        }
    }
}

/// The node nearest to the factor that is found by going to a better neighbour as long as there is one.
pub(super) fn descend<const SLOTS: usize, R: CodeRows>(
    nodes: &Nodes<SLOTS>,
    scorer: &Scorer<'_, R>,
    from: u32,
) -> u32 {
    let mut batch = Batch::new(scorer.factor.codes.len());
    let (mut best, mut best_score) = (from, f32::NEG_INFINITY);
    let mut at = None;
    if let Some(row) = nodes.row(from).and_then(|row| scorer.rows.get(row)) {
        batch.push(from, row);
    }
    loop {
        scorer.score(&mut batch, |node, score| {
            if score > best_score {
                (best, best_score) = (node, score);
            }
        });
        if at == Some(best) {
            return best;
        }
        at = Some(best);
        for node in nodes.links(best) {
            if let Some(row) = nodes.row(node).and_then(|row| scorer.rows.get(row)) {
                batch.push(node, row);
            }
        }
    }
}

/// Fills the beam with the nodes nearest to the factor; those that may be found count for its width.
///
/// False if it took more than `most` nodes to look at; the beam is of no use then.
pub(super) fn explore<const SLOTS: usize, R: CodeRows>(
    nodes: &Nodes<SLOTS>,
    scorer: &Scorer<'_, R>,
    from: u32,
    (beam, visited): (&mut Beam, &mut Visited),
    most: usize,
    may_find: impl Fn(u32) -> bool,
) -> bool {
    let stride = scorer.factor.codes.len();
    let mut batches = [Batch::new(stride), Batch::new(stride)];
    let [mut batch, mut coming] = batches.each_mut();
    visited.reset(nodes.limit());
    visited.meet(from);
    let row_of = |node| nodes.row(node).and_then(|row| scorer.rows.get(row));
    if let Some(row) = row_of(from) {
        batch.push(from, row);
    }
    let mut expanding = None;
    loop {
        // Three steps at once, so that memory has time: the links of one node are asked for, the rows behind those of the
        // node before it too, and those of the one before that are scored.
        let next = beam.expand();
        if let Some(next) = next {
            prefetch(nodes.memory(next));
        }
        if let Some(node) = expanding {
            for linked in nodes.links(node) {
                if visited.meet(linked)
                    && let Some(row) = row_of(linked)
                {
                    coming.push(linked, row);
                }
            }
        } else if next.is_none() && batch.is_empty() {
            return true;
        }
        expanding = next;
        scorer.score(batch, |node, score| {
            beam.offer(score, node, may_find(node));
        });
        if visited.count() > most {
            return false;
        }
        (batch, coming) = (coming, batch);
    }
}
