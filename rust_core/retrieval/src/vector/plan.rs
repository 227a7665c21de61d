//! Which way of searching suits how many bytes: the one place for thresholds.
//!
//! Below [`BITS_FROM_BYTES`] of selected codes the int8 codes of every selected row are read, and the result is exact.
//! From there on the 1-bit codes are read first, an eighth of the bytes. It is counted in bytes of int8 codes, because
//! that is what the exact scan waits for: 7,800 rows of 384, 3,900 of 768. Only whole segments have 1-bit codes, so that
//! the first scope that is searched by them has 8,192 rows of 384.
//!
//! The two take equally long at about 2 MB where nothing else uses the caches, and below that where a server does other
//! work between two searches (`cargo bench -p mnemic-retrieval --bench vector -- plans`). The border lies above that,
//! because certainty is worth something.
//!
//! The rows of a graph need not be looked at one by one: see [`GraphPlan`].

/// From so many bytes of selected int8 codes on, the 1-bit codes are read first.
pub const BITS_FROM_BYTES: usize = 3_000_000;

/// How many rows are taken by their 1-bit codes for each that is wanted: so many elements' worth of them, because an
/// estimate is the less sure the fewer elements it has (its error falls as their root), and at least so many.
const OVERSAMPLED_ELEMENTS: usize = 4_096;
const LEAST_OVERSAMPLING: usize = 8;
/// However few are wanted.
const LEAST_BY_BITS: usize = 100;
/// Where more than one selected row of so many would be read again, reading all of them once is less.
const MOST_READ_AGAIN: usize = 8;

/// How the rows that have 1-bit codes are searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// All selected rows by int8, then the best in `f32`: certainly the best.
    Exact,
    /// The best `candidates` by 1-bit codes, of them the best by int8 and then in `f32`: nearly always the best.
    Bits {
        /// How many.
        candidates: usize,
    },
}

impl Plan {
    /// The plan for the best `count` of so many selected rows of `stride` codes.
    #[must_use]
    pub const fn of(rows: usize, stride: usize, count: usize) -> Self {
        let wanted = count
            * at_least(
                OVERSAMPLED_ELEMENTS / at_least(stride, 1),
                LEAST_OVERSAMPLING,
            );
        let candidates = at_least(wanted, LEAST_BY_BITS);
        if rows * stride < BITS_FROM_BYTES || rows < MOST_READ_AGAIN * candidates {
            Self::Exact
        } else {
            Self::Bits { candidates }
        }
    }
}

const fn at_least(number: usize, least: usize) -> usize {
    if number < least { least } else { number }
}

/// From so many rows on, a partition gets a graph: fewer take longer through a graph that finds as much as the scan of the
/// 1-bit codes. Rows and not bytes, because a row that is twice as long takes both twice as long.
pub const GRAPH_FROM_ROWS: usize = 200_000;

/// How many rows are looked at for each of the width, without a filter.
const LOOKS: usize = 18;
/// A row that is looked at on the way through a graph, somewhere in memory, takes as long as so many in a scan of the 1-bit
/// codes.
const ROWS_OF_A_LOOK: usize = 30;
/// A search that looks at so many times the expected rows gives up: the selected ones lie apart from the query.
const PATIENCE: usize = 4;

/// Whether graphs are made and searched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GraphUse {
    /// Where they are faster than a scan and find nearly the same.
    #[default]
    WhereFaster,
    /// In every partition, with this width: to measure what a graph finds.
    Always(usize),
}

/// How the rows of a graph are searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GraphPlan {
    /// How many selected rows the search looks for.
    pub width: usize,
    /// It gives up when it has looked at more rows.
    pub most: usize,
}

impl GraphPlan {
    /// The plan for the best `count` of the selected of so many rows in a graph, unless it is faster to scan them.
    ///
    /// `calibrated` is the width that finds nearly all of the best ten; None if it is not known yet.
    #[must_use]
    pub fn of(
        graph_use: GraphUse,
        calibrated: Option<usize>,
        selected: usize,
        rows: usize,
        stride: usize,
        count: usize,
    ) -> Option<Self> {
        if let GraphUse::Always(width) = graph_use {
            return Some(Self {
                width,
                most: usize::MAX,
            });
        }
        let Plan::Bits { candidates } = Plan::of(selected, stride, count) else {
            return None;
        };
        let width = calibrated?.max(2 * count);
        // The way to each selected row leads over as many more others as there are more of them.
        let looks = LOOKS.saturating_mul(width).saturating_mul(rows) / selected;
        (looks < rows / ROWS_OF_A_LOOK + candidates).then_some(Self {
            width,
            most: PATIENCE * looks,
        })
    }
}
