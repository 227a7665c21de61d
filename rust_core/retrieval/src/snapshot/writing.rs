//! Writes a snapshot beside its place and renames it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Snapshot;
use super::header::Header;
use crate::Error;
use crate::partition::base::build::{Plan, Sink};
use crate::partition::base::units::Units;
use crate::vector::padded;

const BUFFER_BYTES: usize = 1 << 20;

pub(super) fn write(
    snapshot: &Snapshot,
    path: &Path,
    revision: i64,
    model: &str,
) -> Result<u64, Error> {
    let Snapshot {
        key,
        dimension,
        view,
        tombstones,
    } = snapshot;
    view.verify()?;
    let plan = Plan::new(view, padded(*dimension), tombstones.clone())?;
    let units = Units::of(&plan.layout);
    let start = Header::length(key, model, units.count());
    let temporary = Temporary::beside(path);
    let refused = |error| Error::Internal(format!("cannot write {}: {error}", path.display()));
    let mut file = File::create_new(&temporary.0).map_err(refused)?;
    file.seek(SeekFrom::Start(start as u64)).map_err(refused)?;
    let mut sink = FileSink {
        out: BufWriter::with_capacity(BUFFER_BYTES, file),
        ends: plan.unit_ends(&units),
        position: 0,
        checksum: 0,
        checksums: Vec::with_capacity(units.count()),
    };
    plan.put(&mut sink)?;
    let (mut file, checksums) = sink.finish().map_err(refused)?;
    let header = Header {
        key: key.clone(),
        model: model.to_owned(),
        dimension: *dimension as u32,
        revision,
        sizes: plan.layout.sizes(),
        checksums,
    };
    file.rewind().map_err(refused)?;
    file.write_all(&header.to_bytes()).map_err(refused)?;
    file.sync_all().map_err(refused)?;
    temporary.rename_to(path).map_err(refused)?;
    Ok((start + plan.layout.end()) as u64)
}

/// A file that goes again unless it is renamed.
struct Temporary(PathBuf);

impl Temporary {
    fn beside(path: &Path) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut name = path.file_name().map(OsString::from).unwrap_or_default();
        name.push(format!(".tmp-{}-{number}", process::id()));
        Self(path.with_file_name(name))
    }

    fn rename_to(self, path: &Path) -> std::io::Result<()> {
        fs::rename(&self.0, path)?;
        let directory = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After the rename there is none; otherwise it is only a leftover, recognisable by its name.
        let _ = fs::remove_file(&self.0);
    }
}

/// Writes to a file and sums up each unit.
struct FileSink {
    out: BufWriter<File>,
    /// Where the units end that are not summed up yet, the next one last.
    ends: Vec<usize>,
    position: usize,
    checksum: u32,
    checksums: Vec<u32>,
}

impl FileSink {
    /// Ends the units that end here.
    fn end_units(&mut self) {
        while self.ends.last() == Some(&self.position) {
            self.ends.pop();
            self.checksums.push(self.checksum);
            self.checksum = 0;
        }
    }

    fn finish(mut self) -> std::io::Result<(File, Vec<u32>)> {
        self.end_units();
        let file = self.out.into_inner()?;
        Ok((file, self.checksums))
    }
}

impl Sink for FileSink {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let written = self.out.write_all(bytes);
        written.map_err(|error| Error::Internal(format!("cannot write a snapshot: {error}")))?;
        let mut rest = bytes;
        while !rest.is_empty() {
            self.end_units();
            let room = self
                .ends
                .last()
                .map_or(rest.len(), |end| end - self.position);
            let (of_unit, later) = rest.split_at(room.min(rest.len()));
            self.checksum = crc32c::crc32c_append(self.checksum, of_unit);
            self.position += of_unit.len();
            rest = later;
        }
        Ok(())
    }
}
