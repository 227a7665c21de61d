//! From a row to a hit.

use std::sync::Arc;

use super::Hit;
use super::context::Neighbourhood;
use super::select::Selector;
use super::sources::{Source, SourceRow, Sources};
use crate::partition::ScopeIds;
use crate::partition::segment::RowNumber;

/// The scope of the last hit, which the next one mostly has too: a base makes it anew for each who asks.
#[derive(Default)]
pub(super) struct LastScope(Option<(u32, u32, Arc<ScopeIds>)>);

impl LastScope {
    fn of(&mut self, source: &Source, row: RowNumber) -> Arc<ScopeIds> {
        let (offset, slot) = (source.offset, source.view.slot(row));
        if let Some((_, _, scope)) = self
            .0
            .as_ref()
            .filter(|last| (last.0, last.1) == (offset, slot))
        {
            return Arc::clone(scope);
        }
        let scope = source.view.scope(slot);
        self.0 = Some((offset, slot, Arc::clone(&scope)));
        scope
    }
}

/// A row as a hit, without what its score is made of and what stands around it.
pub(super) fn hit_of(
    sources: &Sources,
    row: SourceRow,
    score: f64,
    last_scope: &mut LastScope,
) -> Hit {
    let (source, row) = sources.locate(row);
    Hit {
        record: source.view.kept_record(row),
        scope: last_scope.of(source, row),
        valid_to_micros: source.view.end(row),
        score,
        parts: None,
        before: Vec::new(),
        after: Vec::new(),
        group: None,
        grouped: Vec::new(),
    }
}

/// Adds up to `most` messages before a hit and after it, as a search may read them.
pub(super) fn add_neighbours(
    sources: &Sources,
    selector: &Selector<'_>,
    most: usize,
    row: SourceRow,
    hit: &mut Hit,
) {
    let (source, row) = sources.locate(row);
    let mut sides = [Vec::new(), Vec::new()];
    Neighbourhood::with(source, selector, |neighbourhood| {
        neighbourhood.sides(row, most, &mut sides);
    });
    let [before, after] = sides.map(Vec::into_iter);
    let kept = |row| source.view.kept_record(row);
    hit.before = before.rev().map(kept).collect();
    hit.after = after.map(kept).collect();
}

/// Adds a hit to the group that another one leads, with a rank of its own or as what comes with the leader.
pub(super) fn join(hits: &mut Vec<Hit>, leader: usize, mut hit: Hit, is_separate: bool) {
    let group = Some(hits[leader].record.memory_id());
    hits[leader].group = group;
    hit.group = group;
    if is_separate {
        hits.push(hit);
    } else {
        (hit.before, hit.after) = Default::default();
        hits[leader].grouped.push(hit);
    }
}
