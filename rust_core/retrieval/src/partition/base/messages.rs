//! What the flags of a row say of its place in a conversation.

use std::ops::Range;

use super::{ASKS, Base, CONTINUES, IN_SESSION, MESSAGE};
use crate::partition::segment::RowNumber;

impl Base {
    #[inline]
    fn has_flag(&self, row: usize, flag: u8) -> bool {
        self.image[self.layout.flags()..][row] & flag != 0
    }

    #[inline]
    pub(crate) fn is_message(&self, row: usize) -> bool {
        self.has_flag(row, MESSAGE)
    }

    /// Whether the row is a version of the message that the row before it is a version of.
    #[inline]
    pub(crate) fn continues(&self, row: usize) -> bool {
        self.has_flag(row, CONTINUES)
    }

    /// Whether the row's scope has a session.
    #[inline]
    pub(crate) fn is_in_session(&self, row: usize) -> bool {
        self.has_flag(row, IN_SESSION)
    }

    /// [`RecordBytes::asks`](crate::partition::RecordBytes::asks) of a row, without its record.
    #[inline]
    pub(crate) fn asks(&self, row: usize) -> bool {
        self.has_flag(row, ASKS)
    }

    /// Whether there is such a row, and it is a message of a scope.
    #[inline]
    pub(crate) fn has_message(&self, row: RowNumber, slot: u32) -> bool {
        let row = row as usize;
        row < self.rows() && self.scope_slots(row, 1)[0] == slot && self.is_message(row)
    }

    /// The messages of a scope, which follow one another; an empty range behind its rows, or where they would be, if it
    /// has none.
    pub(crate) fn messages_of(&self, slot: u32) -> Range<RowNumber> {
        let slots = self.scope_slots(0, self.rows());
        let start = slots.partition_point(|&other| other < slot);
        let of_scope = slots[start..].partition_point(|&other| other == slot);
        let flags = &self.flags()[start..start + of_scope];
        let messages = flags.partition_point(|flags| flags & MESSAGE != 0);
        start as RowNumber..(start + messages) as RowNumber
    }
}
