//! Which messages the windows of the candidates have.

use std::ops::Range;

use super::neighbourhood::Neighbourhood;
use super::{AFTER, BEFORE, ENOUGH_TERMS, REACH};
use crate::index::select::Selector;
use crate::index::sources::{SourceRow, Sources};
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
    sides: [Vec<RowNumber>; 2],
    near: Vec<Widened>,
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
                self.make_of(neighbourhood, done..done + here, candidates);
            });
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
        let Self { near, sides, .. } = self;
        let [side, _] = sides;
        near.clear();
        for &candidate in candidates {
            near.push(candidate);
            side.clear();
            // How far apart they are is asked of their windows.
            neighbourhood.around(candidate.row - source.offset, REACH, side);
            for &row in &*side {
                if has_row(&source.selected, row) && neighbourhood.length(row) < ENOUGH_TERMS {
                    near.push(Widened {
                        row: row + source.offset,
                        place: None,
                    });
                }
            }
        }
        // Of a row that comes several times, the one with a place comes last.
        near.sort_unstable();
    }

    /// Adds the windows of a source's rows, but for those that neither were candidates nor have one; the candidates are
    /// at `known`.
    fn make_of(
        &mut self,
        neighbourhood: &Neighbourhood<'_, '_>,
        known: Range<usize>,
        candidates: &mut Vec<Widened>,
    ) {
        let Self {
            members,
            ends,
            sides,
            near,
            ..
        } = self;
        let offset = neighbourhood.source.offset;
        for (at, &candidate) in near.iter().enumerate() {
            let next = near.get(at + 1);
            if next.is_some_and(|next| next.row == candidate.row) {
                continue;
            }
            let start = members.len();
            window_of(neighbourhood, candidate.row - offset, sides, members);
            let known = &candidates[known.clone()];
            let is_known = |row| known.binary_search_by_key(&row, |known| known.row).is_ok();
            let mut window = members[start..].iter();
            if candidate.place.is_some() || window.any(|member| is_known(member.row)) {
                ends.push(members.len() as u32);
                candidates.push(candidate);
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

/// Adds the members of the window of a row.
fn window_of(
    neighbourhood: &Neighbourhood<'_, '_>,
    row: RowNumber,
    sides: &mut [Vec<RowNumber>; 2],
    members: &mut Vec<Member>,
) {
    let member = |row, distance| Member {
        row: row + neighbourhood.source.offset,
        distance,
    };
    members.push(member(row, 0));
    let mut terms = neighbourhood.length(row);
    if terms >= ENOUGH_TERMS {
        return;
    }
    sides.iter_mut().for_each(Vec::clear);
    neighbourhood.sides(row, REACH, sides);
    for distance in 0..REACH {
        for (side, direction) in sides.iter().zip([-1, 1]) {
            let next = side.get(distance).filter(|_| terms < ENOUGH_TERMS);
            if let Some(&next) = next {
                members.push(member(next, direction * (distance as i8 + 1)));
                terms += neighbourhood.length(next);
            }
        }
    }
}
