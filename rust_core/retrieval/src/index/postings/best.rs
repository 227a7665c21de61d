//! The best rows of a scan, the newer first among equals.

use crate::index::sources::{Age, SourceRow, Sources};

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
    /// Rows whose score is that of the worst.
    equals: Vec<(Age, SourceRow)>,
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
            equals: Vec::new(),
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
        let (_, &mut (threshold, _), _) = self
            .kept
            .select_nth_unstable_by(last, |(a, _), (b, _)| b.total_cmp(a));
        self.threshold = threshold;
        self.keep_newest_equals();
    }

    /// Of the rows whose score is the threshold, drops all but the newest, as many as there is room for.
    ///
    /// What says how new a row is lies where no cache has it, and words that many rows have once make many rows equal: it is
    /// asked for at once and read once for each.
    fn keep_newest_equals(&mut self) {
        let (sources, threshold) = (self.sources, self.threshold);
        // Those below are gone, and those above are fewer than wanted.
        let mut equals = std::mem::take(&mut self.equals);
        let rows = self.kept.extract_if(.., |(score, _)| *score <= threshold);
        let rows = rows.filter(|&(score, _)| score >= threshold);
        equals.clear();
        equals.extend(rows.map(|(_, row)| (Age::default(), row)));
        for &(_, row) in &equals {
            sources.prefetch_record(row);
        }
        for (age, row) in &mut equals {
            *age = sources.age(*row);
        }
        let room = self.count - self.kept.len();
        let newer = |a: &(Age, SourceRow), b: &(Age, SourceRow)| b.0.cmp(&a.0);
        let (_, &mut (worst_age, worst), _) = equals.select_nth_unstable_by(room - 1, newer);
        let newest = equals[..room].iter();
        self.kept.extend(newest.map(|&(_, row)| (threshold, row)));
        (self.worst, self.worst_time) = (Some(worst), worst_age.0);
        self.equals = equals;
    }

    /// The best, in no order.
    pub(super) fn into_rows(mut self) -> Vec<(f32, SourceRow)> {
        self.cut();
        self.kept
    }
}
