//! What a query says beyond its words: the times that it names or asks for, names that everybody shares, and words that were
//! meant to be others.

mod common;

use common::{bytes, message, partition, search, user};
use mnemic_retrieval::fusion::Weights;
use mnemic_retrieval::vector::SimdPath;
use mnemic_retrieval::{Close, Index, Memory, PartitionKey, Row, SearchOutcome, SearchRequest};

const DAY: i64 = 86_400_000_000;
/// 2023-05-01.
const MAY: i64 = 19_478 * DAY;

fn index_of(memories: Vec<Memory>) -> (Index, [PartitionKey; 1]) {
    let index = Index::new(4, SimdPath::best()).expect("a valid dimension");
    let rows: Vec<Row<Vec<u8>>> = memories
        .into_iter()
        .map(|memory| Row {
            memory,
            vector: Some(bytes(&[1.0, 0.0, 0.0, 0.0])),
        })
        .collect();
    let key = partition("u");
    index.apply(&key, &rows, &[]).expect("valid rows");
    (index, [key])
}

fn unembedded(id: u128, body: &str) -> Row<Vec<u8>> {
    Row {
        memory: message(id, body),
        vector: None,
    }
}

/// The end of a memory; None deletes it.
fn close(memory_id: u128, valid_to_micros: Option<i64>) -> Close {
    Close {
        memory_id,
        version: 1,
        valid_to_micros,
    }
}

fn on_day(id: u128, day: i64, body: &str) -> Memory {
    Memory {
        event_time_micros: Some(MAY + (day - 1) * DAY + DAY / 2),
        ..message(id, body)
    }
}

/// A search in July 2023 by words and times alike.
fn ask(index: &Index, key: &[PartitionKey], text: &str) -> SearchOutcome {
    let scope = user("u");
    let request = SearchRequest {
        text,
        weights: Weights::new([0.0, 0.5, 0.0, 0.5, 0.0, 0.0, 0.0]).expect("valid weights"),
        now_micros: MAY + 61 * DAY,
        explain: true,
        ..search(key, &scope)
    };
    index.search(&request).expect("a valid request")
}

fn ids(outcome: &SearchOutcome) -> Vec<u128> {
    outcome
        .hits
        .iter()
        .map(|hit| hit.record.memory_id())
        .collect()
}

fn time_of(outcome: &SearchOutcome, place: usize) -> Option<f64> {
    outcome.hits[place].parts.expect("explained")[3].map(|part| part.raw)
}

#[test]
fn what_happened_when_the_query_says_comes_first() {
    let (index, key) = index_of(vec![
        on_day(1, 3, "she had dinner with her mother"),
        on_day(2, 7, "she had dinner with her sister"),
        on_day(3, 21, "she had dinner with her father"),
    ]);
    let found = ask(&index, &key, "Who did she have dinner with on May 3, 2023?");
    assert_eq!(ids(&found), [1, 2, 3]);
    assert_eq!(time_of(&found, 0), Some(1.0));
    assert!(time_of(&found, 1) > time_of(&found, 2));
    // The weeks count from the time of the search, or from the one that the request gives.
    assert_eq!(ids(&ask(&index, &key, "dinner six weeks ago"))[0], 3);
    let scope = user("u");
    let told = SearchRequest {
        text: "dinner yesterday",
        weights: Weights::new([0.0, 0.5, 0.0, 0.5, 0.0, 0.0, 0.0]).expect("valid weights"),
        reference_micros: Some(MAY + 7 * DAY),
        ..search(&key, &scope)
    };
    assert_eq!(ids(&index.search(&told).expect("a valid request"))[0], 2);
}

#[test]
fn a_question_that_asks_when_prefers_memories_that_name_a_time() {
    let (index, key) = index_of(vec![
        on_day(1, 3, "the choir sang the whole evening"),
        on_day(2, 4, "the choir began two years ago"),
    ]);
    let found = ask(&index, &key, "When did the choir begin?");
    assert_eq!(
        (ids(&found)[0], time_of(&found, 0), time_of(&found, 1)),
        (2, Some(0.5), Some(0.0))
    );
    let found = ask(&index, &key, "How did the choir sing?");
    assert_eq!((ids(&found)[0], time_of(&found, 0)), (1, None));
}

#[test]
fn a_query_without_times_is_scored_as_if_there_were_no_such_signal() {
    let (index, key) = index_of(vec![
        on_day(1, 3, "tulips and roses"),
        on_day(2, 4, "tulips"),
    ]);
    let scope = user("u");
    let by_words = SearchRequest {
        text: "tulips",
        weights: Weights::new([0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]).expect("valid weights"),
        ..search(&key, &scope)
    };
    let by_words = index.search(&by_words).expect("a valid request");
    let with_times = ask(&index, &key, "tulips");
    assert_eq!(ids(&by_words), ids(&with_times));
    for (one, other) in by_words.hits.iter().zip(&with_times.hits) {
        assert!((one.score - other.score).abs() < 1e-12);
    }
}

#[test]
fn a_name_that_everybody_shares_is_no_word_of_the_query() {
    let mut memories: Vec<Memory> = (1..=40)
        .map(|id| on_day(id, 1, "Caroline waters the tulips"))
        .collect();
    memories.push(on_day(41, 1, "a violin was repaired in Oslo"));
    let (index, key) = index_of(memories);
    let query = "Where was Caroline's violin repaired?";
    let understood = index.understand(&key, query);
    assert_eq!(understood.text, "Where was violin repaired?");
    assert_eq!(understood.left_out, ["Caroline"]);
    assert_eq!(ids(&ask(&index, &key, query)), [41]);
    assert_eq!(ids(&ask(&index, &key, "Caroline")).len(), 10);
    // A partition that is not in memory says nothing.
    assert_eq!(index.understand(&[partition("v")], query).text, query);
    index.set_resident(&key[0]);
    let residents = index.residents(&key).expect("it is resident");
    assert_eq!(residents.understand(query), index.understand(&key, query));
}

#[test]
fn a_misspelt_word_is_taken_for_one_that_the_memories_have() {
    let mut memories: Vec<Memory> = (1..=40)
        .map(|id| on_day(id, 1, "Caroline waters the tulips"))
        .collect();
    memories.push(on_day(41, 1, "a violin was repaired in Oslo"));
    let (index, key) = index_of(memories);
    let query = "Where was Caroilne's violni repaired?";
    let understood = index.understand(&key, query);
    assert_eq!(understood.text, "Where was violin repaired?");
    assert_eq!(understood.left_out, ["Caroline"]);
    assert_eq!(ids(&ask(&index, &key, query)), [41]);
    // A quoted word and one that some memory has are what they are.
    assert!(ids(&ask(&index, &key, "\"violni\"")).is_empty());
    index
        .apply(&key[0], &[unembedded(42, "the violni of a typist")], &[])
        .expect("a valid row");
    assert_eq!(ids(&ask(&index, &key, "violni")), [42]);
}

#[test]
fn words_are_those_of_the_searched_partitions() {
    let (index, key) = index_of(vec![on_day(1, 1, "tulips and roses")]);
    let other = partition("v");
    let violin = [unembedded(2, "a violin was repaired")];
    index.apply(&other, &violin, &[]).expect("a valid row");
    assert_eq!(index.understand(&key, "violni").text, "violni");
    let both = [key[0].clone(), other];
    assert_eq!(index.understand(&both, "violni").text, "violin");
}

#[test]
fn a_word_is_known_as_long_as_a_memory_has_it() {
    let (index, key) = index_of(vec![on_day(1, 1, "a violin")]);
    let row = [unembedded(2, "violinn")];
    index.apply(&key[0], &row, &[]).expect("a valid row");
    let meant = |query| index.understand(&key, query).text.into_owned();
    assert_eq!(meant("violinn"), "violinn");
    // Superseded, it can still be searched for; deleted, it is nowhere.
    index
        .apply::<Vec<u8>>(&key[0], &[], &[close(2, Some(MAY))])
        .expect("a known row");
    assert_eq!(meant("violinn"), "violinn");
    index
        .apply::<Vec<u8>>(&key[0], &[], &[close(2, None)])
        .expect("a known row");
    assert_eq!(meant("violinn"), "violin");
    index.compact(&key[0]).expect("it is small");
    assert_eq!(meant("violinn"), "violin");
}

#[test]
fn a_query_that_was_understood_before_finds_the_same() {
    let mut memories: Vec<Memory> = (1..=40)
        .map(|id| on_day(id, 1, "Caroline waters the tulips"))
        .collect();
    memories.push(on_day(41, 1, "a violin was repaired in Oslo"));
    let (index, key) = index_of(memories);
    let (scope, text) = (user("u"), "Which vilin did Caroline hear?");
    let understood = index.understand(&key, text);
    assert_eq!(
        (&*understood.query, &*understood.text),
        ("Which violin did Caroline hear?", "Which violin did hear?")
    );
    let anew = SearchRequest {
        text,
        vector: Some(&bytes(&[1.0, 0.0, 0.0, 0.0])),
        weights: Weights::new([0.2, 0.3, 0.1, 0.0, 0.2, 0.0, 0.2]).expect("valid weights"),
        ..search(&key, &scope)
    };
    let once = SearchRequest {
        understood: Some(&understood),
        ..anew.clone()
    };
    let scored = |request| {
        let outcome = index.search(request).expect("a valid request");
        let scores: Vec<f64> = outcome.hits.iter().map(|hit| hit.score).collect();
        (ids(&outcome), scores)
    };
    assert_eq!(scored(&anew), scored(&once));
    assert_eq!(scored(&once).0[0], 41);
}
