//! The order of a conversation: the messages of one scope, one after another as they came.
//!
//! The order is that of the time of arrival and, of messages that came together, of their ids, which ascend. So neither
//! an update nor a vector that comes late moves a message. The versions of one message follow each other; the last of
//! them that may be read speaks for it.
//!
//! A base has its messages in this order, scope by scope. Those that came later are kept in a list for each scope, each
//! with its place among the rows of the base. So the neighbours of a message are found by a few steps, nothing is kept
//! for each row of the base, and a row that is deleted needs no upkeep: whoever walks skips what may not be read.

use std::collections::HashMap;
use std::ops::Range;

use foldhash::fast::RandomState;

use super::base::Base;
use super::record::RecordBytes;
use super::segment::RowNumber;
use super::view::View;
use crate::sync::RwLock;

/// The place of a message in its conversation: when it came, its id, its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Order {
    create_time: i64,
    memory_id: u128,
    version: u32,
}

/// A message that came after the base.
#[derive(Clone, Copy, Debug)]
struct Turn {
    order: Order,
    row: RowNumber,
    /// It stands before this row of the base and behind the one before that.
    place: RowNumber,
    /// Whether these two rows are versions of the same message.
    continues: bool,
    is_continued: bool,
}

/// What came after the base in one scope.
struct Thread {
    /// The messages of the base.
    sealed: Range<RowNumber>,
    /// In order; of equal ones the one that came first, first.
    turns: Vec<Turn>,
}

/// The messages that came after the base, by the slot of their scope. It may run ahead of a reader's view: rows that a
/// view does not show are passed over.
#[derive(Default)]
pub(crate) struct Conversations(RwLock<HashMap<u32, Thread, RandomState>>);

/// The messages of one scope.
#[derive(Clone, Copy)]
pub(crate) struct Conversation<'a> {
    base: Option<&'a Base>,
    slot: u32,
    turns: &'a [Turn],
}

/// A message among the others of its scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// The row of the base that it is, or that it stands before.
    sealed: RowNumber,
    /// So many of the turns stand before it.
    turns: usize,
    is_turn: bool,
}

/// The next message in a direction.
struct Step {
    row: RowNumber,
    position: Position,
    /// Whether it is a version of the one before the step.
    is_same: bool,
}

impl Order {
    pub(super) fn of(record: &RecordBytes) -> Self {
        Self {
            create_time: record.create_time_micros(),
            memory_id: record.memory_id(),
            version: record.version(),
        }
    }

    /// Whether both are versions of one message.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (self.create_time, self.memory_id) == (other.create_time, other.memory_id)
    }
}

impl Conversations {
    /// Adds a message that came after the base.
    pub(super) fn push(
        &self,
        base: Option<&Base>,
        slot: u32,
        record: &RecordBytes,
        row: RowNumber,
    ) {
        let order = Order::of(record);
        let mut threads = self.0.write();
        let thread = threads.entry(slot).or_insert_with(|| Thread {
            sealed: base.map_or(0..0, |base| base.messages_of(slot)),
            turns: Vec::new(),
        });
        let of_base = |row: RowNumber| {
            let inside = base.filter(|_| thread.sealed.contains(&row));
            inside.map(|base| Order::of(base.record(row as usize)))
        };
        let place = place_in(&thread.sealed, |row| {
            of_base(row).is_some_and(|other| other < order)
        });
        let is_same = |row: Option<RowNumber>| {
            let other = row.and_then(of_base);
            other.is_some_and(|other| order.is_same(&other))
        };
        let turn = Turn {
            order,
            row,
            place,
            continues: is_same(place.checked_sub(1)),
            is_continued: is_same(Some(place)),
        };
        // Nearly all come in order.
        let behind = thread.turns.iter().rev();
        let behind = behind.take_while(|other| other.order > order).count();
        thread.turns.insert(thread.turns.len() - behind, turn);
    }

    /// How many bytes it takes, about: the map's own slots are counted at their nominal size.
    pub(super) fn bytes(&self) -> usize {
        let threads = self.0.read();
        let of_thread = |thread: &Thread| {
            size_of::<(u32, Thread)>() + thread.turns.capacity() * size_of::<Turn>()
        };
        threads.values().map(of_thread).sum()
    }
}

/// The first of some ascending rows that is not before what is looked for, found from the end because it seldom is far.
fn place_in(rows: &Range<RowNumber>, is_before: impl Fn(RowNumber) -> bool) -> RowNumber {
    let (mut end, mut step) = (rows.end, 1);
    while end > rows.start {
        let start = end.saturating_sub(step).max(rows.start);
        if is_before(start) {
            let (mut low, mut high) = (start + 1, end);
            while low < high {
                let middle = low.midpoint(high);
                if is_before(middle) {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            return low;
        }
        (end, step) = (start, 2 * step);
    }
    end
}

impl View {
    /// Reads conversations: `read` gets a way from the slot of a scope to the messages of that scope. Writers that add
    /// messages wait for it.
    pub(crate) fn with_conversations<R>(
        &self,
        read: impl for<'c> FnOnce(&'c dyn Fn(u32) -> Conversation<'c>) -> R,
    ) -> R {
        let base = self.base();
        let sealed = |slot| Conversation {
            base,
            slot,
            turns: &[],
        };
        let Some(threads) = self.conversations().map(|growing| growing.0.read()) else {
            return read(&sealed);
        };
        if threads.is_empty() {
            return read(&sealed);
        }
        read(&|slot| {
            let thread = threads.get(&slot);
            Conversation {
                turns: thread.map_or(&[], |thread| &thread.turns),
                ..sealed(slot)
            }
        })
    }
}

impl Conversation<'_> {
    /// Where a row of this scope stands; None if it is no message. `record` is asked if it came after the base.
    pub(crate) fn position<'r>(
        &self,
        row: RowNumber,
        record: impl FnOnce() -> &'r RecordBytes,
    ) -> Option<Position> {
        if let Some(base) = self.base.filter(|base| (row as usize) < base.rows()) {
            return base.is_message(row as usize).then(|| Position {
                sealed: row,
                turns: self.turns.partition_point(|turn| turn.place <= row),
                is_turn: false,
            });
        }
        let wanted = (Order::of(record()), row);
        let place = self
            .turns
            .binary_search_by_key(&wanted, |turn| (turn.order, turn.row));
        let turns = place.ok()?;
        Some(Position {
            sealed: self.turns[turns].place,
            turns,
            is_turn: true,
        })
    }

    /// Adds the rows of up to `most` messages before one, the nearest first. `may_be_read` says which versions may speak;
    /// the side ends at a message that is not `near`.
    pub(crate) fn before(
        &self,
        mut position: Position,
        most: usize,
        may_be_read: impl Fn(RowNumber) -> bool,
        near: impl Fn(RowNumber) -> bool,
        found: &mut Vec<RowNumber>,
    ) {
        let most = found.len() + most;
        // Versions of the message itself are passed over, and those of one that has spoken.
        let mut has_spoken = true;
        while found.len() < most {
            let Some(step) = self.step_back(position) else {
                return;
            };
            position = step.position;
            has_spoken &= step.is_same;
            if has_spoken || !may_be_read(step.row) {
                continue;
            }
            if !near(step.row) {
                return;
            }
            found.push(step.row);
            has_spoken = true;
        }
    }

    /// The same of those after it.
    pub(crate) fn after(
        &self,
        mut position: Position,
        most: usize,
        may_be_read: impl Fn(RowNumber) -> bool,
        near: impl Fn(RowNumber) -> bool,
        found: &mut Vec<RowNumber>,
    ) {
        let most = found.len() + most;
        // The last version speaks, so a message has spoken when the next one begins.
        let (mut is_other, mut speaks) = (false, None);
        loop {
            let step = self.step_on(position);
            if step.as_ref().is_none_or(|step| !step.is_same) {
                is_other = true;
                if let Some(row) = speaks.take() {
                    if !near(row) {
                        return;
                    }
                    found.push(row);
                }
            }
            let Some(step) = step.filter(|_| found.len() < most) else {
                return;
            };
            position = step.position;
            if is_other && may_be_read(step.row) {
                speaks = Some(step.row);
            }
        }
    }

    /// The last version that may be read of the message of a row that may be read.
    pub(crate) fn speaker(
        &self,
        row: RowNumber,
        mut position: Position,
        may_be_read: impl Fn(RowNumber) -> bool,
    ) -> RowNumber {
        let mut speaker = row;
        while let Some(step) = self.step_on(position).filter(|step| step.is_same) {
            position = step.position;
            if may_be_read(step.row) {
                speaker = step.row;
            }
        }
        speaker
    }

    #[inline]
    fn step_back(&self, from: Position) -> Option<Step> {
        let turn = from.turns.checked_sub(1).map(|turn| &self.turns[turn]);
        if let Some(turn) = turn.filter(|turn| turn.place == from.sealed) {
            return Some(Step {
                row: turn.row,
                position: Position {
                    sealed: turn.place,
                    turns: from.turns - 1,
                    is_turn: true,
                },
                is_same: if from.is_turn {
                    self.turns[from.turns].order.is_same(&turn.order)
                } else {
                    turn.is_continued
                },
            });
        }
        let row = from.sealed.checked_sub(1)?;
        let base = self.base.filter(|base| base.has_message(row, self.slot))?;
        Some(Step {
            row,
            position: Position {
                sealed: row,
                turns: from.turns,
                is_turn: false,
            },
            is_same: if from.is_turn {
                self.turns[from.turns].continues
            } else {
                base.continues(from.sealed as usize)
            },
        })
    }

    #[inline]
    fn step_on(&self, from: Position) -> Option<Step> {
        let (sealed, turns) = if from.is_turn {
            (from.sealed, from.turns + 1)
        } else {
            (from.sealed + 1, from.turns)
        };
        if let Some(turn) = self.turns.get(turns).filter(|turn| turn.place == sealed) {
            return Some(Step {
                row: turn.row,
                position: Position {
                    sealed,
                    turns,
                    is_turn: true,
                },
                is_same: if from.is_turn {
                    self.turns[from.turns].order.is_same(&turn.order)
                } else {
                    turn.continues
                },
            });
        }
        let base = self
            .base
            .filter(|base| base.has_message(sealed, self.slot))?;
        Some(Step {
            row: sealed,
            position: Position {
                sealed,
                turns,
                is_turn: false,
            },
            is_same: if from.is_turn {
                self.turns[from.turns].is_continued
            } else {
                base.continues(sealed as usize)
            },
        })
    }
}
