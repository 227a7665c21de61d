//! Opens a snapshot.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::header::{Header, PREFIX_BYTES, Why};
use crate::Error;
use crate::partition::PartitionKey;
use crate::partition::base::Base;
use crate::partition::base::image::Image;
use crate::partition::base::layout::Layout;
use crate::partition::base::mapped::Mapped;
use crate::partition::base::units::{Checks, Units};
use crate::vector::padded;

/// A base in a file, and the revision of which it is. Files of up to `checked_at_once` bytes are checked whole.
///
/// # Errors
///
/// It cannot be read, is damaged, or is another partition's, model's or format's.
pub(crate) fn open(
    path: &Path,
    key: &PartitionKey,
    dimension: usize,
    model: &str,
    checked_at_once: u64,
) -> Result<(Base, i64), Error> {
    let refused = |why: &str| Error::Snapshot(format!("{}: {why}", path.display()));
    let system = |error: std::io::Error| refused(&error.to_string());
    let mut file = File::open(path).map_err(system)?;
    let length = file.metadata().map_err(system)?.len();
    let header = read_header(&mut file, length).map_err(|error| match error {
        Failure::System(error) => system(error),
        Failure::Unusable(why) => refused(why),
    })?;
    header.check(key, dimension, model).map_err(refused)?;
    let start = Header::length(key, model, header.checksums.len());
    let layout = Layout::new(header.sizes)?;
    let units = Units::of(&layout);
    if length != (start + layout.end()) as u64 || units.count() != header.checksums.len() {
        return Err(refused("it is not as long as it says"));
    }
    let image = Mapped::new(&file, start).map_err(system)?;
    // Every search by vector reads the 1-bit codes, and the check reads the structure behind them.
    image.will_need(layout.bits(), layout.first_postings() - layout.bits());
    // A search reads a few rows of the rest; reading ahead would bring in the whole file for them.
    image.at_random(0, layout.bits());
    image.at_random(
        layout.first_postings(),
        layout.end() - layout.first_postings(),
    );
    let checks = Checks::new(units, header.checksums);
    let base = Base::new(Image::of_file(image, checks), layout);
    let is_whole = base.verify_structure() && (length > checked_at_once || base.verify());
    is_whole
        .then_some((base, header.revision))
        .ok_or_else(|| refused("it is damaged"))
}

enum Failure {
    System(std::io::Error),
    Unusable(Why),
}

fn read_header(file: &mut File, length: u64) -> Result<Header, Failure> {
    let mut prefix = [0; PREFIX_BYTES];
    if length < PREFIX_BYTES as u64 {
        return Err(Failure::Unusable("it is truncated"));
    }
    file.read_exact(&mut prefix).map_err(Failure::System)?;
    let header_length = Header::length_of(&prefix).map_err(Failure::Unusable)?;
    if header_length as u64 > length {
        return Err(Failure::Unusable("it is truncated"));
    }
    let mut bytes = prefix.to_vec();
    bytes.resize(header_length, 0);
    let rest = file.read_exact(&mut bytes[PREFIX_BYTES..]);
    rest.map_err(Failure::System)?;
    Header::from_bytes(&bytes).map_err(Failure::Unusable)
}

impl Header {
    /// Whether it is of this partition.
    fn check(&self, key: &PartitionKey, dimension: usize, model: &str) -> Result<(), Why> {
        if self.key != *key {
            return Err("it is another partition's");
        }
        if self.model != model {
            return Err("its vectors are of another model");
        }
        let stride = padded(dimension) as u64;
        if self.dimension as usize != dimension || self.sizes.stride != stride {
            return Err("its vectors have another dimension");
        }
        Ok(())
    }
}
