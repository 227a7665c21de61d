//! Batches and questions as proptest draws them: few words, ids and times, so that they meet.

use mnemic_retrieval::fusion::SIGNALS;
use mnemic_retrieval::partition::MetadataValue;
use mnemic_retrieval::{Close, Memory, ScopeIds, ScopeMatch};
use proptest::prelude::*;

use crate::DIMENSION;
use crate::common::{NOW, message};
use crate::reference::{Batch, Question, Then};

/// Times are drawn from 0 to this, [`NOW`] included.
const LAST_TIME: i64 = 2 * NOW;
/// Two of them are longer than a conversation without a session may pause.
const PAUSE: i64 = 20 * 60 * 1_000_000;

const WORDS: [&str; 20] = [
    "tulip",
    "river",
    "Berlin",
    "Caroline",
    "New York",
    "gpt-4o",
    "garden",
    "violin",
    "the",
    "Mel's",
    "paint",
    "market",
    "\"blue sky\"",
    "\"river the tulip\"",
    "sky",
    "4o",
    "tulip",
    "When did",
    "yesterday",
    "an hour ago",
];

fn texts(words: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&WORDS[..]), words).prop_map(|words| words.join(" "))
}

fn scopes() -> impl Strategy<Value = ScopeIds> {
    let ids = |known: &'static [&'static str]| {
        prop::option::of(prop::sample::select(known).prop_map(str::to_owned))
    };
    (
        ids(&["u", "*"]),
        ids(&["a"]),
        ids(&["s", "t", ""]),
        ids(&["app"]),
    )
        .prop_map(|(user_id, agent_id, session_id, app_id)| ScopeIds {
            user_id,
            agent_id,
            session_id,
            app_id,
        })
}

/// Few, so that many messages have neighbours.
fn conversations() -> impl Strategy<Value = ScopeIds> {
    prop::option::of(Just("s".to_owned())).prop_map(|session_id| ScopeIds {
        user_id: Some("u".to_owned()),
        session_id,
        ..ScopeIds::default()
    })
}

/// Elements that differ in sign only, but for zeros: equal and opposite directions occur, few of them are rounded, and int8
/// codes, by which messages lend their meaning, are exact.
fn vectors() -> impl Strategy<Value = Vec<f32>> {
    let signs = prop::collection::vec(-1..=1_i8, DIMENSION);
    (signs, 1..=3_i8)
        .prop_map(|(signs, length)| {
            signs
                .into_iter()
                .map(|sign| f32::from(sign * length))
                .collect()
        })
        .prop_filter("a vector has a direction", |vector: &Vec<f32>| {
            vector.iter().any(|element| *element != 0.0)
        })
}

fn times() -> impl Strategy<Value = i64> {
    prop_oneof![0..LAST_TIME, Just(NOW), Just(1)]
}

fn memories() -> impl Strategy<Value = Memory> {
    let identity = (
        1..40_u128,
        1..4_u32,
        prop_oneof![scopes(), conversations()],
        prop_oneof![8 => texts(0..8), 2 => texts(15..40)],
        prop::sample::select(vec!["", "", "Mel", "Caroline", "Mel Brooks"]),
        prop_oneof![6 => Just(1_u8), 1 => Just(2_u8)],
        (
            prop::sample::select(vec!["", "", "?"]),
            prop_oneof![6 => Just(1_u8), 1 => 0..3_u8],
        ),
    );
    let time = (
        prop::option::of((times(), 0..4_i64).prop_map(|(time, pauses)| time + pauses * PAUSE)),
        times(),
        times(),
        prop::option::weighted(0.1, times()),
        prop::option::weighted(0.1, times()),
    );
    let rest = (
        prop::option::of(0..3_i64),
        prop::collection::vec(prop::sample::select(vec!["Berlin", "The Hague"]), 0..2),
    );
    (identity, time, rest).prop_map(
        |(
            (id, version, scope, body, name, kind, (end, role)),
            (event, create, from, to, expire),
            (rating, entities),
        )| Memory {
            version,
            scope,
            name: name.to_owned(),
            kind,
            role,
            event_time_micros: event,
            create_time_micros: create,
            valid_from_micros: from,
            valid_to_micros: to,
            expire_time_micros: expire,
            metadata: rating
                .map(|rating| ("rating".to_owned(), MetadataValue::Integer(rating)))
                .into_iter()
                .collect(),
            entities: entities.into_iter().map(str::to_owned).collect(),
            ..message(id, &(body + end))
        },
    )
}

pub(crate) fn batches() -> impl Strategy<Value = Batch> {
    let rows = prop::collection::vec((memories(), prop::option::weighted(0.8, vectors())), 0..25);
    let close = (1..40_u128, 1..4_u32, prop::option::weighted(0.8, times())).prop_map(
        |(memory_id, version, valid_to_micros)| Close {
            memory_id,
            version,
            valid_to_micros,
        },
    );
    let then = prop_oneof![
        4 => Just(Then::Nothing),
        2 => Just(Then::Compact),
        1 => Just(Then::Upkeep),
        2 => Just(Then::Reopen),
    ];
    (0..2_usize, rows, prop::collection::vec(close, 0..6), then).prop_map(
        |(partition, rows, closes, then)| Batch {
            partition,
            rows,
            closes,
            then,
        },
    )
}

pub(crate) fn questions() -> impl Strategy<Value = Question> {
    let place = (
        prop::sample::subsequence(vec![0_usize, 1], 0..=2),
        scopes(),
        prop::sample::select(vec![
            ScopeMatch::Visible,
            ScopeMatch::Exact,
            ScopeMatch::Tenant,
        ]),
    );
    let query = (
        texts(0..5),
        prop::option::of(vectors()),
        prop::option::weighted(0.3, 0..3_u8),
    );
    let time = (
        prop::option::weighted(0.3, times()),
        prop::bool::weighted(0.3),
    );
    let weight = || prop_oneof![Just(0.0), Just(1.0), 0.0..=1.0_f64];
    let weights = std::array::from_fn::<_, SIGNALS, _>(|_| weight());
    let score = (
        weights.prop_filter("not all 0", |weights| {
            weights.iter().any(|weight| *weight > 0.0)
        }),
        prop_oneof![Just(0.0), 0.0..0.9_f64],
    );
    let context_window = prop::sample::select(vec![0, 1, 2, 10]);
    (place, query, time, 1..15_usize, score, context_window).prop_map(
        |(
            (partitions, scope, scope_match),
            (text, vector, filter),
            (as_of, include_superseded),
            top_k,
            (weights, min_score),
            context_window,
        )| Question {
            partitions,
            scope,
            scope_match,
            text,
            vector,
            filter,
            as_of,
            include_superseded,
            top_k,
            weights,
            min_score,
            context_window,
        },
    )
}
