//! The cosines of messages that lend their meaning only.
//!
//! They are those of the int8 codes, which differ from the exact ones by less than
//! [`score_error_bound`](crate::vector::score_error_bound), some thousandths: a mean over a window says no more, and the codes
//! are a quarter of the bytes. Whatever is a candidate has its exact cosine.

use crate::index::nearest::VectorSignal;
use crate::index::sources::{SourceRow, Sources};
use crate::partition::segment::SEGMENT_ROWS;
use crate::vector::{Collector, RowScan};

/// The cosine of a member that has not been looked at yet.
pub(super) const UNKNOWN: f32 = f32::INFINITY;

/// What is looked up, and what was found, in the same order.
#[derive(Default)]
pub(super) struct Estimates {
    picks: Vec<u16>,
    /// The places of what is looked up.
    places: Vec<u32>,
    scores: Vec<f32>,
}

/// Takes every score, in the order in which they come.
struct All<'a>(&'a mut Vec<f32>);

impl Collector for All<'_> {
    fn threshold(&self) -> f32 {
        f32::NEG_INFINITY
    }

    fn push(&mut self, score: f32, _row: u32) {
        self.0.push(score);
    }
}

impl Estimates {
    /// Puts a cosine in place of each [`UNKNOWN`] one of some ascending rows; NaN if the row has no vector.
    pub(super) fn fill(
        &mut self,
        signal: &VectorSignal,
        sources: &Sources,
        rows: &[SourceRow],
        cosines: &mut [f32],
    ) {
        self.places.clear();
        self.scores.clear();
        let stride = signal.query.stride();
        let mut scan = RowScan::new(signal.path, &signal.query);
        let mut start = 0;
        while start < rows.len() {
            let (source, row) = sources.locate(rows[start]);
            let (segment, _) = source.view.locate(row);
            let first = source.offset + segment.base;
            let end = source.end().min(first.saturating_add(SEGMENT_ROWS));
            let count = rows[start..].partition_point(|&row| row < end);
            self.picks.clear();
            for place in start..start + count {
                let pick = rows[place] - first;
                if cosines[place] != UNKNOWN {
                    continue;
                }
                if segment.has_vector(pick as usize) {
                    self.picks.push(pick as u16);
                    self.places.push(place as u32);
                } else {
                    cosines[place] = f32::NAN;
                }
            }
            // In this order: a growing segment has a row's codes before its scale.
            let scales = segment.scales();
            let codes = &segment.codes()[..scales.len() * stride];
            scan.add(
                codes,
                scales,
                &self.picks,
                first,
                &mut All(&mut self.scores),
            );
            start += count;
        }
        scan.finish(&mut All(&mut self.scores));
        for (&place, &score) in self.places.iter().zip(&self.scores) {
            cosines[place as usize] = score;
        }
    }
}
