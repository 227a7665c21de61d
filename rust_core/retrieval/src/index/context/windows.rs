//! Which messages the windows of the candidates have.

use std::ops::Range;

use super::marks::Marks;
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

/// The windows of rows, in the order of these.
#[derive(Default)]
pub(super) struct Windows {
    members: Vec<Member>,
    /// Where the members of each window end.
    ends: Vec<u32>,
    /// The terms of each window.
    lengths: Vec<u32>,
    /// How many windows there are up to the end of each source.
    of_sources: Vec<usize>,
    candidates: Marks,
    seeds: Marks,
    /// The candidates and the rows around them.
    around: Marks,
    sides: [Vec<RowNumber>; 2],
}

impl Windows {
    /// Makes the windows of the rows, which are ascending, and of those whose windows have one of the seeds, which are added.
    pub(super) fn make(
        &mut self,
        sources: &Sources,
        selector: &Selector<'_>,
        rows: &mut Vec<SourceRow>,
        seeds: &[SourceRow],
    ) {
        self.members.clear();
        self.ends.clear();
        self.lengths.clear();
        self.of_sources.clear();
        self.candidates.clear(sources.end());
        self.seeds.clear(sources.end());
        self.around.clear(sources.end());
        for &row in &*rows {
            self.candidates.add(row);
            self.around.add(row);
        }
        for &row in seeds {
            self.seeds.add(row);
        }
        rows.clear();
        for source in sources.iter() {
            Neighbourhood::with(source, selector, |neighbourhood| {
                self.look_around(neighbourhood);
                self.make_of(neighbourhood, rows);
            });
            self.of_sources.push(rows.len());
        }
    }

    /// Marks the rows next to the seeds that may be found.
    fn look_around(&mut self, neighbourhood: &Neighbourhood<'_, '_>) {
        let source = neighbourhood.source;
        let [side, _] = &mut self.sides;
        for row in self.seeds.rows_of(source) {
            side.clear();
            // How far apart they are is asked of their windows.
            neighbourhood.around(row - source.offset, REACH, side);
            for &near in &*side {
                if has_row(&source.selected, near) && neighbourhood.length(near) < ENOUGH_TERMS {
                    self.around.add(near + source.offset);
                }
            }
        }
    }

    /// Adds the windows of the marked rows, but for those that are neither of a candidate nor have a seed.
    fn make_of(&mut self, neighbourhood: &Neighbourhood<'_, '_>, rows: &mut Vec<SourceRow>) {
        let source = neighbourhood.source;
        let Self {
            members,
            ends,
            lengths,
            candidates,
            seeds,
            around,
            sides,
            ..
        } = self;
        for row in around.rows_of(source) {
            let start = members.len();
            let terms = window_of(neighbourhood, row - source.offset, sides, members);
            let window = &members[start..];
            if candidates.has(row) || window.iter().any(|member| seeds.has(member.row)) {
                ends.push(members.len() as u32);
                lengths.push(terms);
                rows.push(row);
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

    /// The places of the windows of a source.
    pub(super) fn of_source(&self, source: usize) -> Range<usize> {
        let start = source.checked_sub(1);
        start.map_or(0, |before| self.of_sources[before])..self.of_sources[source]
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
