//! Snapshots: the base of a partition as a file, so that a restart does not read every row from the store.
//!
//! A file is a header and an image (see [`crate::partition::base`]), which is mapped as it lies. The store remains the truth: a
//! snapshot says of which revision it is, and whatever is doubtful about it is an error, upon which the partition is
//! made anew.
//!
//! # Writing
//!
//! The bytes go to a file of their own beside the place, `<name>.tmp-<process>-<number>`, which is flushed to the disk and then
//! renamed; the directory is flushed too. A crash leaves the old file or the new one, and maybe a file with `.tmp-` in its name,
//! which nobody will ever look at again. A file is never changed in place, because others may have it mapped.
//!
//! # Reading
//!
//! The header and all that says where something lies are checked before a file is used. Files up to [`CHECKED_AT_ONCE`] are checked
//! whole; of larger ones postings and records are checked when they are first used and the vectors by a later
//! [`Index::verify`](crate::Index::verify), because reading everything would take longer than the first answers. When a search
//! meets damage it fails with [`Error::Snapshot`] and answers nothing.

mod header;
mod reading;
#[cfg(test)]
mod tests;
mod writing;

use std::path::Path;
use std::sync::Arc;

use crate::Error;
use crate::partition::PartitionKey;
use crate::partition::view::View;

pub(crate) use reading::open;

/// Files of up to so many bytes are checked whole when they are opened; that takes a few milliseconds.
pub(crate) const CHECKED_AT_ONCE: u64 = 64 << 20;

/// The state of a partition at one moment, to be written at leisure.
pub struct Snapshot {
    pub(crate) key: PartitionKey,
    pub(crate) dimension: usize,
    pub(crate) view: Arc<View>,
    /// Deleted memories and their last versions.
    pub(crate) tombstones: Vec<(u128, u32)>,
}

impl Snapshot {
    /// Writes the live rows to a file, which it replaces, and returns how many bytes it has.
    ///
    /// `revision` is the store's when the snapshot was taken, `model` says what the vectors are of; both come back when the file
    /// is opened.
    ///
    /// # Errors
    ///
    /// The file cannot be written; what was there before is still there then. The partition was itself opened from a
    /// file that is damaged.
    pub fn write(&self, path: &Path, revision: i64, model: &str) -> Result<u64, Error> {
        writing::write(self, path, revision, model)
    }
}
