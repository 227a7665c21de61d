//! The messages around the candidates in the order of their conversations, walked once for all the windows they are in.

use super::neighbourhood::Neighbourhood;
use super::{ENOUGH_TERMS, LONGEST_PAUSE, REACH};
use crate::partition::segment::RowNumber;

/// A message and what windows ask of it.
#[derive(Clone, Copy)]
pub(super) struct Message {
    pub(super) row: RowNumber,
    /// Its terms.
    pub(super) length: u32,
    /// When it happened or was heard.
    pub(super) time: i64,
}

/// A row that may have a window.
#[derive(Clone, Copy)]
pub(super) struct Near {
    pub(super) message: Message,
    /// See [`super::Widened`].
    pub(super) place: Option<usize>,
    pub(super) spot: Spot,
}

/// Where a message stands: in which stretch, and which of all messages it is.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    stretch: u32,
    message: u32,
}

/// The messages on both sides of one candidate, as far as the windows of those next to it reach.
struct Stretch {
    end: usize,
    /// Whether its scope has a session.
    in_session: bool,
}

/// Stretches, one after another. Their memory lives from search to search.
#[derive(Default)]
pub(super) struct Stretches {
    messages: Vec<Message>,
    all: Vec<Stretch>,
    before: Vec<RowNumber>,
    after: Vec<RowNumber>,
}

impl Stretches {
    pub(super) fn clear(&mut self) {
        self.messages.clear();
        self.all.clear();
    }

    /// Adds what stands around a candidate. `look` gets the candidate and the messages within [`REACH`] of it, in their
    /// order, and which of them is the candidate.
    pub(super) fn add(
        &mut self,
        neighbourhood: &Neighbourhood<'_, '_>,
        row: RowNumber,
        mut look: impl FnMut(Spot, Message, bool),
    ) {
        let Self {
            messages,
            all,
            before,
            after,
        } = self;
        before.clear();
        after.clear();
        // The windows of the outermost of those next to it reach as far again.
        let speaker = neighbourhood.around(row, 2 * REACH, [before, after]);
        let start = messages.len();
        let known = |row| neighbourhood.message(row);
        messages.extend(before.iter().rev().copied().map(known));
        // Others see the version that speaks for the candidate's message, which need not be the candidate.
        messages.push(known(speaker));
        messages.extend(after.iter().copied().map(known));
        let (own, stretch) = (start + before.len(), all.len() as u32);
        all.push(Stretch {
            end: messages.len(),
            in_session: neighbourhood.is_in_session(row),
        });
        let beside = own - before.len().min(REACH)..=own + after.len().min(REACH);
        for (&seen, message) in messages[beside.clone()].iter().zip(beside) {
            let (is_candidate, message) = (message == own, message as u32);
            let seen = if is_candidate && speaker != row {
                known(row)
            } else {
                seen
            };
            look(Spot { stretch, message }, seen, is_candidate);
        }
    }

    /// Gives the rows of the window of a message that stands somewhere, and how far they are from it, the message first.
    pub(super) fn window(&self, message: Message, spot: Spot, mut add: impl FnMut(RowNumber, i8)) {
        add(message.row, 0);
        let mut terms = message.length;
        let (stretch, own) = (spot.stretch as usize, spot.message as usize);
        let start = stretch.checked_sub(1).map_or(0, |last| self.all[last].end);
        let Stretch { end, in_session } = self.all[stretch];
        let is_near =
            |other: &&Message| in_session || other.time.abs_diff(message.time) <= LONGEST_PAUSE;
        // A side ends at the first that is too far away.
        let before = self.messages[start..own].iter().rev();
        let after = self.messages[own + 1..end].iter();
        let (mut before, mut after) = (before.take_while(is_near), after.take_while(is_near));
        for distance in 1..=REACH as i8 {
            for (next, direction) in [(before.next(), -1), (after.next(), 1)] {
                if terms >= ENOUGH_TERMS {
                    return;
                }
                if let Some(next) = next {
                    add(next.row, direction * distance);
                    terms += next.length;
                }
            }
        }
    }
}
