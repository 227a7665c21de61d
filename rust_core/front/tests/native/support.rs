//! An index with two memories, and requests about them.

use std::sync::Arc;

use mnemic_access::{ApiKey, Authenticator, Principal, Restriction, Role, Rules, hash_secret};
use mnemic_embedding::QueryEmbedder;
use mnemic_front::answers::{Answered, Framed, Method};
use mnemic_front::contract::{Scope, SearchMemoriesRequest, SearchMemoriesResponse};
use mnemic_front::native::{NativeAnswers, Profile, Settings};
use mnemic_retrieval::Index;
use mnemic_retrieval::index::DEFAULT_CANDIDATES;
use mnemic_retrieval::partition::{self, Memory, PartitionKey, Row, ScopeIds};
use mnemic_retrieval::vector::SimdPath;
use prost::Message;

pub(crate) const DIMENSION: usize = 4;
pub(crate) const ID: u128 = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;

pub(crate) struct Native {
    pub(crate) index: Arc<Index>,
    pub(crate) answers: NativeAnswers,
    pub(crate) anyone: Arc<Principal>,
}

pub(crate) fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

pub(crate) fn vector(values: [f32; DIMENSION]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

pub(crate) fn key(owner_kind: u8, owner_id: &str) -> PartitionKey {
    PartitionKey {
        tenant: "default".to_owned(),
        owner_kind,
        owner_id: owner_id.to_owned(),
    }
}

pub(crate) fn memory(number: u128, body: &str) -> Memory {
    Memory {
        memory_id: ID + number,
        version: 1,
        revision: 7,
        kind: 1,
        body: body.to_owned(),
        scope: ScopeIds {
            user_id: text("u"),
            ..ScopeIds::default()
        },
        event_time_micros: Some(-1),
        metadata: vec![
            ("k".to_owned(), partition::MetadataValue::Integer(0)),
            (
                "l".to_owned(),
                partition::MetadataValue::Texts(vec![String::new()]),
            ),
        ],
        confidence: 1.0,
        ..Memory::default()
    }
}

pub(crate) fn native() -> Native {
    native_with(None)
}

pub(crate) fn native_with(embedder: Option<Arc<QueryEmbedder>>) -> Native {
    let index = Arc::new(Index::new(DIMENSION, SimdPath::best()).unwrap());
    let rows = [
        Row {
            memory: memory(0, "a banana"),
            vector: Some(vector([1.0, 0.0, 0.0, 0.0])),
        },
        Row {
            memory: memory(1, "an apple"),
            vector: Some(vector([0.0, 1.0, 0.0, 0.0])),
        },
    ];
    index.apply(&key(1, "u"), &rows, &[]).unwrap();
    index.set_resident(&key(1, "u"));
    index.set_revision(7);
    let profiles = [
        ("balanced", [0.5, 0.5, 0.1, 0.0, 0.0, 0.0, 0.0]),
        ("lexical", [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
    ];
    let settings = Settings {
        profiles: profiles
            .map(|(name, weights)| {
                (
                    name.to_owned(),
                    Profile {
                        weights,
                        candidates: DEFAULT_CANDIDATES,
                    },
                )
            })
            .into(),
        default_profile: "balanced".to_owned(),
        calibration: None,
        default_top_k: 10,
        most_top_k: 1000,
        query_bytes: 100,
        id_bytes: 256,
        searches_per_batch: 3,
        ids_per_batch: 3,
    };
    Native {
        answers: NativeAnswers::new(Arc::clone(&index), settings, embedder),
        anyone: Authenticator::open().authenticate(None, 0).unwrap(),
        index,
    }
}

pub(crate) fn restricted(scope: Restriction) -> Arc<Principal> {
    let secret = format!("mnk_{}", "a".repeat(43));
    let authenticator = Authenticator::new(Rules {
        keys: true,
        ..Rules::default()
    });
    authenticator.insert_key(ApiKey {
        key_id: "key".to_owned(),
        hash: hash_secret(secret.as_bytes()),
        tenant: "default".to_owned(),
        role: Role::Read,
        scope,
        expire_micros: None,
        requests_per_second: None,
        request_burst: None,
    });
    let header = format!("Bearer {secret}");
    authenticator
        .authenticate(Some(header.as_bytes()), 0)
        .unwrap()
}

/// The message of an answer that is one.
pub(crate) fn message<R: Message + Default>(answered: Answered) -> R {
    let bytes = answered.unwrap().unwrap().into_bytes();
    let length = u32::from_be_bytes(bytes[1..5].try_into().unwrap()) as usize;
    assert_eq!((bytes[0], length), (0, bytes.len() - Framed::ROOM));
    R::decode(&bytes[Framed::ROOM..]).unwrap()
}

impl Native {
    pub(crate) fn ask<R: Message + Default>(
        &self,
        method: Method,
        request: &impl Message,
    ) -> Option<R> {
        self.ask_as(&self.anyone, method, request)
    }

    pub(crate) fn ask_as<R: Message + Default>(
        &self,
        principal: &Arc<Principal>,
        method: Method,
        request: &impl Message,
    ) -> Option<R> {
        let answer = self
            .answers
            .answer_here(method, principal, &request.encode_to_vec());
        answer.is_some().then(|| message(answer))
    }

    pub(crate) fn search(&self, request: &SearchMemoriesRequest) -> Option<SearchMemoriesResponse> {
        self.ask(Method::Search, request)
    }
}

pub(crate) fn by_words() -> SearchMemoriesRequest {
    SearchMemoriesRequest {
        scope: Some(Scope {
            user_id: text("u"),
            ..Scope::default()
        }),
        query: "banana".to_owned(),
        profile: "lexical".to_owned(),
        ..SearchMemoriesRequest::default()
    }
}

pub(crate) fn by_vector() -> SearchMemoriesRequest {
    SearchMemoriesRequest {
        query: String::new(),
        profile: String::new(),
        vector: vector([2.0, 0.0, 0.0, 0.0]).into(),
        ..by_words()
    }
}
