//! What a small partition at rest takes beyond its rows, counted by an allocator.
//!
//! `cargo test -p mnemic-retrieval --test tiny_scopes -- --nocapture` prints it.
//!
//! Rows are what the partition's snapshot has behind its header: vectors, codes, columns, records, and terms and names with
//! their postings and tables. All else that is allocated counts as overhead: the place in the index, the key, the
//! partition, its view, and what the image is rounded up by. What the allocator itself adds to a block is not counted.

#![expect(clippy::print_stdout, reason = "whoever runs it wants the figure")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use mnemic_retrieval::vector::SimdPath;
use mnemic_retrieval::{Index, Row};

mod common;

use common::{NOW, bytes, message, partition, search, user};

/// The system's allocator, which counts what is in use.
struct Counting;

static BYTES: AtomicUsize = AtomicUsize::new(0);
static BLOCKS: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: every call is the system allocator's, with the same arguments; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        BLOCKS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of the trait, which is the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        BLOCKS.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

const DIMENSION: usize = 64;
const SCOPES: usize = 5_000;
const ROWS: usize = 10;

/// Bytes and blocks in use.
fn in_use() -> (usize, usize) {
    (
        BYTES.load(Ordering::Relaxed),
        BLOCKS.load(Ordering::Relaxed),
    )
}

fn owner(scope: usize) -> String {
    format!("user {scope:05}")
}

fn rows_of(scope: usize) -> Vec<Row<Vec<u8>>> {
    let row = |number: usize| {
        let id = (scope * ROWS + number) as u128;
        let body = format!("I moved to Lisbon in spring {number} and work as a nurse there");
        let mut memory = message(id, &body);
        memory.scope = user(&owner(scope));
        // One has ended, as in most scopes.
        memory.valid_to_micros = (number == 0).then_some(NOW - 1);
        let elements: Vec<f32> = (0..DIMENSION)
            .map(|place| (place * number % 7) as f32 + 0.5)
            .collect();
        Row {
            memory,
            vector: Some(bytes(&elements)),
        }
    };
    (0..ROWS).map(row).collect()
}

/// What the rows of a scope take: a snapshot without its header, which is one page here.
fn bytes_of_rows(index: &Index, scope: usize) -> usize {
    const HEADER: usize = 4_096;
    let directory = tempfile::tempdir().expect("a directory");
    let snapshot = index
        .freeze(&partition(&owner(scope)))
        .expect("it is in memory");
    let written = snapshot.write(&directory.path().join("scope"), 1, "model");
    written.expect("it can be written") as usize - HEADER
}

#[test]
fn a_scope_of_ten_at_rest_takes_little_beyond_its_rows() {
    let index = Index::new(DIMENSION, SimdPath::best()).expect("a valid dimension");
    let vector = bytes(&[0.5; DIMENSION]);
    let search_in = |scope: usize| {
        let (partitions, ids) = ([partition(&owner(scope))], user(&owner(scope)));
        let mut request = search(&partitions, &ids);
        (request.text, request.vector) = ("nurse in Lisbon", Some(vector.as_slice()));
        assert_eq!(
            index.search(&request).expect("a valid request").hits.len(),
            ROWS - 1
        );
    };
    // What this thread keeps from search to search is there before anything is counted.
    index
        .load(&partition(&owner(SCOPES)), &rows_of(SCOPES))
        .expect("valid rows");
    search_in(SCOPES);
    let (bytes_before, blocks_before) = in_use();
    let mut rows = 0;
    for scope in 0..SCOPES {
        index
            .load(&partition(&owner(scope)), &rows_of(scope))
            .expect("valid rows");
    }
    // A search leaves nothing behind in a partition.
    (0..SCOPES).for_each(search_in);
    let (bytes_now, blocks_now) = in_use();
    // All are of the same length, so that one says it of all.
    for scope in [0, SCOPES / 2, SCOPES - 1] {
        let these = bytes_of_rows(&index, scope);
        assert!(rows == 0 || rows == these);
        rows = these;
    }
    let overhead = (bytes_now - bytes_before) as f64 / SCOPES as f64 - rows as f64;
    let blocks = (blocks_now - blocks_before) as f64 / SCOPES as f64;
    println!("a scope of ten: {rows} B of rows, {overhead:.0} B beyond them, {blocks:.2} blocks");
    assert!(overhead <= 300.0, "{overhead} B");
    assert!(blocks < 5.0, "{blocks} blocks");
}
