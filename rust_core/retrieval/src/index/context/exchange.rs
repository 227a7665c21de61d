//! Who asked whom: questions that one person put to another, and the answers.

use crate::fusion::Exchange;
use crate::index::sources::{SourceRow, Sources};

/// What a message is to those next to it.
///
/// # Arguments
///
/// * `before`: the message right before it, and its cosine.
/// * `after`: the message right after it.
pub(super) fn exchange(
    sources: &Sources,
    row: SourceRow,
    before: Option<(SourceRow, f32)>,
    after: Option<SourceRow>,
) -> Exchange {
    let answered = after.filter(|&after| asks(sources, row) && are_of_two(sources, row, after));
    if answered.is_some() {
        return Exchange::Asks;
    }
    let question =
        before.filter(|&(before, _)| asks(sources, before) && are_of_two(sources, row, before));
    question.map_or(Exchange::Neither, |(_, cosine)| Exchange::Answers(cosine))
}

/// Whether somebody whose name is known asks something. Most do not, and of those no record is read.
pub(super) fn asks(sources: &Sources, row: SourceRow) -> bool {
    let (segment, place) = sources.place(row);
    segment.asks(place)
}

/// Whether two messages are of two people, both of whom have a name.
fn are_of_two(sources: &Sources, a: SourceRow, b: SourceRow) -> bool {
    let (a, b) = (sources.record(a), sources.record(b));
    a.is_of_a_person() && b.is_of_a_person() && a.name() != b.name()
}
