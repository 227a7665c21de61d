//! The retriever by meaning where a partition has a graph: its rows are not scanned.

use std::cell::Cell;

use super::nearest::VectorSignal;
use super::sources::{Source, Sources};
use crate::partition::graph::{GraphSlot, ViewRows};
use crate::partition::segment::RowNumber;
use crate::vector::graph::{Reach, Scratch};
use crate::vector::plan::GraphPlan;
use crate::vector::{Collector, Shortlist};

thread_local! {
    /// What the searches of this thread remember.
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

/// Takes only the rows that are left to the graph.
struct Covered<'a> {
    list: &'a mut Shortlist,
    end: u32,
}

impl Collector for Covered<'_> {
    fn threshold(&self) -> f32 {
        self.list.threshold()
    }

    fn push(&mut self, score: f32, row: u32) {
        if row < self.end {
            self.list.push(score, row);
        }
    }
}

impl VectorSignal {
    /// Offers the int8 scores of the best rows that graphs have, where that is faster than a scan; for each source the
    /// number from which on its rows are left to be scanned, or nothing if no graph was of use.
    pub(super) fn through_graphs(
        &self,
        sources: &Sources,
        count: usize,
        list: &mut Shortlist,
    ) -> Vec<RowNumber> {
        if sources
            .iter()
            .all(|source| !source.view.graph().is_some_and(GraphSlot::is_there))
        {
            return Vec::new();
        }
        let through = |source| self.through_graph(source, count, list).unwrap_or(0);
        sources.iter().map(through).collect()
    }

    /// The same of one source.
    fn through_graph(
        &self,
        source: &Source,
        count: usize,
        list: &mut Shortlist,
    ) -> Option<RowNumber> {
        let view = &source.view;
        let graph = view.graph()?.serving()?;
        let covered = graph.covered_of(view);
        let stride = self.query.stride();
        let others = (view.limit - covered) as usize;
        let selected = source.selected.count().saturating_sub(others);
        let plan = GraphPlan::of(
            self.graph_use,
            graph.width(),
            selected,
            covered as usize,
            stride,
            count,
        )?;
        if graph.left_out() && !is_within(&source.selected, &view.current) {
            return None;
        }
        let words = &source.selected;
        let is_all = view.is_all_current() && words.count() == view.counts.current as usize;
        let reach = Reach {
            selected: (!is_all).then_some(&**words),
            width: plan.width,
            most: plan.most,
        };
        let mut scratch = SCRATCH.take().unwrap_or_default();
        let mut best = Covered {
            list,
            end: source.offset + covered,
        };
        let rows = ViewRows::new(view, stride);
        let (query, offset) = (&self.query, source.offset);
        let is_done = graph
            .graph
            .search(&rows, query, &reach, offset, &mut scratch, &mut best);
        SCRATCH.set(Some(scratch));
        is_done.then_some(covered)
    }
}

/// Whether every row of one bitmap is in the other.
fn is_within(rows: &[u64], others: &[u64]) -> bool {
    let others = others.iter().chain(std::iter::repeat(&0));
    rows.iter()
        .zip(others)
        .all(|(rows, others)| rows & !others == 0)
}
