//! What a file can do that has the right checksums and the wrong content, and when the checks of a large file are made.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::header::{Header, PREFIX_BYTES};
use super::reading::open;
use crate::filter::Filter;
use crate::fusion::Weights;
use crate::index::DEFAULT_CANDIDATES;
use crate::partition::MetadataValue;
use crate::partition::base::layout::Layout;
use crate::partition::base::units::{Lazy, Units};
use crate::vector::SimdPath;
use crate::{Close, Error, Index, Memory, PartitionKey, Row, ScopeIds, ScopeMatch, SearchRequest};

const DIMENSION: usize = 3;
const ROWS: u128 = 150;

fn key() -> PartitionKey {
    PartitionKey {
        tenant: "t".to_owned(),
        owner_kind: 1,
        owner_id: "u".to_owned(),
    }
}

fn row(id: u128) -> Row<Vec<u8>> {
    let elements = [1.0, id as f32, 2.0].map(f32::to_le_bytes);
    Row {
        memory: Memory {
            memory_id: id,
            scope: ScopeIds {
                user_id: Some("u".to_owned()),
                session_id: Some(format!("s{}", id % 3)),
                ..ScopeIds::default()
            },
            kind: 1,
            body: format!("Caroline met word{} in Berlin", id % 20),
            role: 1,
            name: "Mel".to_owned(),
            event_time_micros: Some(id as i64),
            event_time_precision: 1,
            create_time_micros: 1,
            update_time_micros: 1,
            valid_from_micros: 1,
            valid_to_micros: id.is_multiple_of(9).then_some(70),
            metadata: vec![("n".to_owned(), MetadataValue::Integer(id as i64))],
            categories: vec!["c".to_owned()],
            entities: vec!["The Hague".to_owned()],
            confidence: 1.0,
            importance: 0.5,
            trust: 2,
            version: 1,
            revision: 1,
            ..Memory::default()
        },
        vector: Some(elements.concat()),
    }
}

/// The bytes of a file of [`ROWS`] rows and some that were deleted.
fn file() -> Vec<u8> {
    let index = Index::new(DIMENSION, SimdPath::best()).expect("a valid dimension");
    let rows: Vec<_> = (1..=ROWS + 5).map(row).collect();
    index.load(&key(), &rows).expect("valid rows");
    let closes: Vec<Close> = (ROWS + 1..=ROWS + 5)
        .map(|memory_id| Close {
            memory_id,
            version: 1,
            valid_to_micros: None,
        })
        .collect();
    index
        .apply::<Vec<u8>>(&key(), &[], &closes)
        .expect("valid closes");
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("u");
    let snapshot = index.freeze(&key()).expect("it is in memory");
    snapshot.write(&path, 1, "m").expect("it can be written");
    fs::read(&path).expect("it is there")
}

/// An index with the file as its partition, checked as files of more than `checked_at_once` bytes are.
fn opened(file: &[u8], checked_at_once: u64) -> Result<Index, Error> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("u");
    fs::write(&path, file).expect("it can be written");
    open_at(&path, checked_at_once)
}

fn open_at(path: &Path, checked_at_once: u64) -> Result<Index, Error> {
    let (base, _) = open(path, &key(), DIMENSION, "m", checked_at_once)?;
    let index = Index::new(DIMENSION, SimdPath::best()).expect("a valid dimension");
    index
        .apply::<Vec<u8>>(&key(), &[], &[])
        .expect("an empty batch");
    let partition = index.partition(&key()).expect("it was made");
    partition.settle_on(base);
    Ok(index)
}

fn search(index: &Index, text: &str, as_of_micros: Option<i64>) -> Result<Vec<u128>, Error> {
    let filter = Filter::comparison("metadata.n", 3, vec![MetadataValue::Integer(-1)]);
    let vector = row(40).vector.expect("it has one");
    let outcome = index.search(&SearchRequest {
        partitions: &[key()],
        scope: &ScopeIds::default(),
        scope_match: ScopeMatch::Tenant,
        text,
        understood: None,
        vector: (text.is_empty()).then_some(vector.as_slice()),
        filter: Some(&filter.expect("a valid filter")),
        now_micros: 1_000,
        reference_micros: None,
        as_of_micros,
        include_superseded: false,
        top_k: 300,
        weights: Weights::new([1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 1.0]).expect("valid weights"),
        min_score: 0.0,
        explain: true,
        candidates: DEFAULT_CANDIDATES,
        separate: false,
        calibration: None,
        min_confidence: 0.0,
        context_window: 2,
    })?;
    let hits = outcome.hits.iter();
    Ok(hits.map(|hit| hit.record.memory_id()).collect())
}

/// Does everything that can be done with a partition; what it answers does not matter.
fn exercise(index: &Index) -> Result<(), Error> {
    for text in ["Caroline in Berlin", "word7 word8", "The Hague", ""] {
        search(index, text, None)?;
        search(index, text, Some(60))?;
    }
    let closes = [3, 9, 27].map(|memory_id| Close {
        memory_id,
        version: 1,
        valid_to_micros: (memory_id == 9).then_some(5),
    });
    index.versions(&key());
    index.apply(&key(), &[row(500), row(4)], &closes)?;
    search(index, "word7 Caroline", None)?;
    index.compact(&key())?;
    index.stats();
    search(index, "word7 Caroline", None).map(|_| ())
}

/// Gives a file the checksums of its content, as far as its numbers say where that is.
fn reseal(file: &mut [u8], change: impl FnOnce(&mut Header)) {
    let prefix = file.first_chunk::<PREFIX_BYTES>().expect("a header");
    let length = Header::length_of(prefix).expect("a good header");
    let mut header = Header::from_bytes(&file[..length]).expect("a good header");
    change(&mut header);
    if let Ok(layout) = Layout::new(header.sizes) {
        let units = Units::of(&layout);
        let image = &file[length..];
        let record_end = |row: usize| {
            let column = layout.column(crate::partition::base::layout::Column::RecordEnd);
            let bytes = image.get(column + 8 * row..)?.first_chunk()?;
            Some(
                layout
                    .records()
                    .saturating_add(u64::from_le_bytes(*bytes) as usize),
            )
        };
        let mut ends: Vec<usize> = units.ends_before_records().collect();
        for unit in ends.len()..units.count() {
            if let Some(Lazy::Records { end, .. }) = units.lazy(unit) {
                ends.push(record_end(end - 1).unwrap_or_default());
            }
        }
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let sums = starts
            .zip(&ends)
            .map(|(start, &end)| crc32c::crc32c(image.get(start..end).unwrap_or_default()));
        header.checksums = sums.collect();
    }
    let bytes = header.to_bytes();
    if bytes.len() == length {
        file[..length].copy_from_slice(&bytes);
    }
}

#[test]
fn a_whole_file_is_exercised() {
    for checked_at_once in [0, u64::MAX] {
        let index = opened(&file(), checked_at_once).expect("a good file");
        exercise(&index).expect("it is whole");
    }
    let mut sealed_again = file();
    reseal(&mut sealed_again, |_| {});
    assert_eq!(sealed_again, file());
}

#[test]
fn damage_of_a_large_file_is_found_when_it_matters() {
    let whole = file();
    let prefix = whole.first_chunk::<PREFIX_BYTES>().expect("a header");
    let start = Header::length_of(prefix).expect("a good header");
    let header = Header::from_bytes(&whole[..start]).expect("a good header");
    let layout = Layout::new(header.sizes).expect("good sizes");
    let damaged = |at: usize, checked_at_once| {
        let mut file = whole.clone();
        file[start + at] ^= 4;
        opened(&file, checked_at_once)
    };
    for at in [
        0,
        layout.units() + 9,
        layout.first_postings(),
        layout.records() + 100,
    ] {
        damaged(at, u64::MAX).map(|_| ()).expect_err("it is small");
        let index = damaged(at, 0).expect("it is large");
        let error = index.verify(&key()).expect_err("it is damaged");
        assert_eq!(error.reason(), "SNAPSHOT_UNUSABLE");
        index.compact(&key()).expect_err("damage is not passed on");
    }
    let index = damaged(layout.records() + 100, 0).expect("it is large");
    search(&index, "Berlin", None).expect_err("a record that it needs is damaged");
    let index = damaged(layout.first_postings() + 4, 0).expect("it is large");
    search(&index, "Berlin", None).expect_err("postings that it needs are damaged");
    let index = damaged(layout.records() + 100, 0).expect("it is large");
    let closes = (1..=ROWS).map(|memory_id| Close {
        memory_id,
        version: 1,
        valid_to_micros: None,
    });
    let closes: Vec<Close> = closes.collect();
    let outcome = index.apply::<Vec<u8>>(&key(), &[], &closes);
    outcome.expect_err("a close may have missed its row");
    // The structure is checked at once whatever the size.
    damaged(layout.flags(), 0).map(|_| ()).expect_err("a flag");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn no_content_with_the_right_checksums_does_harm(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u64>(), 1..9_usize), 1..12),
        structure in any::<bool>(),
        large in any::<bool>(),
    ) {
        let mut bytes = file();
        let prefix = bytes.first_chunk::<PREFIX_BYTES>().expect("a header");
        let header = Header::length_of(prefix).expect("a good header");
        // The vectors are half of the file and can do the least.
        let sizes = Header::from_bytes(&bytes[..header]).expect("a good header").sizes;
        let layout = Layout::new(sizes).expect("good sizes");
        let from = header + if structure { layout.tombstone_ids() } else { 0 };
        for (at, value, width) in changes {
            let at = from + at.index(bytes.len() - from);
            for (byte, value) in bytes[at..].iter_mut().zip(value.to_le_bytes()).take(width) {
                *byte = value;
            }
        }
        reseal(&mut bytes, |_| {});
        if let Ok(index) = opened(&bytes, if large { 0 } else { u64::MAX }) {
            let _ = exercise(&index);
        }
    }

    #[test]
    fn no_sizes_with_the_right_checksums_do_harm(
        moved in prop::collection::vec((0..11_usize, 0..11_usize, 0..2_000_u64), 1..4),
        wild in prop::option::weighted(0.3, (0..11_usize, any::<u64>())),
    ) {
        let mut bytes = file();
        reseal(&mut bytes, |header| {
            let sizes = &mut header.sizes;
            let numbers = [
                &mut sizes.rows, &mut sizes.stride, &mut sizes.tombstones,
                &mut sizes.terms.keys, &mut sizes.terms.text_bytes, &mut sizes.terms.postings,
                &mut sizes.names.keys, &mut sizes.names.text_bytes, &mut sizes.names.postings,
                &mut sizes.scope_bytes, &mut sizes.record_bytes,
            ];
            for (from, to, by) in moved {
                let by = by.min(*numbers[from]);
                *numbers[from] -= by;
                *numbers[to] += by;
            }
            if let Some((place, value)) = wild {
                *numbers[place] = value;
            }
        });
        if let Ok(index) = opened(&bytes, 0) {
            let _ = exercise(&index);
        }
    }
}
