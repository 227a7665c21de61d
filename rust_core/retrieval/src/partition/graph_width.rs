//! How wide a search through a graph has to look, found out by searching it.
//!
//! What width it takes depends on the rows and on their number, so it is measured on the graph itself. Its own rows are
//! too easy to find, for each is linked to its nearest. A row and half the difference of two others lies beside what the
//! row is about, and is harder than what people ask: the width that finds 0.990 of the nearest ten of such finds 0.999 of
//! those of held-out sentences, of 150,000 to 300,000 rows (decision 6). The mean of two rows is a question that becomes
//! harder with the number of rows, which others do not.

use std::time::Instant;

use super::graph::{RowGraph, ViewRows};
use super::segment::RowNumber;
use super::view::{View, has_row};
use crate::vector::graph::{Reach, Scratch};
use crate::vector::{Query, SimdPath, TopK, normalize, scan};

const SAMPLES: usize = 200;
/// How many of the nearest are looked for.
const TOP: usize = 10;
/// So many of each thousand of them are to be found.
const PER_MILLE: usize = 990;
/// Where even the last is not enough, the graph is not searched.
const WIDTHS: [usize; 14] = [
    48, 64, 96, 128, 192, 256, 320, 384, 448, 512, 640, 768, 1_024, 1_280,
];

/// Samples with what a scan finds for them.
pub(super) struct Calibration {
    /// Rows from here on are left out.
    end: RowNumber,
    samples: Vec<(Query, Vec<RowNumber>)>,
    chance: u64,
}

impl Calibration {
    /// Of the rows that a graph has now.
    pub(super) fn new(graph: &RowGraph, view: &View) -> Self {
        Self {
            end: graph.covered_of(view),
            samples: Vec::new(),
            chance: 0x9E37_79B9_7F4A_7C15,
        }
    }

    /// Scans for samples until time is up; the width when there are enough, [`usize::MAX`] if none is wide enough.
    pub(super) fn step(
        &mut self,
        graph: &RowGraph,
        view: &View,
        path: SimdPath,
        stride: usize,
        until: Instant,
    ) -> Option<usize> {
        while self.samples.len() < SAMPLES {
            if Instant::now() >= until {
                return None;
            }
            let Some(query) = self.sample(view, stride) else {
                return Some(usize::MAX);
            };
            let nearest = self.scanned(view, path, &query);
            self.samples.push((query, nearest));
        }
        let reaches =
            |width: &usize| self.recall_per_mille(graph, view, stride, *width) >= PER_MILLE;
        Some(WIDTHS.into_iter().find(reaches).unwrap_or(usize::MAX))
    }

    /// A row that holds and half the difference of two others; none if there seem to be no rows.
    fn sample(&mut self, view: &View, stride: usize) -> Option<Query> {
        const TRIES: usize = 10_000;
        const WEIGHTS: [f32; 3] = [1.0, 0.5, -0.5];
        let (mut sum, mut unit) = (vec![0.0; stride], vec![0.0; stride]);
        let mut taken = 0;
        for _ in 0..TRIES {
            // Xorshift (Marsaglia).
            self.chance ^= self.chance << 13;
            self.chance ^= self.chance >> 7;
            self.chance ^= self.chance << 17;
            let row = (self.chance % u64::from(self.end.max(1))) as RowNumber;
            if !has_row(&view.current, row) {
                continue;
            }
            let (segment, place) = view.locate(row);
            let row = &segment.units()[place * stride..][..stride];
            let weight = WEIGHTS[taken];
            for (sum, element) in sum.iter_mut().zip(row) {
                *sum += weight * element;
            }
            taken = (taken + 1) % WEIGHTS.len();
            if taken == 0 {
                if normalize(&sum, &mut unit).is_ok() {
                    return Some(Query::new(&unit));
                }
                sum.fill(0.0);
            }
        }
        None
    }

    /// The best rows by int8.
    fn scanned(&self, view: &View, path: SimdPath, query: &Query) -> Vec<RowNumber> {
        let mut best = TopK::new(TOP);
        let stride = query.stride();
        let current = self.current(view);
        for segment in view.segments() {
            let first = (segment.base as usize / 64).min(current.len());
            let rows = segment
                .rows_below(view.limit)
                .min(64 * (current.len() - first));
            let mask = &current[first..][..rows.div_ceil(64)];
            let codes = &segment.codes()[..rows * stride];
            let scales = &segment.scales()[..rows];
            scan(
                path,
                codes,
                scales,
                stride,
                Some(mask),
                segment.base,
                query,
                &mut best,
            );
        }
        rows_of(best)
    }

    fn recall_per_mille(
        &self,
        graph: &RowGraph,
        view: &View,
        stride: usize,
        width: usize,
    ) -> usize {
        let rows = ViewRows::new(view, stride);
        let reach = Reach {
            selected: Some(self.current(view)),
            width,
            most: usize::MAX,
        };
        let mut scratch = Scratch::default();
        let (mut hits, mut wanted) = (0, 0);
        for (query, nearest) in &self.samples {
            let mut best = TopK::new(TOP);
            graph
                .graph
                .search(&rows, query, &reach, 0, &mut scratch, &mut best);
            let found = rows_of(best);
            // Those that have ended since they were scanned for cannot be found.
            let nearest = nearest.iter().filter(|&&row| has_row(&view.current, row));
            wanted += nearest.clone().count();
            hits += nearest.filter(|row| found.contains(row)).count();
        }
        1_000 * hits / wanted.max(1)
    }

    fn current<'v>(&self, view: &'v View) -> &'v [u64] {
        &view.current[..view.current.len().min(self.end as usize / 64)]
    }
}

fn rows_of(best: TopK) -> Vec<RowNumber> {
    let best = best.into_sorted().into_iter();
    best.map(|candidate| candidate.row).collect()
}
