//! What a term gives to a row.

use crate::partition::dictionary::{Extent, Posting};

/// Frequencies and lengths below these are in the table: nearly all of short texts.
const FREQUENCIES: usize = 4;
const LENGTHS: usize = 64;

/// How a repeated term saturates: `tf / (tf + base + per_length * length)`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Saturation {
    pub(super) base: f32,
    pub(super) per_length: f32,
}

impl Saturation {
    #[inline]
    pub(super) fn at(self, frequency: f32, length: f32) -> f32 {
        frequency / (frequency + (self.base + self.per_length * length))
    }

    /// No posting of a list of this extent has more of it, but for rounding.
    pub(super) fn bound(self, extent: Extent) -> f32 {
        self.at(
            f32::from(extent.largest_frequency),
            f32::from(extent.smallest_length),
        )
    }
}

/// The saturations of the usual postings, computed once, because a division costs as much as the rest of an addition.
/// Those that are not in the table are computed in the same way, to the bit.
pub(super) struct Saturations {
    saturation: Saturation,
    table: [f32; FREQUENCIES * LENGTHS],
}

impl Saturations {
    pub(super) fn new(saturation: Saturation) -> Self {
        let mut table = [0.0; FREQUENCIES * LENGTHS];
        for (frequency, of_lengths) in table.chunks_exact_mut(LENGTHS).enumerate().skip(1) {
            for (length, value) in of_lengths.iter_mut().enumerate() {
                *value = saturation.at(frequency as f32, length as f32);
            }
        }
        Self { saturation, table }
    }

    pub(super) fn are_of(&self, saturation: Saturation) -> bool {
        self.saturation == saturation
    }

    /// Of a posting; `length` is asked only if the posting does not say it.
    #[inline]
    pub(super) fn of(&self, posting: Posting, length: impl FnOnce() -> u32) -> f32 {
        let (frequency, short) = (usize::from(posting.frequency), usize::from(posting.length));
        if frequency < FREQUENCIES && short < LENGTHS {
            return self.table[frequency * LENGTHS + short];
        }
        let length = if posting.length == Posting::LONG {
            length()
        } else {
            u32::from(posting.length)
        };
        self.saturation
            .at(f32::from(posting.frequency), length as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::{Saturation, Saturations};
    use crate::partition::dictionary::Posting;

    #[test]
    fn the_table_holds_what_the_formula_gives() {
        let saturation = Saturation {
            base: 0.54,
            per_length: 0.021,
        };
        let saturations = Saturations::new(saturation);
        for frequency in [1, 2, 3, 4, 5, 65_535] {
            for length in [1, 2, 63, 64, 1_000, 70_000] {
                let posting = Posting::new(7, frequency, length);
                let expected = saturation.at(frequency as f32, length as f32);
                let found = saturations.of(posting, || length);
                assert_eq!(found.to_bits(), expected.to_bits());
            }
        }
    }
}
