//! The graph of a partition: which rows it has, and how it comes to have more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;

use super::graph_width::Calibration;
use super::segment::RowNumber;
use super::view::{View, has_row};
use crate::vector::SimdPath;
use crate::vector::graph::{CodeRows, Graph};
use crate::vector::plan::{GRAPH_FROM_ROWS, GraphUse};

/// A step adds rows for so long.
const STEP: Duration = Duration::from_millis(100);
/// The width of searches is found out again when there is one more row for so many.
const GROWTH: u32 = 4;
/// So many rows share a word of a bitmap; what is scanned beside a graph begins with a whole one.
const WORD: u32 = 64;
/// A graph is built anew when of so many of its rows one no longer holds.
const ENDED_SHARE: usize = 4;

/// A place for the graph of a partition. It belongs to one numbering of rows: another numbering has another one.
#[derive(Default)]
pub(crate) struct GraphSlot {
    serving: ArcSwapOption<RowGraph>,
    /// Whoever holds the lock builds.
    work: Mutex<Work>,
}

/// What is being done.
#[derive(Default)]
struct Work {
    /// A graph that is to take the place of the one that serves, which has too many rows that no longer hold.
    next: Option<Arc<RowGraph>>,
    calibration: Option<Box<Calibration>>,
}

/// A graph with what a search has to know of its rows.
pub(crate) struct RowGraph {
    pub(crate) graph: Graph,
    /// The number of the first row that has not been considered yet.
    next: AtomicU32,
    /// How wide a search has to look; 0 is not known yet.
    width: AtomicUsize,
    /// How many rows there were when that was found out.
    calibrated: AtomicU32,
    /// Whether rows that had ended when it was begun are not in it.
    left_out: bool,
}

/// The rows of a view as a graph reads them.
pub(crate) struct ViewRows<'a> {
    view: &'a View,
    stride: usize,
}

impl<'a> ViewRows<'a> {
    pub(crate) fn new(view: &'a View, stride: usize) -> Self {
        Self { view, stride }
    }
}

impl CodeRows for ViewRows<'_> {
    #[inline]
    fn get(&self, row: u32) -> Option<(&[u8], &f32)> {
        if row >= self.view.limit {
            return None;
        }
        let (segment, place) = self.view.locate(row);
        let codes = &segment.codes()[place * self.stride..][..self.stride];
        Some((codes, &segment.scales()[place]))
    }
}

impl RowGraph {
    fn new(path: SimdPath, stride: usize, left_out: bool) -> Self {
        Self {
            graph: Graph::new(path, stride),
            next: AtomicU32::new(0),
            width: AtomicUsize::new(0),
            calibrated: AtomicU32::new(0),
            left_out,
        }
    }

    /// The number below which every row of a view that has a vector is in the graph, but for those of
    /// [`RowGraph::left_out`]; a multiple of 64.
    pub(crate) fn covered_of(&self, view: &View) -> RowNumber {
        let covered = self.covered().min(view.limit);
        covered - covered % WORD
    }

    /// How wide a search has to look; None is not known yet.
    pub(crate) fn width(&self) -> Option<usize> {
        Some(self.width.load(Ordering::Relaxed)).filter(|&width| width > 0)
    }

    fn covered(&self) -> RowNumber {
        self.next.load(Ordering::Acquire)
    }

    /// Whether rows that had ended when it was built are not in it.
    pub(crate) fn left_out(&self) -> bool {
        self.left_out
    }

    /// Adds the view's rows, but for the last few, until time is up; whether all of them are there now.
    fn extend(&self, view: &View, stride: usize, until: Instant) -> bool {
        let rows = ViewRows::new(view, stride);
        let end = view.limit - view.limit % WORD;
        let mut next = self.covered();
        for segment in view.segments() {
            let end = segment.base + segment.rows_below(end) as u32;
            next = next.max(segment.base.min(end));
            while next < end {
                if Instant::now() >= until {
                    return false;
                }
                let place = (next - segment.base) as usize;
                let holds = !self.left_out || has_row(&view.current, next);
                if holds && segment.has_vector(place) {
                    self.graph.insert(&rows, next);
                }
                next += 1;
                self.next.store(next, Ordering::Release);
            }
        }
        true
    }

    /// Whether too many of its rows no longer hold.
    fn is_stale(&self, view: &View) -> bool {
        let words = &view.current[..view.current.len().min(self.covered() as usize / 64)];
        let holding: usize = words.iter().map(|word| word.count_ones() as usize).sum();
        let rows = self.graph.len() as usize;
        rows.saturating_sub(holding) > rows / ENDED_SHARE
    }
}

impl GraphSlot {
    /// The graph to search.
    pub(crate) fn serving(&self) -> Option<Arc<RowGraph>> {
        self.serving.load_full()
    }

    /// Whether there is one.
    pub(crate) fn is_there(&self) -> bool {
        self.serving.load().is_some()
    }

    /// How many rows it has.
    pub(crate) fn rows(&self) -> u64 {
        let serving = self.serving.load();
        serving.as_ref().map_or(0, |graph| graph.graph.len().into())
    }

    /// What was allocated for links.
    pub(crate) fn bytes(&self) -> usize {
        let serving = self.serving.load();
        serving.as_ref().map_or(0, |graph| graph.graph.bytes())
    }

    /// Whether a view of this size is to have a graph.
    pub(crate) fn is_wanted(view: &View, graph_use: GraphUse) -> bool {
        let rows = view.counts.current as usize;
        graph_use != GraphUse::WhereFaster || rows >= GRAPH_FROM_ROWS
    }

    /// Adds some rows of the slot's own view, or of a new graph that will take the place of a stale one, or finds out how
    /// wide searches have to look; whether there is more to do. Takes about [`STEP`]; searches are not disturbed.
    pub(crate) fn step(
        &self,
        view: &View,
        path: SimdPath,
        stride: usize,
        graph_use: GraphUse,
    ) -> bool {
        let Some(mut work) = self.work.try_lock() else {
            return true;
        };
        let until = Instant::now() + STEP;
        let fresh = || {
            let left_out = view.counts.current < view.counts.live;
            Arc::new(RowGraph::new(path, stride, left_out))
        };
        let serving = if let Some(serving) = self.serving() {
            serving
        } else {
            if !Self::is_wanted(view, graph_use) {
                return false;
            }
            let first = fresh();
            self.serving.store(Some(Arc::clone(&first)));
            first
        };
        if work.next.is_none() && serving.is_stale(view) {
            *work = Work {
                next: Some(fresh()),
                calibration: None,
            };
        }
        let graph = work.next.clone().unwrap_or(serving);
        let is_done =
            graph.extend(view, stride, until) && work.calibrate(&graph, view, path, stride, until);
        if is_done && let Some(next) = work.next.take() {
            self.serving.store(Some(next));
        }
        !is_done
    }
}

impl Work {
    /// Goes on to find out how wide searches of a graph have to look; whether that is known.
    fn calibrate(
        &mut self,
        graph: &RowGraph,
        view: &View,
        path: SimdPath,
        stride: usize,
        until: Instant,
    ) -> bool {
        let rows = graph.graph.len();
        let calibrated = graph.calibrated.load(Ordering::Relaxed);
        if graph.width().is_some() && rows <= calibrated + calibrated / GROWTH {
            return true;
        }
        let fresh = || Box::new(Calibration::new(graph, view));
        let calibration = self.calibration.get_or_insert_with(fresh);
        let Some(width) = calibration.step(graph, view, path, stride, until) else {
            return false;
        };
        self.calibration = None;
        graph.calibrated.store(rows, Ordering::Relaxed);
        graph.width.store(width, Ordering::Relaxed);
        true
    }
}
