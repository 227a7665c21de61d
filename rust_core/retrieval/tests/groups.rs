//! Hits that say the same share a rank, and a search says how sure it is of an answer.

mod common;

use common::{NOW, message, partition, search, user};
use mnemic_retrieval::fusion::Weights;
use mnemic_retrieval::index::Calibration;
use mnemic_retrieval::partition::format_memory_id;
use mnemic_retrieval::vector::SimdPath;
use mnemic_retrieval::{Hit, Index, Memory, Row, SearchOutcome, SearchRequest};

fn index(memories: impl IntoIterator<Item = (Memory, [f32; 2])>) -> Index {
    let row = |(memory, vector): (Memory, [f32; 2])| Row {
        memory,
        vector: Some(common::bytes(&vector)),
    };
    let rows: Vec<Row<Vec<u8>>> = memories.into_iter().map(row).collect();
    let index = Index::new(2, SimdPath::best()).expect("a valid dimension");
    index.load(&partition("u"), &rows).expect("valid rows");
    index
}

/// By words alone.
fn ask(index: &Index, text: &str, change: impl FnOnce(&mut SearchRequest<'_>)) -> SearchOutcome {
    let (partitions, scope) = ([partition("u")], user("u"));
    let mut request = SearchRequest {
        text,
        weights: Weights::new([0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]).expect("valid weights"),
        now_micros: NOW,
        separate: false,
        ..search(&partitions, &scope)
    };
    change(&mut request);
    index.search(&request).expect("a valid request")
}

fn ids(hits: &[Hit]) -> Vec<u128> {
    hits.iter().map(|hit| hit.record.memory_id()).collect()
}

fn drawn_from(id: u128, body: &str, sources: &[u128]) -> Memory {
    Memory {
        kind: 2,
        source_ids: sources.iter().copied().map(format_memory_id).collect(),
        ..message(id, body)
    }
}

/// A message, a fact drawn from it, another fact drawn from it, and what has nothing to do with them.
fn oslo(message_says: &str) -> Index {
    let memories = [
        message(1, message_says),
        drawn_from(2, "Anna moved to Oslo", &[1]),
        drawn_from(3, "Anna has a cat in Oslo since she moved there", &[1]),
        message(4, "Ben never saw Oslo but would like to go there some day"),
    ];
    index(memories.map(|memory| (memory, [1.0, 0.0])))
}

#[test]
fn facts_come_with_the_message_that_is_better_than_they_are() {
    let hits = ask(&oslo("moved to Oslo"), "moved Oslo", |_| {}).hits;
    assert_eq!(ids(&hits), [1, 4]);
    assert_eq!(ids(&hits[0].grouped), [2, 3]);
    assert_eq!(hits[0].group, Some(1));
    assert!(hits[0].grouped.iter().all(|hit| hit.group == Some(1)));
    assert_eq!((hits[1].group, hits[1].grouped.len()), (None, 0));
}

#[test]
fn a_message_comes_with_the_fact_that_leads_and_another_fact_is_another_thing() {
    let said = "well I thought about it for a long time and then I moved to Oslo in the end";
    let hits = ask(&oslo(said), "moved Oslo", |_| {}).hits;
    assert_eq!(ids(&hits), [2, 3, 4]);
    assert_eq!(ids(&hits[0].grouped), [1]);
    assert_eq!(hits[1].group, None);
}

#[test]
fn the_same_words_of_one_speaker_are_one_thing_and_those_of_two_are_two() {
    let said = |id, name: &str, body: &str| Memory {
        name: name.to_owned(),
        ..message(id, body)
    };
    let memories = [
        said(1, "Anna", "Tea, please!"),
        said(2, "anna", "tea   please"),
        said(3, "Ben", "Tea, please!"),
        said(4, "Anna", "No tea, please!"),
    ];
    let index = index(memories.map(|memory| (memory, [1.0, 0.0])));
    let hits = ask(&index, "tea", |_| {}).hits;
    let mut groups: Vec<Vec<u128>> = hits
        .iter()
        .map(|hit| {
            let mut group = vec![hit.record.memory_id()];
            group.extend(ids(&hit.grouped));
            group.sort_unstable();
            group
        })
        .collect();
    groups.sort_unstable();
    assert_eq!(groups, [vec![1, 2], vec![3], vec![4]]);
}

#[test]
fn ranks_that_a_group_leaves_go_to_others() {
    let mut memories: Vec<(Memory, [f32; 2])> = (1..=20)
        .map(|id| (message(id, "green tea"), [1.0, 0.0]))
        .collect();
    memories.push((
        message(21, "green tea and a long word of thanks"),
        [1.0, 0.0],
    ));
    let hits = ask(&index(memories), "green tea", |request| request.top_k = 2).hits;
    assert_eq!(hits.len(), 2);
    assert_eq!(hits[0].grouped.len(), 19);
    assert_eq!(hits[1].record.memory_id(), 21);
}

#[test]
fn who_asks_for_it_gets_a_rank_for_each_and_still_the_groups() {
    let index = oslo("moved to Oslo");
    let hits = ask(&index, "moved Oslo", |request| request.separate = true).hits;
    assert_eq!(ids(&hits), [1, 2, 3, 4]);
    let groups: Vec<Option<u128>> = hits.iter().map(|hit| hit.group).collect();
    assert_eq!(groups, [Some(1), Some(1), Some(1), None]);
    assert!(hits.iter().all(|hit| hit.grouped.is_empty()));
}

const BOTH: [f64; 7] = [0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0];
const CALIBRATION: Calibration = Calibration {
    cosine: 5.0,
    coverage: 5.0,
    bias: -5.0,
};

/// By words and meaning, with a confidence.
fn confidence(index: &Index, text: &str, vector: [f32; 2], least: f64) -> (Option<f64>, usize) {
    let vector = common::bytes(&vector);
    let outcome = {
        let (partitions, scope) = ([partition("u")], user("u"));
        let request = SearchRequest {
            text,
            vector: Some(&vector),
            weights: Weights::new(BOTH).expect("valid weights"),
            calibration: Some(CALIBRATION),
            min_confidence: least,
            separate: false,
            ..search(&partitions, &scope)
        };
        index.search(&request).expect("a valid request")
    };
    (outcome.confidence, outcome.hits.len())
}

#[test]
fn confidence_falls_with_words_that_nobody_said_and_with_meaning_that_nobody_meant() {
    let index = oslo("moved to Oslo");
    let of = |text, vector| {
        confidence(&index, text, vector, 0.0)
            .0
            .expect("both take part")
    };
    let known = of("moved Oslo", [1.0, 0.0]);
    let unknown_word = of("moved Oslo zeppelin submarine", [1.0, 0.0]);
    let other_meaning = of("moved Oslo", [0.0, 1.0]);
    assert!(known > unknown_word && known > other_meaning);
    assert!(of("zeppelin submarine", [0.0, 1.0]) < 0.01);
}

#[test]
fn below_the_least_confidence_there_are_no_hits_and_where_none_is_known_they_stay() {
    let index = oslo("moved to Oslo");
    let (known, hits) = confidence(&index, "Oslo zeppelin", [0.0, 1.0], 0.0);
    let known = known.expect("both take part");
    assert_eq!(hits, 2);
    assert_eq!(confidence(&index, "Oslo zeppelin", [0.0, 1.0], known).1, 2);
    assert_eq!(
        confidence(&index, "Oslo zeppelin", [0.0, 1.0], known + 1e-9),
        (Some(known), 0)
    );
    let by_words = ask(&index, "Oslo zeppelin", |request| {
        request.calibration = Some(CALIBRATION);
        request.min_confidence = 1.0;
    });
    assert_eq!((by_words.confidence, by_words.hits.len()), (None, 2));
}
