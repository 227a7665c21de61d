//! The publish protocol under loom: every interleaving of a few threads, with every stale read that the memory model
//! allows, on the real arrays, segments, dictionaries, writer and views. `make test-loom` runs it.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc as StdArc;

use loom::sync::Arc;
use loom::thread;

use super::append_list::AppendList;
use super::append_only::AppendOnly;
use super::base::layout::Lexicon;
use super::view::{View, has_row, rows_of};
use super::{Close, Memory, Partition, PartitionKey, Row, ScopeIds};

/// Interleavings with at most so many switches of a running thread; what loom's authors found to show nearly all bugs.
const PREEMPTIONS: usize = 2;

/// Runs the model in all interleavings; what readers saw must be exactly `expected`, so that none was left out.
fn check<Seen: Ord + Debug + Send + 'static>(
    preemptions: Option<usize>,
    expected: impl IntoIterator<Item = Seen>,
    model: impl Fn() -> Seen + Sync + Send + 'static,
) {
    let all = std::sync::Arc::new(std::sync::Mutex::new(BTreeSet::new()));
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    builder.max_branches = 20_000;
    builder.check({
        let all = std::sync::Arc::clone(&all);
        move || {
            let seen = model();
            all.lock()
                .expect("nobody panics while it is held")
                .insert(seen);
        }
    });
    let all = std::mem::take(&mut *all.lock().expect("nobody panics while it is held"));
    assert_eq!(all, expected.into_iter().collect());
}

#[test]
fn a_reader_of_an_array_sees_whole_elements_while_it_grows() {
    let expected = [(0, 0), (0, 1), (0, 3), (1, 1), (1, 3), (3, 3)];
    check(None, expected, || {
        let array = Arc::new(AppendOnly::with_capacity(4));
        let writer = thread::spawn({
            let array = Arc::clone(&array);
            move || {
                assert_eq!(array.push(10_u32), Ok(()));
                assert!(array.extend(&[11, 12]));
            }
        });
        let before = array.as_slice();
        let after = array.as_slice();
        let seen = (before.len(), after.len());
        assert_eq!(after, &[10, 11, 12][..after.len()]);
        assert_eq!(before, &after[..before.len()]);
        writer.join().expect("the writer only writes");
        assert_eq!(array.as_slice(), [10, 11, 12]);
        seen
    });
}

#[test]
fn two_writers_of_an_array_lose_nothing() {
    check(None, [[1, 2], [2, 1]], || {
        let array = Arc::new(AppendOnly::with_capacity(2));
        let writers = [1_u32, 2].map(|element| {
            let array = Arc::clone(&array);
            thread::spawn(move || assert_eq!(array.push(element), Ok(())))
        });
        assert!(
            array
                .as_slice()
                .iter()
                .all(|element| [1, 2].contains(element))
        );
        for writer in writers {
            writer.join().expect("the writers only write");
        }
        assert_eq!(array.push(3), Err(3));
        array.as_slice().try_into().expect("there are two")
    });
}

#[test]
fn a_reader_of_a_list_sees_a_prefix_while_chunks_are_added() {
    check(Some(PREEMPTIONS + 1), 0..=3, || {
        let list = Arc::new(AppendList::new(1));
        let writer = thread::spawn({
            let list = Arc::clone(&list);
            move || (0..3_u32).for_each(|item| list.push(item))
        });
        let items: Vec<u32> = list.slices().flatten().copied().collect();
        assert_eq!(items, (0..items.len() as u32).collect::<Vec<u32>>());
        if let Some(last) = items.len().checked_sub(1) {
            assert_eq!(list.get(last), Some(&(last as u32)));
        }
        writer.join().expect("the writer only writes");
        assert_eq!(list.get(2), Some(&2));
        items.len()
    });
}

const VALID_TO: i64 = 500;

/// One term, so that nothing depends on the order of a hash map: loom replays a run step by step.
fn row(memory_id: u128, version: u32) -> Row<Vec<u8>> {
    let memory = Memory {
        memory_id,
        kind: 1,
        body: "tick".to_owned(),
        create_time_micros: 1,
        update_time_micros: 1,
        valid_from_micros: 1,
        confidence: 1.0,
        importance: 0.5,
        trust: 2,
        version,
        ..Memory::default()
    };
    let vector = Some(1.0_f32.to_le_bytes().to_vec());
    Row { memory, vector }
}

fn key() -> PartitionKey {
    PartitionKey {
        tenant: String::new(),
        owner_kind: 1,
        owner_id: String::new(),
    }
}

fn close(memory_id: u128, valid_to_micros: Option<i64>) -> Close {
    Close {
        memory_id,
        version: 1,
        valid_to_micros,
    }
}

/// Reads all that a view shows as a search does; the versions that are live with their ends.
fn read(view: &StdArc<View>) -> Vec<(u32, Option<i64>)> {
    let live: Vec<_> = rows_of(&view.live)
        .map(|row| (view.record(row).version(), view.end(row)))
        .collect();
    assert_eq!(live.len(), view.counts.live as usize);
    for row in rows_of(&view.live) {
        assert!(row < view.limit, "a row beyond the limit is live");
        assert_eq!(has_row(&view.current, row), view.end(row).is_none());
        assert_eq!(*view.scope(view.slot(row)), ScopeIds::default());
        let (segment, place) = view.locate(row);
        assert!(segment.has_vector(place));
        assert_eq!(segment.lengths()[place], 1);
    }
    let [list] = &view.vocabulary(Lexicon::Terms).lists(&["tick"])[..] else {
        unreachable!("one list for one term")
    };
    let list = list.as_ref().expect("the first batch has the term");
    let posted: Vec<u32> = list
        .slices(view.limit)
        .flatten()
        .map(|posting| posting.row)
        .collect();
    assert!(
        rows_of(&view.live).all(|row| posted.contains(&row)),
        "a live row cannot be found by its term"
    );
    assert_eq!(list.current_in(view), view.counts.current);
    live
}

/// Version 1 is there; a writer applies one more batch while a reader looks twice, and must see either state whole.
fn race(
    batch: impl Fn(&Partition) + Copy + Send + Sync + 'static,
    after: &'static [(u32, Option<i64>)],
) {
    let expected = [(1, 1), (1, 2), (2, 2)];
    check(Some(PREEMPTIONS), expected, move || {
        let partition = Arc::new(Partition::new(&key(), 1));
        partition.apply(1, &[row(1, 1)], &[]).expect("a valid row");
        let before = [(1, None)];
        let writer = thread::spawn({
            let partition = Arc::clone(&partition);
            move || batch(&partition)
        });
        let (first, second) = (partition.view(), partition.view());
        // The later view first, so that the earlier one is read after more has happened to it.
        for view in [&second, &first] {
            let expected = if view.sequence == 1 {
                &before[..]
            } else {
                after
            };
            assert_eq!(read(view), expected, "at {}", view.sequence);
        }
        writer.join().expect("the writer only writes");
        assert_eq!(read(&partition.view()), after);
        (first.sequence, second.sequence)
    });
}

#[test]
fn a_superseding_batch_is_seen_whole_or_not_at_all() {
    race(
        |partition| {
            let closes = [close(1, Some(VALID_TO))];
            partition
                .apply(1, &[row(1, 2)], &closes)
                .expect("a valid row");
        },
        &[(1, Some(VALID_TO)), (2, None)],
    );
}

#[test]
fn a_deleting_batch_is_seen_whole_or_not_at_all() {
    race(
        |partition| {
            let closes = [close(1, None)];
            partition
                .apply(1, &[row(1, 2)], &closes)
                .expect("a valid row");
        },
        &[(2, None)],
    );
}
