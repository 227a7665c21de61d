//! A file of the disk as bytes in memory.
//!
//! # Why it is sound
//!
//! A mapping shows what is in the file, so it is a slice of constant bytes only as long as nobody changes the file. We never
//! do: a snapshot is written under a name of its own and then renamed, so that the file behind a mapping, named or
//! not, stays as it is until the last mapping of it is gone. The directory belongs to the process (the engine holds a lock on
//! it). Whoever else truncates a file in it takes the pages from under the process, which the system then ends; the
//! bytes are checked before they are believed, but nothing can check that a file stays.

use std::fs::File;
use std::io;
use std::ops::Deref;

use memmap2::{Advice, Mmap, MmapOptions};

/// What a system reads ahead at the least, in bytes.
const READ_AHEAD: usize = 128 << 10;

/// The bytes of a file from an offset on.
pub(crate) struct Mapped {
    map: Mmap,
    start: usize,
}

impl Mapped {
    /// Maps a file of which the first `start` bytes are something else; a multiple of 64, so that the rest is aligned.
    ///
    /// # Errors
    ///
    /// Those of the system, and a file that ends before `start`.
    pub(crate) fn new(file: &File, start: usize) -> io::Result<Self> {
        // SAFETY: the file does not change while it is mapped; see the module's comment.
        let map = unsafe { MmapOptions::new().map_copy_read_only(file)? };
        if map.len() < start || !start.is_multiple_of(64) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Self { map, start })
    }

    /// Asks the system to read a stretch before it is looked at.
    pub(crate) fn will_need(&self, start: usize, length: usize) {
        // The system reads no more than its read-ahead for one request.
        for piece in (start..start + length).step_by(READ_AHEAD) {
            let length = (start + length - piece).min(READ_AHEAD);
            // A hint: what it cannot do costs time and nothing else.
            let _ = self
                .map
                .advise_range(Advice::WillNeed, self.start + piece, length);
        }
    }

    /// Says that a stretch is looked at here and there: what lies around is not read with it.
    pub(crate) fn at_random(&self, start: usize, length: usize) {
        // A hint, as above.
        let _ = self
            .map
            .advise_range(Advice::Random, self.start + start, length);
    }

    /// Tells the system that all is read in order.
    pub(crate) fn in_order(&self) {
        // A hint too.
        let _ = self.map.advise(Advice::Normal);
    }
}

impl Deref for Mapped {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.map[self.start..]
    }
}
