//! What stands next to what: conversations as one search may read them.

use super::LONGEST_PAUSE;
use super::stretches::Message;
use crate::index::select::{Readable, Selector};
use crate::index::sources::Source;
use crate::partition::conversations::{Conversation, Position};
use crate::partition::segment::RowNumber;

/// The conversations of a source.
pub(in crate::index) struct Neighbourhood<'a, 'c> {
    pub(super) source: &'a Source,
    readable: Readable<'a>,
    of_slot: &'c dyn Fn(u32) -> Conversation<'c>,
}

impl Neighbourhood<'_, '_> {
    /// Reads those that a search may read.
    pub(in crate::index) fn with<R>(
        source: &Source,
        selector: &Selector<'_>,
        read: impl for<'a, 'c> FnOnce(&Neighbourhood<'a, 'c>) -> R,
    ) -> R {
        let readable = selector.readable(&source.view);
        source.view.with_conversations(|of_slot| {
            read(&Neighbourhood {
                source,
                readable,
                of_slot,
            })
        })
    }

    /// A row and what windows ask of it.
    #[inline]
    pub(super) fn message(&self, row: RowNumber) -> Message {
        let (segment, place) = self.source.view.locate(row);
        Message {
            row,
            length: segment.lengths()[place],
            time: segment.recency_times()[place],
        }
    }

    /// Whether the scope of a row has a session.
    pub(super) fn is_in_session(&self, row: RowNumber) -> bool {
        self.source.view.is_in_session(row)
    }

    #[inline]
    fn time(&self, row: RowNumber) -> i64 {
        let (segment, place) = self.source.view.locate(row);
        segment.recency_times()[place]
    }

    /// Adds up to `most` messages before a row and after it, the nearest first, however long the pauses; the version that
    /// speaks for the row's own message.
    pub(super) fn around(
        &self,
        row: RowNumber,
        most: usize,
        [before, after]: [&mut Vec<RowNumber>; 2],
    ) -> RowNumber {
        let mut speaker = row;
        let readable = |row| self.readable.has(row);
        self.beside(row, |conversation, position| {
            conversation.before(position, most, readable, |_| true, before);
            conversation.after(position, most, readable, |_| true, after);
            speaker = conversation.speaker(row, position, readable);
        });
        speaker
    }

    /// Adds up to `most` messages before a row and after it, the nearest first; in a scope without a session a side ends
    /// at the first that is too far from the row.
    pub(in crate::index) fn sides(
        &self,
        row: RowNumber,
        most: usize,
        [before, after]: &mut [Vec<RowNumber>; 2],
    ) {
        self.beside(row, |conversation, position| {
            let (in_session, time) = (self.source.view.is_in_session(row), self.time(row));
            let near = |other| in_session || self.time(other).abs_diff(time) <= LONGEST_PAUSE;
            let readable = |row| self.readable.has(row);
            conversation.before(position, most, readable, near, before);
            conversation.after(position, most, readable, near, after);
        });
    }

    /// Calls `look` with the conversation of a row, if it is a message.
    fn beside(&self, row: RowNumber, look: impl FnOnce(&Conversation<'_>, Position)) {
        let view = &self.source.view;
        let conversation = (self.of_slot)(view.slot(row));
        if let Some(position) = conversation.position(row, || view.record(row)) {
            look(&conversation, position);
        }
    }
}
