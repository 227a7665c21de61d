//! A memory by its id.

use std::sync::Arc;

use super::view::{View, has_row};
use super::{Partition, Record, ScopeIds};
use crate::Error;

/// The last version of a memory that a partition holds.
#[derive(Clone, Debug)]
pub struct LatestVersion {
    /// As it was written.
    pub record: Record,
    /// The ids that it carries.
    pub scope: Arc<ScopeIds>,
    /// The end of its validity, if it has one.
    pub valid_to_micros: Option<i64>,
}

impl Partition {
    /// The last version of a memory, ended or not; None if there is none, or a writer is at work right now: only the
    /// writer knows the places of the rows that came after the base.
    ///
    /// # Errors
    ///
    /// [`Error::Snapshot`]: the file behind the partition is damaged.
    pub(crate) fn latest(&self, memory_id: u128) -> Result<Option<LatestVersion>, Error> {
        let Some((view, rows)) = self.rows_of(memory_id) else {
            return Ok(None);
        };
        // What a failed batch left in the writer was never published.
        let published = |&row: &u32| row < view.limit && has_row(&view.live, row);
        let rows = rows.into_iter().filter(published);
        let latest = rows.max_by_key(|&row| view.record(row).version());
        let found = latest.map(|row| LatestVersion {
            record: view.kept_record(row),
            scope: view.scope(view.slot(row)),
            valid_to_micros: view.end(row),
        });
        view.check_damage()?;
        Ok(found)
    }

    fn rows_of(&self, memory_id: u128) -> Option<(Arc<View>, Vec<u32>)> {
        let writer = self.writer.try_lock()?;
        let view = self.view();
        let rows = match (writer.as_deref(), view.base()) {
            (Some(writer), _) => writer.live_rows_of(memory_id),
            (None, Some(base)) => base.rows_of(memory_id).collect(),
            (None, None) => Vec::new(),
        };
        Some((view, rows))
    }
}
