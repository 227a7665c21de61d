//! Which messages the windows of the candidates have.

use std::ops::Range;

use super::neighbourhood::Neighbourhood;
use super::stretches::{Message, Near, Stretches};
use super::{AFTER, BEFORE, ENOUGH_TERMS};
use crate::index::select::Selector;
use crate::index::sources::{Source, SourceRow, Sources};
use crate::partition::segment::RowNumber;
use crate::partition::view::has_row;

/// A message of a window.
#[derive(Clone, Copy)]
pub(super) struct Member {
    pub(super) row: SourceRow,
    /// How many messages lie between it and the one in the middle, and one more; below 0 if it comes before that.
    pub(super) distance: i8,
}

impl Member {
    /// What its cosine counts.
    pub(super) fn share(self) -> f32 {
        let steps = usize::from(self.distance.unsigned_abs());
        match self.distance {
            0 => 1.0,
            ..0 => BEFORE[steps - 1],
            _ => AFTER[steps - 1],
        }
    }
}

/// A candidate, and its place among those that were candidates before their neighbours; None if it is such a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::index) struct Widened {
    pub(in crate::index) row: SourceRow,
    pub(in crate::index) place: Option<usize>,
}

/// The windows of one source.
#[derive(Clone)]
pub(super) struct OfSource {
    pub(super) source: usize,
    /// Their places among all windows.
    pub(super) windows: Range<usize>,
}

/// The windows of rows, in the order of these.
#[derive(Default)]
pub(super) struct Windows {
    members: Vec<Member>,
    /// Where the members of each window end.
    ends: Vec<u32>,
    of_sources: Vec<OfSource>,
    stretches: Stretches,
    near: Vec<Near>,
    known: Known,
}

/// The candidates of the source in hand.
#[derive(Default)]
struct Known {
    /// Ascending.
    rows: Vec<RowNumber>,
    /// A bit for each, at its number modulo theirs: most messages of windows are none, and these say so at once.
    bits: [u64; Self::WORDS],
}

impl Known {
    const WORDS: usize = 16;

    fn clear(&mut self) {
        self.rows.clear();
        self.bits = [0; Self::WORDS];
    }

    fn push(&mut self, row: RowNumber) {
        self.rows.push(row);
        self.bits[row as usize / 64 % Self::WORDS] |= 1 << (row % 64);
    }

    #[inline]
    fn has(&self, row: RowNumber) -> bool {
        self.bits[row as usize / 64 % Self::WORDS] >> (row % 64) & 1 == 1
            && self.rows.binary_search(&row).is_ok()
    }
}

impl Windows {
    /// Makes the windows of candidates, which are ascending, and of the rows next to them whose windows have one, which
    /// become candidates, too.
    pub(super) fn make(
        &mut self,
        sources: &Sources,
        selector: &Selector<'_>,
        candidates: &mut Vec<Widened>,
    ) {
        self.members.clear();
        self.ends.clear();
        self.of_sources.clear();
        let known = candidates.len();
        let mut done = 0;
        // Those of which there are windows are added behind the known ones.
        while done < known {
            let (place, start) = (sources.place_of(candidates[done].row), candidates.len());
            let source = sources.at(place);
            let rest = &candidates[done..known];
            let here = rest.partition_point(|candidate| candidate.row < source.end());
            Neighbourhood::with(source, selector, |neighbourhood| {
                self.look_around(neighbourhood, &candidates[done..done + here]);
            });
            self.make_of(source, candidates);
            done += here;
            self.of_sources.push(OfSource {
                source: place,
                windows: start - known..candidates.len() - known,
            });
        }
        candidates.drain(..known);
    }

    /// Finds the candidates of a source, and the rows next to them that may be candidates.
    fn look_around(&mut self, neighbourhood: &Neighbourhood<'_, '_>, candidates: &[Widened]) {
        let source = neighbourhood.source;
        let Self {
            stretches,
            near,
            known,
            ..
        } = self;
        stretches.clear();
        near.clear();
        known.clear();
        for candidate in candidates {
            let row = candidate.row - source.offset;
            known.push(row);
            // How far apart they are is asked of their windows.
            stretches.add(neighbourhood, row, |spot, message, is_candidate| {
                let Message { row, length, .. } = message;
                if is_candidate || has_row(&source.selected, row) && length < ENOUGH_TERMS {
                    near.push(Near {
                        message,
                        place: candidate.place.filter(|_| is_candidate),
                        spot,
                    });
                }
            });
        }
        // They come in runs, which this sort makes use of. Of a row that comes several times, the one with a place comes
        // last.
        near.sort_by_key(|near| (near.message.row, near.place));
    }

    /// Adds the windows of a source's rows, but for those that neither were candidates nor have one.
    fn make_of(&mut self, source: &Source, candidates: &mut Vec<Widened>) {
        let Self {
            members,
            ends,
            stretches,
            near,
            known,
            ..
        } = self;
        for (
            at,
            &Near {
                message,
                place,
                spot,
            },
        ) in near.iter().enumerate()
        {
            let row = message.row;
            let next = near.get(at + 1);
            if next.is_some_and(|next| next.message.row == row) {
                continue;
            }
            let start = members.len();
            let mut has_known = place.is_some();
            stretches.window(message, spot, |row, distance| {
                has_known = has_known || known.has(row);
                members.push(Member {
                    row: row + source.offset,
                    distance,
                });
            });
            if has_known {
                ends.push(members.len() as u32);
                candidates.push(Widened {
                    row: row + source.offset,
                    place,
                });
            } else {
                members.truncate(start);
            }
        }
    }

    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    /// Where the members of a window are; the first is its own row.
    pub(super) fn range(&self, place: usize) -> Range<usize> {
        let start = if place == 0 { 0 } else { self.ends[place - 1] };
        start as usize..self.ends[place] as usize
    }

    /// The same of all windows.
    pub(super) fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        (0..self.ends.len()).map(|place| self.range(place))
    }

    /// The sources that have windows.
    pub(super) fn of_sources(&self) -> &[OfSource] {
        &self.of_sources
    }
}
