//! Compaction: a new base of the live rows, made while others read and write the old state.
//!
//! The base is built from a view, which does not change. What happened meanwhile is the difference between that view
//! and a later one: rows that went, rows that ended, rows that came. It is made up for in rounds, the last of them
//! under the writer's lock, when little is left.

use std::collections::HashMap;
use std::sync::Arc;

use super::base::build::{Plan, Renumbering};
use super::segment::RowNumber;
use super::view::{BaseRef, View, has_row, rows_of};
use super::writer::Writer;
use crate::Error;
use crate::vector::padded;

/// So few rows may come and go while writers wait.
const LAST_ROUND: usize = 64;
/// When writers are faster than this loop, they wait after so many rounds.
const ROUNDS: usize = 8;

/// A base of the live rows of a view.
pub(super) fn base_of(
    dimension: usize,
    view: &Arc<View>,
    tombstones: Vec<(u128, u32)>,
) -> Result<BaseRef, Error> {
    let base = Plan::new(view, padded(dimension), tombstones)?.build()?;
    Ok(BaseRef::new(base, view.sequence))
}

/// A new state of a partition on its way.
pub(super) struct Compaction {
    writer: Writer,
    /// The view that the writer is level with.
    reached: Arc<View>,
    /// The view of which the base was made.
    origin: Arc<View>,
    /// New numbers of the rows of that view.
    renumbering: Renumbering,
    /// New numbers of rows that came since.
    adopted: HashMap<RowNumber, RowNumber>,
}

impl Compaction {
    /// Builds a base of a view.
    pub(super) fn of(
        dimension: usize,
        view: Arc<View>,
        tombstones: Vec<(u128, u32)>,
    ) -> Result<Self, Error> {
        let plan = Plan::new(&view, padded(dimension), tombstones)?;
        let base = BaseRef::new(plan.build()?, view.sequence);
        let renumbering = plan.into_renumbering();
        Ok(Self {
            writer: Writer::over(dimension, &base),
            reached: Arc::clone(&view),
            origin: view,
            renumbering,
            adopted: HashMap::new(),
        })
    }

    /// Makes up for what happened, until little is left or the writers are too fast.
    pub(super) fn catch_up(&mut self, now: impl Fn() -> Arc<View>) {
        for _ in 0..ROUNDS {
            let view = now();
            let limit = self.reached.limit;
            if (view.limit.saturating_sub(limit) as usize) <= LAST_ROUND || !self.is_of(&view) {
                return;
            }
            self.advance(view);
        }
    }

    /// Whether a view is a later state of the one that it began with: a load makes another.
    pub(super) fn is_of(&self, view: &View) -> bool {
        self.origin.is_over_base_of(view)
    }

    /// Makes up for the difference to a later view.
    fn advance(&mut self, view: Arc<View>) {
        let before = Arc::clone(&self.reached);
        self.writer.begin(view.sequence);
        let number_of = |adopted: &HashMap<_, _>, row| {
            let of_base = self.renumbering.number_of(row);
            of_base
                .filter(|_| row < self.origin.limit)
                .or_else(|| adopted.get(&row).copied())
        };
        let gone = before.live.iter().zip(view.live.iter());
        let gone: Vec<u64> = gone.map(|(before, now)| before & !now).collect();
        for row in rows_of(&gone) {
            if let Some(number) = number_of(&self.adopted, row) {
                self.writer.remove(number);
            }
        }
        for segment in view.segments() {
            for place in segment.closed_between(before.sequence, view.sequence) {
                let row = segment.base + place as u32;
                let number = number_of(&self.adopted, row).filter(|_| has_row(&view.live, row));
                if let (Some(number), Some(end)) = (number, segment.closed_at(place, view.sequence))
                {
                    self.writer.close(number, end);
                }
            }
        }
        for row in rows_of(&view.live).filter(|&row| row >= before.limit) {
            let number = self.writer.adopt(&view, row);
            self.adopted.insert(row, number);
        }
        self.reached = view;
    }

    /// The writer of the new state, level with the last view of the old one.
    pub(super) fn finish(mut self, last: Arc<View>, tombstones: Vec<(u128, u32)>) -> Writer {
        self.advance(last);
        for (memory_id, version) in tombstones {
            self.writer.bury(memory_id, version);
        }
        self.writer
    }
}
