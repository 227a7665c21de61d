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
    /// What its cosine counts.
    pub(super) share: f32,
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
    /// The terms of each window.
    lengths: Vec<u32>,
    of_sources: Vec<OfSource>,
    sides: [Vec<RowNumber>; 2],
    near: Vec<Widened>,
}

impl Windows {
    /// Makes the windows of candidates, and of the rows next to seeds whose windows have one, which become candidates, too.
    ///
    /// Both are ascending, and the seeds are candidates.
    pub(super) fn make(
        &mut self,
        sources: &Sources,
        selector: &Selector<'_>,
        candidates: &mut Vec<Widened>,
        seeds: &[SourceRow],
    ) {
        self.members.clear();
        self.ends.clear();
        self.lengths.clear();
        self.of_sources.clear();
        let known = candidates.len();
        let (mut done, mut seeds) = (0, seeds);
        // Those that remain are added behind the known ones.
        while done < known {
            let (place, start) = (sources.place_of(candidates[done].row), candidates.len());
            let source = sources.at(place);
            let rest = &candidates[done..known];
            let here = rest.partition_point(|candidate| candidate.row < source.end());
            let (seeds_here, later) =
                seeds.split_at(seeds.partition_point(|&row| row < source.end()));
            seeds = later;
            Neighbourhood::with(source, selector, |neighbourhood| {
                self.look_around(neighbourhood, seeds_here);
                self.near.extend(&candidates[done..done + here]);
                self.make_of(neighbourhood, seeds_here, candidates);
            });
            done += here;
            self.of_sources.push(OfSource {
                source: place,
                windows: start - known..candidates.len() - known,
            });
        }
        candidates.drain(..known);
    }

    /// Finds the rows next to the seeds that may be candidates.
    fn look_around(&mut self, neighbourhood: &Neighbourhood<'_, '_>, seeds: &[SourceRow]) {
        let source = neighbourhood.source;
        self.near.clear();
        for &row in seeds {
            let [side, _] = &mut self.sides;
            side.clear();
            // How far apart they are is asked of their windows.
            neighbourhood.around(row - source.offset, REACH, side);
            for &near in &*side {
                if has_row(&source.selected, near) && neighbourhood.length(near) < ENOUGH_TERMS {
                    self.near.push(Widened {
                        row: near + source.offset,
                        place: None,
                    });
                }
            }
        }
    }

    /// Makes the windows of `near`, but for those that neither were a candidate nor have a seed.
    fn make_of(
        &mut self,
        neighbourhood: &Neighbourhood<'_, '_>,
        seeds: &[SourceRow],
        candidates: &mut Vec<Widened>,
    ) {
        let Self {
            members,
            ends,
            lengths,
            sides,
            near,
            ..
        } = self;
        let offset = neighbourhood.source.offset;
        // Of a row that comes twice, the one with a place comes last.
        near.sort_unstable();
        for (at, &candidate) in near.iter().enumerate() {
            if near
                .get(at + 1)
                .is_some_and(|next| next.row == candidate.row)
            {
                continue;
            }
            let start = members.len();
            let terms = window_of(neighbourhood, candidate.row - offset, sides, members);
            let mut window = members[start..].iter();
            if candidate.place.is_some()
                || window.any(|member| seeds.binary_search(&member.row).is_ok())
            {
                ends.push(members.len() as u32);
                lengths.push(terms);
                candidates.push(candidate);
            } else {
                members.truncate(start);
            }
        }
    }

    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    pub(super) fn lengths(&self) -> &[u32] {
        &self.lengths
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

/// Adds the members of the window of a row and returns how many terms it has.
fn window_of(
    neighbourhood: &Neighbourhood<'_, '_>,
    row: RowNumber,
    sides: &mut [Vec<RowNumber>; 2],
    members: &mut Vec<Member>,
) -> u32 {
    let member = |row, share| Member {
        row: row + neighbourhood.source.offset,
        share,
    };
    members.push(member(row, 1.0));
    let mut terms = neighbourhood.length(row);
    if terms >= ENOUGH_TERMS {
        return terms;
    }
    sides.iter_mut().for_each(Vec::clear);
    neighbourhood.sides(row, REACH, sides);
    for distance in 0..REACH {
        for (side, shares) in sides.iter().zip([BEFORE, AFTER]) {
            let next = side.get(distance).filter(|_| terms < ENOUGH_TERMS);
            if let Some(&next) = next {
                members.push(member(next, shares[distance]));
                terms += neighbourhood.length(next);
            }
        }
    }
    terms
}
