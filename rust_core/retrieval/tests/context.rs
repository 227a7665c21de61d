//! What is said around a message helps to find it, and comes with it.

mod common;

use common::{NOW, bytes, message, partition, search, user};
use mnemic_retrieval::fusion::Weights;
use mnemic_retrieval::vector::SimdPath;
use mnemic_retrieval::{Close, Hit, Index, Memory, Row, ScopeIds, SearchRequest};
use proptest::prelude::*;

const MINUTE: i64 = 60 * 1_000_000;

/// The message of this number, of one session.
fn said(number: u128, body: &str) -> Memory {
    Memory {
        scope: ScopeIds {
            session_id: Some("s".to_owned()),
            ..user("u")
        },
        create_time_micros: number as i64,
        ..message(number, body)
    }
}

fn row(memory: Memory) -> Row<Vec<u8>> {
    Row {
        memory,
        vector: None,
    }
}

fn index(memories: Vec<Memory>) -> Index {
    let rows: Vec<Row<Vec<u8>>> = memories.into_iter().map(row).collect();
    let index = Index::new(2, SimdPath::best()).expect("a valid dimension");
    index.load(&partition("u"), &rows).expect("valid rows");
    index
}

/// Words and context count.
fn ask(index: &Index, text: &str, window: usize) -> Vec<Hit> {
    let (partitions, scope) = (
        [partition("u")],
        ScopeIds {
            session_id: Some("s".to_owned()),
            ..user("u")
        },
    );
    let request = SearchRequest {
        text,
        weights: Weights::new([0.0, 0.2, 0.0, 0.0, 0.0, 0.0, 0.8]).expect("valid weights"),
        context_window: window,
        now_micros: 100 * NOW,
        ..search(&partitions, &scope)
    };
    index.search(&request).expect("a valid request").hits
}

fn ids(hits: &[Hit]) -> Vec<u128> {
    hits.iter().map(|hit| hit.record.memory_id()).collect()
}

fn around(hit: &Hit) -> [Vec<u128>; 2] {
    [&hit.before, &hit.after].map(|side| side.iter().map(|record| record.memory_id()).collect())
}

#[test]
fn an_answer_is_found_by_the_question_before_it() {
    let index = index(vec![
        said(1, "Which instrument do you play?"),
        said(2, "Oh, the violin, for years."),
        said(3, "Nice!"),
        said(4, "Let us meet on Monday."),
        said(5, "Fine."),
        said(6, "Bring cake."),
        said(7, "Sure."),
    ]);
    // Further than three messages away nothing is found.
    assert_eq!(ids(&ask(&index, "instrument", 0)), [1, 4, 3, 2]);
}

#[test]
fn the_answer_to_a_question_that_fits_comes_before_the_question() {
    let said_by = |number, name: &str, role, body| Memory {
        name: name.to_owned(),
        role,
        ..said(number, body)
    };
    let best = |role_of_second| {
        let rows = [
            (said_by(1, "Ann", 1, "Which instrument?"), [1.0, 0.0]),
            (said_by(2, "Ben", role_of_second, "The violin."), [0.9, 0.4]),
            (said_by(3, "Ann", 1, "Where is the river?"), [0.0, 1.0]),
            (said_by(4, "Ben", role_of_second, "In Oslo."), [0.1, 1.0]),
        ];
        let rows = rows.map(|(memory, vector)| Row {
            memory,
            vector: Some(bytes(&vector)),
        });
        let index = Index::new(2, SimdPath::best()).expect("a valid dimension");
        index.load(&partition("u"), &rows).expect("valid rows");
        let (partitions, scope) = ([partition("u")], said(1, "").scope);
        let request = SearchRequest {
            vector: Some(&bytes(&[1.0, 0.0])),
            weights: Weights::new([0.4, 0.0, 0.0, 0.0, 0.0, 0.0, 0.6]).expect("valid weights"),
            now_micros: 100 * NOW,
            ..search(&partitions, &scope)
        };
        let hits = index.search(&request).expect("a valid request").hits;
        ids(&hits)[0]
    };
    assert_eq!(best(1), 2);
    assert_eq!(
        best(2),
        1,
        "what a person asks an assistant tells of the person"
    );
}

/// Vector, words and context count as in the default profile.
fn ask_by_all(index: &Index, text: &str, vector: &[f32], top_k: usize) -> Vec<Hit> {
    let (partitions, scope) = ([partition("u")], said(1, "").scope);
    let request = SearchRequest {
        text,
        vector: Some(&bytes(vector)),
        weights: Weights::new([0.2, 0.1, 0.0, 0.0, 0.0, 0.0, 0.5]).expect("valid weights"),
        top_k,
        now_micros: 100 * NOW,
        ..search(&partitions, &scope)
    };
    index.search(&request).expect("a valid request").hits
}

#[test]
fn among_thousands_alike_the_one_that_says_what_is_asked_for_is_first() {
    // What stands beside the one that is asked for is a little further from the query than all the rest.
    let rows: Vec<Row<Vec<u8>>> = (0..2_000_u16)
        .map(|number| {
            let (body, angle) = match number.abs_diff(1_234) {
                0 => ("a page of the diary", 0.0),
                1..=3 => ("another page of the diary", 0.02),
                _ => ("another page of the diary", 0.01),
            };
            Row {
                memory: said(u128::from(number) + 1, body),
                vector: Some(bytes(&[f32::cos(angle), f32::sin(angle)])),
            }
        })
        .collect();
    let index = Index::new(2, SimdPath::best()).expect("a valid dimension");
    index.load(&partition("u"), &rows).expect("valid rows");
    let hits = ask_by_all(&index, "a page of the diary", &[1.0, 0.0], 1);
    assert_eq!(ids(&hits), [1_235]);
}

proptest! {
    // All have a speaker, whose name is one of the terms: nobody says it in fewer.
    #[test]
    fn whatever_stands_beside_it_the_message_that_is_asked_for_is_first_or_as_good(
        asked in prop::sample::subsequence(vec!["river", "violin", "tulip", "garden", "boat"], 1..4),
        others in prop::collection::vec(
            (
                prop::sample::subsequence(vec!["river", "violin", "tulip", "garden", "boat", "train"], 0..6),
                prop::sample::select(vec!["Ann", "Ben"]),
                prop::sample::select(vec!["?", "."]),
                0.0..3.0_f32,
            ),
            1..30,
        ),
        place in any::<prop::sample::Index>(),
        of_asked in prop::sample::select(vec!["Ann", "Ben"]),
        mark in prop::sample::select(vec!["?", "."]),
    ) {
        let text = format!("{}{mark}", asked.join(" "));
        let mut said_by: Vec<(String, &str, f32)> = others
            .iter()
            .map(|(words, name, mark, angle)| (format!("{}{mark}", words.join(" ")), *name, *angle))
            .collect();
        let place = place.index(said_by.len() + 1);
        said_by.insert(place, (text.clone(), of_asked, 0.0));
        let rows: Vec<Row<Vec<u8>>> = (1..)
            .zip(&said_by)
            .map(|(number, (body, name, angle))| Row {
                memory: Memory { name: (*name).to_owned(), role: 1, ..said(number, body) },
                vector: Some(bytes(&[angle.cos(), angle.sin()])),
            })
            .collect();
        let index = Index::new(2, SimdPath::best()).expect("a valid dimension");
        index.load(&partition("u"), &rows).expect("valid rows");
        let hits = ask_by_all(&index, &text, &[1.0, 0.0], rows.len());
        let exact = hits.iter().find(|hit| hit.record.memory_id() == place as u128 + 1);
        let exact = exact.or_else(|| hits.iter().flat_map(|hit| &hit.grouped).find(|hit| {
            hit.record.memory_id() == place as u128 + 1
        }));
        prop_assert!(hits[0].score - exact.expect("a hit").score < 1e-6);
    }
}

#[test]
fn what_is_deleted_lends_nothing() {
    let index = index(vec![
        said(1, "Which instrument do you play?"),
        said(2, "The violin, instrument of my mother"),
        said(3, "Nice!"),
    ]);
    assert_eq!(ids(&ask(&index, "instrument", 1)).len(), 3);
    let close = |memory_id| Close {
        memory_id,
        version: 1,
        valid_to_micros: None,
    };
    index
        .apply::<Vec<u8>>(&partition("u"), &[], &[close(2)])
        .expect("valid");
    let hits = ask(&index, "instrument", 1);
    assert_eq!(ids(&hits), [1, 3]);
    assert_eq!(around(&hits[0]), [vec![], vec![3]]);
    index
        .apply::<Vec<u8>>(&partition("u"), &[], &[close(1)])
        .expect("valid");
    assert_eq!(ids(&ask(&index, "instrument", 1)), []);
}

#[test]
fn an_update_keeps_the_place_of_its_message() {
    let index = index(vec![said(1, "one"), said(2, "two"), said(3, "three")]);
    let update = Memory {
        version: 2,
        ..said(2, "twenty")
    };
    let close = Close {
        memory_id: 2,
        version: 1,
        valid_to_micros: Some(5),
    };
    index
        .apply(
            &partition("u"),
            &[row(update), row(said(4, "four"))],
            &[close],
        )
        .expect("valid");
    for _ in 0..2 {
        let hits = ask(&index, "three", 10);
        assert_eq!(ids(&hits[..1]), [3]);
        assert_eq!(around(&hits[0]), [vec![1, 2], vec![4]]);
        assert_eq!(hits[0].before[1].body(), "twenty");
        index.compact(&partition("u")).expect("it is small");
    }
}

#[test]
fn without_a_session_a_pause_of_half_an_hour_parts_conversations() {
    let at = |number: u128, minute: i64, body: &str| Memory {
        scope: user("u"),
        event_time_micros: Some(minute * MINUTE),
        ..said(number, body)
    };
    let index = index(vec![
        at(1, 0, "violin"),
        at(2, 30, "tulip"),
        at(3, 61, "river"),
        at(4, 62, "garden"),
    ]);
    assert_eq!(ids(&ask(&index, "violin", 0)), [1, 2]);
    let hits = ask(&index, "garden", 10);
    assert_eq!(around(&hits[0]), [vec![3], vec![]]);
    assert_eq!(ids(&ask(&index, "tulip", 0)), [2, 1]);
}

#[test]
fn a_message_that_says_enough_stands_alone() {
    let long = "river ".repeat(75);
    let index = index(vec![said(1, "violin"), said(2, &long), said(3, "tulip")]);
    let hits = ask(&index, "violin", 1);
    assert_eq!(
        ids(&hits),
        [1],
        "neither the long one nor the one behind it"
    );
    assert_eq!(around(&hits[0]), [vec![], vec![2]], "but it comes along");
}

#[test]
fn only_messages_have_context() {
    let fact = Memory {
        kind: 2,
        ..said(2, "plays the violin")
    };
    let index = index(vec![said(1, "violin"), fact, said(3, "tulip")]);
    let hits = ask(&index, "violin", 10);
    let of = |id: u128| {
        hits.iter()
            .find(|hit| hit.record.memory_id() == id)
            .expect("a hit")
    };
    assert_eq!(around(of(1)), [vec![], vec![3]], "a fact is no neighbour");
    assert_eq!(around(of(2)), [vec![], vec![]], "and has none");
}

#[test]
fn the_speaker_who_is_named_alone_is_preferred() {
    let by = |number: u128, name: &str| Memory {
        name: name.to_owned(),
        ..said(number, "I went to the river")
    };
    let index = index(vec![by(1, "Caroline Smith"), by(2, "Melanie"), by(3, "")]);
    let best = |text: &str| {
        let (partitions, scope) = ([partition("u")], said(1, "").scope);
        let request = SearchRequest {
            text,
            vector: Some(&bytes(&[1.0, 0.0])),
            weights: Weights::new([0.0, 0.1, 0.0, 0.0, 0.9, 0.0, 0.0]).expect("valid weights"),
            explain: true,
            ..search(&partitions, &scope)
        };
        let hits = index.search(&request).expect("a valid request").hits;
        let actor = hits[0].parts.expect("it is explained")[4];
        (hits[0].record.memory_id(), actor.map(|part| part.raw))
    };
    assert_eq!(best("Which river did Caroline see?"), (1, Some(1.0)));
    assert_eq!(best("melanie's river"), (2, Some(1.0)));
    assert_eq!(best("Did Caroline and Melanie see the river?").1, None);
    assert_eq!(best("the river of nobody").1, None);
}
