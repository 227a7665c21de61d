//! The best rows of a scan, the newer first among equals.

use crate::index::sources::{SourceRow, Sources};

/// The best are cut back to the wanted number when they are twice as many and this.
const SLACK: usize = 64;

/// The best rows so far.
pub(super) struct Best<'a> {
    sources: &'a Sources,
    count: usize,
    kept: Vec<(f32, SourceRow)>,
    /// A lower score certainly does not enter, and an equal one only if it is newer than `worst`.
    threshold: f32,
    worst: Option<SourceRow>,
    /// When `worst` happened or was heard.
    worst_time: i64,
}

impl<'a> Best<'a> {
    pub(super) fn new(sources: &'a Sources, count: usize) -> Self {
        Self {
            sources,
            count,
            kept: Vec::with_capacity(if count == 0 { 0 } else { 2 * count + SLACK }),
            threshold: if count == 0 {
                f32::INFINITY
            } else {
                f32::MIN_POSITIVE
            },
            worst: None,
            worst_time: i64::MIN,
        }
    }

    #[inline]
    pub(super) fn offer(&mut self, score: f32, row: SourceRow) {
        if score < self.threshold || (score <= self.threshold && self.loses_to_worst(row)) {
            return;
        }
        self.kept.push((score, row));
        // The first threshold comes as soon as there can be one, so that ties are refused and not collected.
        let has_first = self.worst.is_none() && self.kept.len() == self.count;
        if has_first || self.kept.len() == 2 * self.count + SLACK {
            self.cut();
        }
    }

    fn loses_to_worst(&self, row: SourceRow) -> bool {
        let Some(worst) = self.worst else {
            return false;
        };
        let time = self.sources.recency_time(row);
        time < self.worst_time
            || time == self.worst_time && self.sources.newer_first(worst, row).is_lt()
    }

    /// The least score with which a row may enter.
    pub(super) fn least(&self) -> f32 {
        self.threshold
    }

    /// The least score with which a row may enter that did not happen and was not heard after `newest`.
    #[inline]
    pub(super) fn needed(&self, newest: i64) -> f32 {
        if self.worst_time > newest {
            self.threshold.next_up()
        } else {
            self.threshold
        }
    }

    /// Drops all but the best, and raises the threshold to the worst of them.
    pub(super) fn cut(&mut self) {
        if self.count == 0
            || self.kept.len() < self.count
            || self.kept.len() == self.count && self.worst.is_some()
        {
            return;
        }
        let last = self.count - 1;
        let (_, &mut (threshold, _), beyond) = self
            .kept
            .select_nth_unstable_by(last, |(a, _), (b, _)| b.total_cmp(a));
        let sources = self.sources;
        if beyond.iter().any(|&(score, _)| score >= threshold) {
            self.kept
                .select_nth_unstable_by(last, |&a, &b| sources.order(a, b));
        }
        self.kept.truncate(self.count);
        self.threshold = threshold;
        let equals = self.kept.iter().filter(|(score, _)| *score >= threshold);
        self.worst = equals
            .map(|&(_, row)| row)
            .max_by(|&a, &b| sources.newer_first(a, b));
        self.worst_time = self.worst.map_or(i64::MIN, |row| sources.recency_time(row));
    }

    /// The best, in no order.
    pub(super) fn into_rows(mut self) -> Vec<(f32, SourceRow)> {
        self.cut();
        self.kept
    }
}
