//! 1-bit codes: on which side of a mean each element lies, for a first look at many rows.
//!
//! The estimate is that of `RaBitQ` (Gao and Long, Quantizing High-Dimensional Vectors with a Theoretical Error Bound for
//! Approximate Nearest Neighbor Search, SIGMOD 2024), without the random rotation, which embeddings of sentences do
//! not need. A row is `v = c + r` with the mean `c` of its segment; `s` has the signs of `r`, and
//! `<q, v> ≈ <q, c> + |r|₂² / |r|₁ · <q, s>`, which is exact for `q = r`. The query is rounded to four bits an element, so
//! that `<q, s>` is four counts of common bits.

use super::kernels::{self, BLOCK, BitBlocks, Estimate, ROWS_ABREAST};
use super::scan::assert_runs;
use super::{Aligned, Collector, LANE, SimdPath, padded};

/// How many bits an element of the query has.
pub(super) const PLANES: usize = 4;
const LEVELS: f32 = 15.0;

/// The 1-bit codes of a stretch of rows that does not change any more.
#[derive(Clone, Debug)]
pub struct BitCodes {
    mean: Aligned<f32>,
    /// Blocks of 64 rows as the kernels want them.
    codes: Aligned<u64>,
    /// `|r|₂² / |r|₁` of each row.
    factors: Vec<f32>,
    /// The same times the number of ones in its code.
    counted_factors: Vec<f32>,
}

/// The same where they lie: in [`BitCodes`], or in a block of memory as [`BitCodes::bytes_for`] describes it.
#[derive(Clone, Copy, Debug)]
pub struct BitCodesRef<'a> {
    mean: &'a [f32],
    codes: &'a [u64],
    factors: &'a [f32],
    counted_factors: &'a [f32],
}

/// A query prepared for 1-bit codes.
#[derive(Clone, Debug)]
pub struct BitQuery {
    /// [`PLANES`] words for each word of a row.
    planes: Vec<u64>,
    /// What one step of the four bits, twice, stands for.
    step: f32,
    /// Twice the element that has four zero bits.
    lowest: f32,
    /// The sum of all elements.
    sum: f32,
}

impl BitCodes {
    /// Codes rows of `stride` elements, one after another; `takes_part` says which of them have a meaning. None if none
    /// has.
    ///
    /// # Panics
    ///
    /// If the rows are not whole, or `stride` is 0 or not a multiple of 64.
    #[must_use]
    pub fn of(rows: &[f32], stride: usize, takes_part: &[bool]) -> Option<Self> {
        assert!(
            stride > 0 && stride.is_multiple_of(LANE) && rows.len() == takes_part.len() * stride,
            "{} elements are not {} rows of {stride}",
            rows.len(),
            takes_part.len()
        );
        let mean = mean_of(rows, stride, takes_part)?;
        let words = stride / 64;
        let places = takes_part.len().next_multiple_of(BLOCK);
        let mut bits = Self {
            mean,
            codes: Aligned::zeroed(places * words),
            factors: vec![0.0; places],
            counted_factors: vec![0.0; places],
        };
        for (row, unit) in rows.chunks_exact(stride).enumerate() {
            if takes_part[row] {
                bits.encode(row, unit);
            }
        }
        Some(bits)
    }

    fn encode(&mut self, row: usize, unit: &[f32]) {
        let words = unit.len() / 64;
        let group = row / ROWS_ABREAST * words * ROWS_ABREAST + row % ROWS_ABREAST;
        let (mut squares, mut absolutes, mut ones) = (0.0_f32, 0.0_f32, 0);
        let pairs = unit.chunks_exact(64).zip(self.mean.chunks_exact(64));
        for (word, (unit, mean)) in pairs.enumerate() {
            let mut code = 0_u64;
            for (place, (element, mean)) in unit.iter().zip(mean).enumerate() {
                let rest = element - mean;
                squares += rest * rest;
                absolutes += rest.abs();
                code |= u64::from(rest > 0.0) << place;
            }
            ones += code.count_ones();
            self.codes[group + word * ROWS_ABREAST] = code;
        }
        if absolutes > 0.0 {
            self.factors[row] = squares / absolutes;
            self.counted_factors[row] = self.factors[row] * ones as f32;
        }
    }

    /// How many bytes it takes beyond its own size.
    pub fn bytes(&self) -> usize {
        self.sections().into_iter().map(<[u8]>::len).sum()
    }

    /// How many bytes the [`sections`](Self::sections) of so many rows have; a multiple of 64 if the rows are.
    #[must_use]
    pub const fn bytes_for(rows: usize, stride: usize) -> usize {
        let places = rows.next_multiple_of(BLOCK);
        stride * size_of::<f32>() + places * (stride / 8 + 2 * size_of::<f32>())
    }

    /// Mean, codes, factors, and factors times ones, in the byte order of this machine.
    #[must_use]
    pub fn sections(&self) -> [&[u8]; 4] {
        [
            bytemuck::cast_slice(&self.mean),
            bytemuck::cast_slice(&self.codes),
            bytemuck::cast_slice(&self.factors),
            bytemuck::cast_slice(&self.counted_factors),
        ]
    }

    /// To scan it.
    #[must_use]
    pub fn as_ref(&self) -> BitCodesRef<'_> {
        BitCodesRef {
            mean: &self.mean,
            codes: &self.codes,
            factors: &self.factors,
            counted_factors: &self.counted_factors,
        }
    }
}

impl<'a> BitCodesRef<'a> {
    /// The [`sections`](BitCodes::sections) of `rows` rows, one after another.
    ///
    /// # Panics
    ///
    /// If there are not [`BitCodes::bytes_for`] bytes, or they do not begin on 8 bytes.
    #[must_use]
    pub fn from_bytes(bytes: &'a [u8], rows: usize, stride: usize) -> Self {
        assert_eq!(bytes.len(), BitCodes::bytes_for(rows, stride));
        let places = rows.next_multiple_of(BLOCK);
        let (mean, rest) = bytes.split_at(stride * size_of::<f32>());
        let (codes, rest) = rest.split_at(places * stride / 8);
        let (factors, counted_factors) = rest.split_at(places * size_of::<f32>());
        Self {
            mean: bytemuck::cast_slice(mean),
            codes: bytemuck::cast_slice(codes),
            factors: bytemuck::cast_slice(factors),
            counted_factors: bytemuck::cast_slice(counted_factors),
        }
    }

    /// Offers the estimate of every row whose bit is set in `mask`, as row `base_row + i`.
    ///
    /// # Panics
    ///
    /// If the query is of another stride, or the CPU cannot run `path`.
    pub fn scan(
        self,
        path: SimdPath,
        mask: &[u64],
        base_row: u32,
        unit: &[f32],
        query: &BitQuery,
        best: &mut impl Collector,
    ) {
        assert_runs(path);
        let words = query.planes.len() / PLANES;
        assert!(
            words * 64 == self.mean.len() && unit.len() == self.mean.len(),
            "a query of {} elements for codes of {}",
            words * 64,
            self.mean.len()
        );
        let estimate = Estimate {
            planes: &query.planes,
            base: super::dot(path, unit, self.mean),
            step: query.step,
            offset: query.sum,
            lowest: query.lowest,
        };
        let blocks = BitBlocks {
            codes: self.codes,
            factors: self.factors.as_chunks().0,
            counted_factors: self.counted_factors.as_chunks().0,
            selected: mask,
        };
        let (mut done, mut estimates) = (0, [0.0; BLOCK]);
        loop {
            let (rest, threshold) = (blocks.after(done, words), best.threshold());
            // SAFETY: the path runs here.
            let next =
                unsafe { kernels::next_estimates(path, rest, estimate, threshold, &mut estimates) };
            let Some((block, reaching)) = next else {
                break;
            };
            done += block;
            best.push_block(&estimates, reaching, base_row + (done * BLOCK) as u32);
            done += 1;
        }
    }
}

impl BitQuery {
    /// Prepares a vector of unit length, padded or not.
    #[must_use]
    pub fn new(unit: &[f32], dimension: usize) -> Self {
        let elements = &unit[..dimension.min(unit.len())];
        let lowest = elements.iter().copied().fold(0.0, f32::min);
        let highest = elements.iter().copied().fold(0.0, f32::max);
        let step = (highest - lowest) / LEVELS;
        let inverse = if step > 0.0 { step.recip() } else { 0.0 };
        let mut planes = vec![0_u64; padded(elements.len()) / 64 * PLANES];
        let mut total = 0_u32;
        for (element, planes) in elements.chunks(64).zip(planes.as_chunks_mut::<PLANES>().0) {
            for (place, element) in element.iter().enumerate() {
                let level = ((element - lowest) * inverse + 0.5).min(LEVELS) as u8;
                total += u32::from(level);
                for (bit, plane) in planes.iter_mut().enumerate() {
                    *plane |= u64::from(level >> bit & 1) << place;
                }
            }
        }
        Self {
            planes,
            step: 2.0 * step,
            lowest: 2.0 * lowest,
            // Of the rounded elements, so that the rounding errors of both sides of a sum cancel.
            sum: elements.len() as f32 * lowest + total as f32 * step,
        }
    }
}

/// The mean of the rows that take part.
fn mean_of(rows: &[f32], stride: usize, takes_part: &[bool]) -> Option<Aligned<f32>> {
    let mut mean = Aligned::zeroed(stride);
    let mut count = 0.0;
    for (row, _) in rows
        .chunks_exact(stride)
        .zip(takes_part)
        .filter(|(_, takes_part)| **takes_part)
    {
        count += 1.0;
        for (sum, element) in mean.iter_mut().zip(row) {
            *sum += element;
        }
    }
    for sum in mean.iter_mut() {
        *sum /= count;
    }
    (count > 0.0).then_some(mean)
}
