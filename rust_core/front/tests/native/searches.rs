use mnemic_access::Restriction;
use mnemic_front::answers::Method;
use mnemic_front::contract::{
    BatchSearchMemoriesRequest, BatchSearchMemoriesResponse, Comparison, Filter, MetadataValue,
    Scope, SearchMemoriesRequest, SearchMemoriesResponse, SignalWeights, filter::Node,
    metadata_value::Kind,
};
use mnemic_retrieval::partition::{Memory, Row, ScopeIds};
use prost_types::{FieldMask, Timestamp};

use crate::support::{by_vector, by_words, key, memory, native, restricted, text};

#[test]
fn a_search_is_answered_with_lean_hits() {
    let response = native().search(&by_vector()).unwrap();
    assert_eq!((response.revision, response.considered), (7, 2));
    assert!(response.timings.is_some());
    let hit = &response.hits[0];
    assert_eq!(hit.memory_id, "01234567-89ab-cdef-0123-456789abcdef");
    assert_eq!(
        (hit.body.as_str(), hit.kind, hit.version),
        ("a banana", 1, 1)
    );
    assert_eq!(hit.event_time_micros, Some(-1));
    assert!((hit.score - 1.0).abs() < 1e-6);
    assert!(hit.score_parts.is_none() && hit.scope.is_none() && hit.metadata.is_empty());
}

#[test]
fn the_optional_parts_come_when_asked_for() {
    let native = native();
    let paths = ["scope", "metadata", "validity"]
        .map(str::to_owned)
        .to_vec();
    let request = SearchMemoriesRequest {
        explain: true,
        read_mask: Some(FieldMask { paths }),
        ..by_words()
    };
    let response = native.search(&request).unwrap();
    let hit = &response.hits[0];
    assert_eq!(hit.scope.as_ref().unwrap().user_id, text("u"));
    assert_eq!(hit.metadata["k"].kind, Some(Kind::IntegerValue(0)));
    assert!(matches!(&hit.metadata["l"].kind, Some(Kind::StringList(list)) if list.values == [""]));
    assert_eq!(
        (hit.valid_from_micros, hit.valid_to_micros),
        (Some(0), None)
    );
    let parts = hit.score_parts.as_ref().unwrap();
    assert_eq!(parts.lexical.as_ref().unwrap().rank, 1);
    assert!(parts.vector.is_none());
}

/// What makes a search another one, in words.
type Change = (&'static str, fn(&mut SearchMemoriesRequest));

/// Searches that differ from an answered one in one thing.
fn assert_relayed<const N: usize>(changed: [Change; N]) {
    let native = native();
    assert!(native.search(&by_words()).is_some());
    for (what, change) in changed {
        let mut request = by_words();
        change(&mut request);
        assert!(native.search(&request).is_none(), "{what}");
    }
}

fn scope_of(user_id: &str) -> Option<Scope> {
    Some(Scope {
        user_id: text(user_id),
        ..Scope::default()
    })
}

#[test]
fn scopes_that_python_might_refuse_or_has_to_load_are_relayed() {
    assert_relayed([
        ("no scope", |request| request.scope = None),
        ("an empty id", |request| request.scope = scope_of("")),
        ("a padded id", |request| request.scope = scope_of("u ")),
        ("a long id", |request| {
            request.scope = scope_of(&"u".repeat(257));
        }),
        ("the whole tenant", |request| request.r#match = 3),
        ("an unknown match", |request| request.r#match = -1),
        ("a stranger", |request| request.scope = scope_of("v")),
    ]);
}

#[test]
fn values_that_python_might_refuse_are_relayed() {
    assert_relayed([
        ("nothing asked", |request| {
            request.query = " \x1c".to_owned();
        }),
        ("a long query", |request| request.query = "a".repeat(101)),
        ("a NUL", |request| request.query = "a\0".to_owned()),
        ("no hits", |request| request.top_k = Some(0)),
        ("too many hits", |request| request.top_k = Some(1001)),
        ("negative hits", |request| request.top_k = Some(-1)),
        ("a score above 1", |request| request.min_score = Some(1.1)),
        ("a score that is none", |request| {
            request.min_score = Some(f32::NAN);
        }),
        ("a revision to come", |request| request.min_revision = 8),
        ("a negative revision", |request| request.min_revision = -1),
        ("a short vector", |request| {
            request.vector = vec![0; 12].into();
        }),
        ("a vector of zeros", |request| {
            request.vector = vec![0; 16].into();
        }),
        ("a time out of range", |request| {
            request.as_of = Some(Timestamp {
                seconds: i64::MAX,
                nanos: 0,
            });
        }),
        ("weights of 0", |request| {
            request.weights = Some(SignalWeights {
                lexical: Some(0.0),
                ..SignalWeights::default()
            });
        }),
    ]);
}

#[test]
fn what_is_not_known_here_is_relayed() {
    assert_relayed([
        ("a text without model", |request| request.profile.clear()),
        ("an unknown profile", |request| {
            request.profile = "new".to_owned();
        }),
        ("an unknown part", |request| {
            let paths = vec!["body".to_owned()];
            request.read_mask = Some(FieldMask { paths });
        }),
        ("a reranker", |request| request.rerank = true),
        ("too many neighbours", |request| request.context_window = 11),
        ("a present that is no time", |request| {
            let nanos = -1;
            request.reference_time = Some(Timestamp { seconds: 0, nanos });
        }),
    ]);
}

fn comparison(field: &str, operator: i32) -> Option<Filter> {
    let value = MetadataValue {
        kind: Some(Kind::StringValue("a".to_owned())),
    };
    let comparison = Comparison {
        field: field.to_owned(),
        operator,
        values: vec![value],
    };
    Some(Filter {
        node: Some(Node::Comparison(comparison)),
    })
}

#[test]
fn filters_that_python_might_refuse_are_relayed() {
    assert_relayed([
        ("an empty filter", |request| {
            request.filter = Some(Filter::default());
        }),
        ("an unknown field", |request| {
            request.filter = comparison("colour", 1);
        }),
        ("no operator", |request| {
            request.filter = comparison("kind", 0);
        }),
        ("too deep", |request| {
            request.filter = comparison("kind", 1);
            for _ in 0..8 {
                let inner = request.filter.take().map(Box::new);
                request.filter = Some(Filter {
                    node: inner.map(Node::Negation),
                });
            }
        }),
    ]);
}

#[test]
fn bytes_that_are_no_message_are_relayed() {
    let native = native();
    for method in [
        Method::Search,
        Method::BatchSearch,
        Method::Get,
        Method::BatchGet,
    ] {
        for bytes in [&b"\xff"[..], b"\x0a\x05a", b"", b"\x1a\x01\xff"] {
            assert!(
                native
                    .answers
                    .answer_here(method, &native.anyone, bytes)
                    .is_none()
            );
        }
    }
}

#[test]
fn a_batch_is_answered_whole_or_not_at_all() {
    let native = native();
    let batch = |searches: Vec<SearchMemoriesRequest>| {
        native.ask::<BatchSearchMemoriesResponse>(
            Method::BatchSearch,
            &BatchSearchMemoriesRequest { searches },
        )
    };
    let results = batch(vec![by_words(), by_vector()]).unwrap().results;
    let hits: Vec<usize> = results.iter().map(|result| result.hits.len()).collect();
    assert_eq!(hits, [1, 2]);
    let stranger = SearchMemoriesRequest {
        scope: Some(Scope {
            app_id: text("x"),
            ..Scope::default()
        }),
        ..by_words()
    };
    assert!(batch(vec![by_words(), stranger]).is_none());
    assert!(batch(Vec::new()).is_none());
    assert!(batch(vec![by_words(); 4]).is_none());
}

#[test]
fn absent_owners_are_no_reason_to_relay_once_they_are_known() {
    let native = native();
    let mut request = by_words();
    request.scope.as_mut().unwrap().session_id = text("s");
    assert!(native.search(&request).is_none());
    native.index.note_empty(&key(4, "s"));
    assert_eq!(native.search(&request).unwrap().hits.len(), 1);
    native.index.forget_empty(&key(4, "s"));
    assert!(native.search(&request).is_none());
}

#[test]
fn a_restricted_credential_sees_what_carries_its_ids() {
    let native = native();
    let hits = |restriction: Restriction| {
        let found: Option<SearchMemoriesResponse> =
            native.ask_as(&restricted(restriction), Method::Search, &by_words());
        found.map(|response| (response.hits.len(), response.considered))
    };
    let user = |id: &str| Restriction {
        user_id: text(id),
        ..Restriction::default()
    };
    assert_eq!(hits(user("u")), Some((1, 2)));
    assert_eq!(hits(user("v")), None);
    let session = Restriction {
        session_id: text("s"),
        ..Restriction::default()
    };
    assert_eq!(hits(session), None, "the search does not name the session");
}

#[test]
fn a_restricted_credential_sees_no_others_of_a_shared_session() {
    let native = native();
    let shared = Memory {
        scope: ScopeIds {
            session_id: text("s"),
            ..ScopeIds::default()
        },
        ..memory(2, "the banana of a session")
    };
    let row: Row<Vec<u8>> = Row {
        memory: shared,
        vector: None,
    };
    native.index.apply(&key(4, "s"), &[row], &[]).unwrap();
    native.index.set_resident(&key(4, "s"));
    let mut request = by_words();
    request.scope.as_mut().unwrap().session_id = text("s");
    assert_eq!(native.search(&request).unwrap().hits.len(), 2);
    let user = restricted(Restriction {
        user_id: text("u"),
        ..Restriction::default()
    });
    let found: SearchMemoriesResponse = native.ask_as(&user, Method::Search, &request).unwrap();
    assert_eq!((found.hits.len(), found.considered), (1, 2));
}
