//! The exhaustive scan over int8 codes, and single scores.

use super::kernels::{self, BLOCK, Rows};
use super::{Collector, LANE, Query, SimdPath};

/// The picks of a block without a mask: all of it.
const EVERY_ROW: [u16; BLOCK] = {
    let mut rows = [0; BLOCK];
    let mut row = 0;
    while row < BLOCK {
        rows[row] = row as u16;
        row += 1;
    }
    rows
};

/// Offers the int8 score of every row of one contiguous block to `best`, as row `base_row + i`.
///
/// # Arguments
///
/// * `codes`: `scales.len()` rows of `stride` codes (see [`quantize`](super::quantize)).
/// * `stride`: [`padded`](super::padded)`(dimension)`, as the query's.
/// * `mask`: bit `i % 64` of word `i / 64` lets row `i` of the block take part; None lets all. Bits beyond the rows are
///   ignored. A row that is left out is not read.
///
/// The scores are about `<query, row>`; [`score_error_bound`](super::score_error_bound) says how far off they can be.
/// Does not allocate, but for what `best` may have left to reserve.
///
/// # Panics
///
/// If the lengths do not agree as said, or the CPU cannot run `path`.
#[expect(
    clippy::too_many_arguments,
    reason = "the parts of a segment; a struct would be built for every call only to be taken apart"
)]
pub fn scan(
    path: SimdPath,
    codes: &[u8],
    scales: &[f32],
    stride: usize,
    mask: Option<&[u64]>,
    base_row: u32,
    query: &Query,
    best: &mut impl Collector,
) {
    assert_runs(path);
    assert_eq!(
        stride,
        query.stride(),
        "the rows' stride is not the query's"
    );
    assert_eq!(
        codes.len(),
        scales.len() * stride,
        "codes and scales disagree on the number of rows"
    );
    assert!(
        mask.is_none_or(|mask| mask.len() * BLOCK >= scales.len()),
        "the mask has fewer bits than there are rows"
    );
    if stride == 0 {
        return;
    }
    let mut block_scores = BlockScores::new();
    let mut picked = [0_u16; BLOCK];
    for (block, scales) in scales.chunks(BLOCK).enumerate() {
        let picks = match mask {
            None => &EVERY_ROW[..scales.len()],
            Some(mask) => pick(mask[block], scales.len(), &mut picked),
        };
        let codes = &codes[block * BLOCK * stride..][..scales.len() * stride];
        let first = base_row + (block * BLOCK) as u32;
        block_scores.offer(path, Rows { codes, picks }, scales, first, query, best);
    }
}

/// Offers the int8 score of some rows of a contiguous stretch, as [`scan`] does for those of a mask.
///
/// `rows` are numbers of rows in the stretch; row `i` is offered as `base_row + i`.
///
/// # Panics
///
/// If there is no such row, the lengths do not agree, or the CPU cannot run `path`.
#[expect(clippy::too_many_arguments, reason = "as `scan`")]
pub fn scan_rows(
    path: SimdPath,
    codes: &[u8],
    scales: &[f32],
    stride: usize,
    rows: &[u16],
    base_row: u32,
    query: &Query,
    best: &mut impl Collector,
) {
    assert_eq!(
        stride,
        query.stride(),
        "the rows' stride is not the query's"
    );
    let mut scan = RowScan::new(path, query);
    scan.add(codes, scales, rows, base_row, best);
    scan.finish(best);
}

/// A scan of single rows of many stretches: scores are compared when 64 have come together, wherever they are from.
pub struct RowScan<'a> {
    path: SimdPath,
    query: &'a Query,
    scores: BlockScores,
    rows: [u32; BLOCK],
    /// How many rows wait to be offered.
    waiting: usize,
}

impl<'a> RowScan<'a> {
    /// # Panics
    ///
    /// If the CPU cannot run `path`.
    #[must_use]
    pub fn new(path: SimdPath, query: &'a Query) -> Self {
        assert_runs(path);
        Self {
            path,
            query,
            scores: BlockScores::new(),
            rows: [0; BLOCK],
            waiting: 0,
        }
    }

    /// Scores rows of a stretch of `scales.len()` rows; row `i` of it is offered as `base_row + i`, now or later.
    ///
    /// # Panics
    ///
    /// If there is no such row, or the codes are not so many rows.
    pub fn add(
        &mut self,
        codes: &[u8],
        scales: &[f32],
        rows: &[u16],
        base_row: u32,
        best: &mut impl Collector,
    ) {
        assert_eq!(
            codes.len(),
            scales.len() * self.query.stride(),
            "codes and scales disagree on the number of rows"
        );
        let mut dots = [0; BLOCK];
        let mut rest = rows;
        while !rest.is_empty() {
            let (picks, later) = rest.split_at(rest.len().min(BLOCK - self.waiting));
            rest = later;
            let last = picks.iter().max().copied().map_or(0, usize::from);
            assert!(last < scales.len(), "row {last} of {}", scales.len());
            // SAFETY: the path runs here, the codes are whole rows of the query's stride, one a scale, and the picks, of
            // which there are at most BLOCK, lie below the number of scales.
            unsafe {
                kernels::integer_dots(self.path, Rows { codes, picks }, self.query, &mut dots);
            };
            let places = self.waiting..self.waiting + picks.len();
            self.scores.dots[places.clone()].copy_from_slice(&dots[..picks.len()]);
            let waiting = self.scores.scales[places.clone()].iter_mut();
            for ((scale, row), &pick) in waiting.zip(&mut self.rows[places]).zip(picks) {
                *scale = scales[usize::from(pick)];
                *row = base_row + u32::from(pick);
            }
            self.waiting += picks.len();
            if self.waiting == BLOCK {
                self.offer(best);
            }
        }
    }

    /// Offers the rows that still wait.
    pub fn finish(mut self, best: &mut impl Collector) {
        self.offer(best);
    }

    fn offer(&mut self, best: &mut impl Collector) {
        let BlockScores {
            dots,
            scales,
            scores,
        } = &mut self.scores;
        let (scale, threshold) = (self.query.scale(), best.threshold());
        // SAFETY: the path runs here, as `new` has asserted.
        let mut reaching =
            unsafe { kernels::scores(self.path, dots, scales, scale, threshold, scores) };
        reaching &= first_bits(self.waiting);
        while reaching != 0 {
            let place = reaching.trailing_zeros() as usize;
            best.push(self.scores.scores[place], self.rows[place]);
            reaching &= reaching - 1;
        }
        self.waiting = 0;
    }
}

/// A word whose lowest `count` bits are set.
fn first_bits(count: usize) -> u64 {
    if count < BLOCK {
        (1 << count) - 1
    } else {
        u64::MAX
    }
}

/// What is computed for up to 64 rows at once.
struct BlockScores {
    dots: [i32; BLOCK],
    scales: [f32; BLOCK],
    scores: [f32; BLOCK],
}

impl BlockScores {
    fn new() -> Self {
        Self {
            dots: [0; BLOCK],
            scales: [0.0; BLOCK],
            scores: [0.0; BLOCK],
        }
    }

    /// Scores the picked rows and offers those that the list may take, row `i` as `first + i`.
    ///
    /// The scores are compared all at once, for a list that has filled takes few of them.
    #[inline]
    fn offer(
        &mut self,
        path: SimdPath,
        rows: Rows<'_>,
        scales: &[f32],
        first: u32,
        query: &Query,
        best: &mut impl Collector,
    ) {
        let picks = rows.picks;
        // SAFETY: the callers have asserted that the path runs here, that the codes are whole rows of the query's stride,
        // one a scale, and that the picks lie below the number of scales.
        unsafe { kernels::integer_dots(path, rows, query, &mut self.dots) };
        let scales = if let (Some(scales), true) = (scales.first_chunk(), is_block(picks)) {
            scales
        } else {
            for (scale, &pick) in self.scales.iter_mut().zip(picks) {
                *scale = scales[usize::from(pick)];
            }
            &self.scales
        };
        let threshold = best.threshold();
        // SAFETY: the path runs here.
        let mut reaching = unsafe {
            let (dots, scores) = (&self.dots, &mut self.scores);
            kernels::scores(path, dots, scales, query.scale(), threshold, scores)
        };
        reaching &= first_bits(picks.len());
        if picks.last().map_or(0, |&last| usize::from(last) + 1) == picks.len() {
            if reaching != 0 {
                best.push_block(&self.scores, reaching, first);
            }
            return;
        }
        while reaching != 0 {
            let place = reaching.trailing_zeros() as usize;
            best.push(self.scores[place], first + u32::from(picks[place]));
            reaching &= reaching - 1;
        }
    }
}

/// Whether the picks are the first 64 rows.
fn is_block(picks: &[u16]) -> bool {
    picks.len() == BLOCK && picks[BLOCK - 1] == EVERY_ROW[BLOCK - 1]
}

/// Asks for a row's memory before it is read.
pub fn prefetch<T>(row: &[T]) {
    kernels::prefetch(row);
}

/// The rows whose bit is set, ascending.
fn pick(word: u64, rows: usize, picked: &mut [u16; BLOCK]) -> &[u16] {
    let mut left = if rows < BLOCK {
        word & ((1 << rows) - 1)
    } else {
        word
    };
    if left == u64::MAX {
        return &EVERY_ROW;
    }
    let count = left.count_ones() as usize;
    for slot in &mut picked[..count] {
        *slot = left.trailing_zeros() as u16;
        left &= left - 1;
    }
    &picked[..count]
}

/// The int8 score of one row, bit for bit that of [`scan`].
///
/// # Panics
///
/// If the row's length is not the query's stride, or the CPU cannot run `path`.
#[must_use]
pub fn score_codes(path: SimdPath, codes_row: &[u8], scale: f32, query: &Query) -> f32 {
    assert_runs(path);
    assert_eq!(
        codes_row.len(),
        query.stride(),
        "the row's length is not the query's stride"
    );
    if codes_row.is_empty() {
        return 0.0;
    }
    let mut dots = [0; BLOCK];
    let rows = Rows {
        codes: codes_row,
        picks: &EVERY_ROW[..1],
    };
    // SAFETY: the path runs here, and the one row has the query's stride.
    unsafe { kernels::integer_dots(path, rows, query, &mut dots) };
    kernels::score_of(dots[0], scale, query.scale())
}

/// The product of two padded `f32` rows, for rescoring; paths differ in the order of the sum only.
///
/// # Panics
///
/// If the lengths differ or are not a multiple of 64, or the CPU cannot run `path`.
#[must_use]
pub fn dot(path: SimdPath, a: &[f32], b: &[f32]) -> f32 {
    assert_runs(path);
    assert!(
        a.len() == b.len() && a.len().is_multiple_of(LANE),
        "rows of {} and {} elements",
        a.len(),
        b.len()
    );
    // SAFETY: the path runs here, and the lengths are as the kernels need them.
    unsafe { kernels::dot(path, a, b) }
}

/// The kernels trust that their instructions exist.
pub(super) fn assert_runs(path: SimdPath) {
    assert!(
        path.is_available(),
        "this CPU cannot run the path {}",
        path.name()
    );
}
