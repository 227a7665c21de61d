//! Files of snapshots: what comes back is what was written, or an error.

mod common;

use std::fs;
use std::path::Path;

use common::{bytes, message, partition, search, user};
use mnemic_retrieval::filter::Filter;
use mnemic_retrieval::partition::MetadataValue;
use mnemic_retrieval::vector::SimdPath;
use mnemic_retrieval::{Close, Error, Index, Memory, Row, ScopeIds, ScopeMatch, SearchRequest};
use proptest::prelude::*;

const MODEL: &str = "model@1";
const DIMENSION: usize = 5;

fn row(id: u128) -> Row<Vec<u8>> {
    let words = [
        "tulip", "river", "Berlin", "garden", "gpt-4o", "Mel's", "été",
    ];
    let body: Vec<&str> = (0..=id % 6)
        .map(|place| words[((id + place * 3) % 7) as usize])
        .collect();
    let session = (!id.is_multiple_of(4)).then(|| format!("session {}", id % 3));
    Row {
        memory: Memory {
            scope: ScopeIds {
                session_id: session,
                ..user("u")
            },
            create_time_micros: 1_000 + id as i64,
            expire_time_micros: id.is_multiple_of(11).then_some(5_000_000),
            valid_to_micros: id.is_multiple_of(13).then_some(700),
            metadata: vec![
                ("rating".to_owned(), MetadataValue::Integer((id % 3) as i64)),
                (
                    "tags".to_owned(),
                    MetadataValue::Texts(vec!["a".to_owned(), "b".to_owned()]),
                ),
            ],
            entities: vec!["The Hague".to_owned()],
            name: if id.is_multiple_of(2) { "Mel" } else { "" }.to_owned(),
            ..message(id, &body.join(" "))
        },
        vector: (!id.is_multiple_of(7))
            .then(|| bytes(&[1.0, id as f32, (id % 5) as f32, 0.5, 2.0])),
    }
}

fn close(memory_id: u128, valid_to_micros: Option<i64>) -> Close {
    Close {
        memory_id,
        version: 1,
        valid_to_micros,
    }
}

/// An index with rows of each sort, some of them sealed and some not, some ended and some deleted.
fn filled(rows: u128) -> Index {
    let index = Index::new(DIMENSION, SimdPath::best()).expect("a valid dimension");
    let key = partition("u");
    let half = rows / 2;
    let sealed: Vec<_> = (1..=half).map(row).collect();
    let growing: Vec<_> = (half + 1..=rows).map(row).collect();
    index.load(&key, &sealed).expect("valid rows");
    let closes: Vec<Close> = (1..=rows)
        .filter(|id| id.is_multiple_of(5))
        .map(|id| close(id, id.is_multiple_of(2).then_some(800)))
        .collect();
    index.apply(&key, &growing, &closes).expect("valid rows");
    index
}

/// Everything that searches can tell: each hit with all its fields, in words.
fn answers(index: &Index) -> Result<Vec<String>, Error> {
    let (key, scope) = ([partition("u")], user("u"));
    let vector = bytes(&[1.0, 20.0, 3.0, 0.5, 2.0]);
    let rating = Filter::comparison("metadata.rating", 1, vec![MetadataValue::Integer(1)]);
    let rating = rating.expect("a valid filter");
    let mut found = Vec::new();
    for (text, vector, as_of, filter, scope_match) in [
        ("tulip in Berlin", None, None, None, ScopeMatch::Tenant),
        ("", Some(&vector), None, None, ScopeMatch::Visible),
        (
            "gpt-4o Mel",
            Some(&vector),
            Some(750),
            None,
            ScopeMatch::Tenant,
        ),
        ("garden", None, None, Some(&rating), ScopeMatch::Tenant),
    ] {
        let request = SearchRequest {
            text,
            vector: vector.map(Vec::as_slice),
            as_of_micros: as_of,
            filter,
            scope_match,
            top_k: 100,
            ..search(&key, &scope)
        };
        let outcome = index.search(&request)?;
        found.push(format!("{} considered", outcome.considered));
        for hit in outcome.hits {
            let record = &hit.record;
            found.push(format!(
                "{} {} {} {:?} {:?} {:?} {:?} {}",
                record.memory_id(),
                record.body(),
                record.name(),
                record.metadata().collect::<Vec<_>>(),
                record.expire_time_micros(),
                hit.scope,
                hit.valid_to_micros,
                hit.score,
            ));
        }
    }
    let mut versions = index.versions(&key[0]);
    versions.sort_unstable_by_key(|held| (held.memory_id, held.version));
    found.push(format!("{versions:?}"));
    Ok(found)
}

fn written(index: &Index, path: &Path) {
    let snapshot = index.freeze(&partition("u")).expect("it is in memory");
    let length = snapshot.write(path, 42, MODEL).expect("it can be written");
    assert_eq!(fs::metadata(path).expect("it is there").len(), length);
}

fn opened(path: &Path) -> Result<Index, Error> {
    let index = Index::new(DIMENSION, SimdPath::best()).expect("a valid dimension");
    let revision = index.open(&partition("u"), path, MODEL)?;
    assert_eq!(revision, 42);
    Ok(index)
}

#[test]
fn what_is_opened_is_what_was_written() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("u");
    // The second has whole segments, with 1-bit codes.
    for rows in [0, 1, 50, 10_000] {
        let index = filled(rows);
        written(&index, &path);
        let again = opened(&path).expect("a good file");
        assert_eq!(answers(&again), answers(&index));
        let (stats, expected) = (again.stats(), index.stats());
        assert_eq!(
            (stats.rows, stats.current, stats.vectors, stats.dead),
            (expected.rows, expected.current, expected.vectors, 0)
        );
        assert!(stats.mapped_bytes > 0 && stats.bytes < 1_000 + expected.bytes / 10);
        assert_eq!(again.verify(&partition("u")), Ok(()));
    }
    let left: Vec<_> = fs::read_dir(directory.path())
        .expect("a directory")
        .collect();
    assert_eq!(left.len(), 1, "nothing but the snapshot is left: {left:?}");
}

#[test]
fn a_partition_from_a_file_is_written_and_compacted_as_any_other() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("u");
    let index = filled(60);
    written(&index, &path);
    let again = opened(&path).expect("a good file");
    let key = partition("u");
    for index in [&index, &again] {
        let closes = [close(8, None), close(12, Some(900)), close(59, None)];
        let rows = [row(70), row(71), row(10), row(15)];
        index.apply(&key, &rows, &closes).expect("valid rows");
    }
    let expected = answers(&index);
    assert_eq!(answers(&again), expected);
    again.compact(&key).expect("it is small");
    assert_eq!(answers(&again), expected);
    assert_eq!(again.stats().mapped_bytes, 0);
    written(&again, &path);
    assert_eq!(answers(&opened(&path).expect("a good file")), expected);
}

#[test]
fn a_snapshot_is_of_the_moment_at_which_it_was_taken() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("u");
    let index = filled(30);
    let expected = answers(&index);
    let snapshot = index.freeze(&partition("u")).expect("it is in memory");
    let closes: Vec<Close> = (1..=30).map(|id| close(id, None)).collect();
    index
        .apply(&partition("u"), &[row(31)], &closes)
        .expect("valid rows");
    snapshot.write(&path, 42, MODEL).expect("it can be written");
    assert_eq!(answers(&opened(&path).expect("a good file")), expected);
}

#[test]
fn a_new_file_does_not_disturb_who_reads_the_old_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("u");
    written(&filled(40), &path);
    let index = opened(&path).expect("a good file");
    let expected = answers(&index);
    written(&filled(20), &path);
    fs::remove_file(&path).expect("it is there");
    assert_eq!(answers(&index), expected);
}

#[test]
fn a_file_of_something_else_is_refused_by_name() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("u");
    written(&filled(20), &path);
    let index = Index::new(DIMENSION, SimdPath::best()).expect("a valid dimension");
    let wider = Index::new(DIMENSION + 1, SimdPath::best()).expect("a valid dimension");
    let key = partition("u");
    let missing = directory.path().join("missing");
    for (outcome, why) in [
        (index.open(&key, &path, "model@2"), "another model"),
        (
            index.open(&partition("v"), &path, MODEL),
            "another partition",
        ),
        (wider.open(&key, &path, MODEL), "another dimension"),
        (index.open(&key, &missing, MODEL), "No such file"),
        (index.open(&key, directory.path(), MODEL), "directory"),
    ] {
        let error = outcome.expect_err(why);
        assert_eq!(
            (error.reason(), error.field()),
            ("SNAPSHOT_UNUSABLE", "path")
        );
        assert!(error.to_string().contains(why), "{error}");
    }
    assert!(!index.contains(&key));
}

#[test]
fn a_write_that_fails_leaves_what_was_there() {
    let directory = tempfile::tempdir().expect("a directory");
    let snapshot = filled(20).freeze(&partition("u")).expect("it is in memory");
    let taken = directory.path().join("taken");
    fs::create_dir_all(taken.join("inside")).expect("a directory");
    let nowhere = directory.path().join("nowhere").join("u");
    for path in [&taken, &nowhere] {
        let error = snapshot.write(path, 1, MODEL).expect_err("no such place");
        assert_eq!(error.reason(), "INTERNAL");
    }
    assert!(taken.join("inside").is_dir());
    let left = fs::read_dir(directory.path()).expect("a directory");
    assert_eq!(left.count(), 1, "a file was left over");
}

/// What can happen to a file.
#[derive(Clone, Debug)]
enum Damage {
    Flip {
        at: prop::sample::Index,
        bit: u8,
    },
    Truncate(prop::sample::Index),
    Extend(Vec<u8>),
    Garble {
        at: prop::sample::Index,
        with: Vec<u8>,
    },
    Swap(prop::sample::Index, prop::sample::Index),
}

fn damages() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    let some = || prop::collection::vec(any::<u8>(), 1..200);
    prop_oneof![
        (at(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip { at, bit }),
        at().prop_map(Damage::Truncate),
        some().prop_map(Damage::Extend),
        (at(), some()).prop_map(|(at, with)| Damage::Garble { at, with }),
        (at(), at()).prop_map(|(one, other)| Damage::Swap(one, other)),
    ]
}

impl Damage {
    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Self::Flip { at, bit } => {
                let at = at.index(file.len());
                file[at] ^= 1 << bit;
            }
            Self::Truncate(at) => file.truncate(at.index(file.len())),
            Self::Extend(bytes) => file.extend(bytes),
            Self::Garble { at, with } => {
                let at = at.index(file.len());
                let end = file.len().min(at + with.len());
                file[at..end].copy_from_slice(&with[..end - at]);
            }
            // A damage before this one may have left less than a block.
            Self::Swap(..) if file.len() < 64 => {}
            Self::Swap(one, other) => {
                let blocks = file.len() / 64;
                let (one, other) = (64 * one.index(blocks), 64 * other.index(blocks));
                for byte in 0..64 {
                    file.swap(one + byte, other + byte);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_file_is_refused_or_equal(damages in prop::collection::vec(damages(), 1..4)) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("u");
        let index = filled(40);
        written(&index, &path);
        let mut file = fs::read(&path).expect("it is there");
        for damage in damages {
            damage.apply(&mut file);
            prop_assume!(!file.is_empty());
        }
        fs::write(&path, file).expect("it can be written");
        if let Ok(opened) = opened(&path) {
            prop_assert_eq!(answers(&opened), answers(&index));
        }
    }
}
