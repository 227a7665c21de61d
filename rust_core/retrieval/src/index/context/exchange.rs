//! Who asked whom: questions that one person put to another, and the answers.

use crate::fusion::Exchange;
use crate::index::sources::{SourceRow, Sources};
use crate::partition::RecordBytes;

/// The number of the role of a person who speaks; 0 if the writer did not say.
const USER: u8 = 1;

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
    let record_of = |row| {
        let (segment, place) = sources.place(row);
        segment.record(place)
    };
    let own = record_of(row);
    let answered = own.ends_in_question()
        && after.is_some_and(|after| is_of_another_person(own, record_of(after)));
    if answered {
        return Exchange::Asks;
    }
    let question = before.filter(|&(before, _)| {
        let before = record_of(before);
        before.ends_in_question() && is_of_another_person(own, before)
    });
    question.map_or(Exchange::Neither, |(_, cosine)| Exchange::Answers(cosine))
}

/// Whether two messages are of two people, both of whom have a name.
fn is_of_another_person(a: &RecordBytes, b: &RecordBytes) -> bool {
    is_of_a_person(a) && is_of_a_person(b) && a.name() != b.name()
}

fn is_of_a_person(record: &RecordBytes) -> bool {
    record.role() <= USER && !record.name().is_empty()
}
