use mnemic_front::answers::Method;
use mnemic_front::contract::{
    BatchGetMemoriesRequest, GetMemoryRequest, GetMemoryResponse, Memory, Scope,
};
use mnemic_retrieval::partition::{self, Close, Row};
use prost::Message;
use prost_types::Timestamp;

use crate::support::{ID, by_words, key, native, text};

#[test]
fn a_memory_that_was_found_is_read_by_its_id_until_it_changes_where_the_index_does_not_know() {
    let native = native();
    let request = GetMemoryRequest {
        memory_id: partition::format_memory_id(ID),
        ..GetMemoryRequest::default()
    };
    let read = || native.ask::<GetMemoryResponse>(Method::Get, &request);
    assert!(read().is_none(), "nobody has shown where it is");
    native.search(&by_words()).unwrap();
    let memory = read().unwrap().memory.unwrap();
    assert_eq!(
        (memory.body.as_str(), memory.revision, memory.version),
        ("a banana", 7, 1)
    );
    let before_1970 = Timestamp {
        seconds: -1,
        nanos: 999_999_000,
    };
    assert_eq!(memory.event_time, Some(before_1970));
    assert_eq!(memory.create_time, Some(Timestamp::default()));
    let both: Option<prost_types::Any> = native.ask(
        Method::BatchGet,
        &BatchGetMemoriesRequest {
            memory_ids: vec![
                partition::format_memory_id(ID),
                partition::format_memory_id(ID + 9),
            ],
            ..BatchGetMemoriesRequest::default()
        },
    );
    assert!(both.is_none(), "the second is not known");
    let end = Close {
        memory_id: ID,
        version: 1,
        valid_to_micros: Some(5),
    };
    let none: [Row<Vec<u8>>; 0] = [];
    native.index.apply(&key(1, "u"), &none, &[end]).unwrap();
    assert!(read().is_none(), "the store knows what superseded it");
}

#[test]
fn relayed_answers_teach_where_memories_are() {
    let native = native();
    let memory = Memory {
        memory_id: partition::format_memory_id(ID),
        scope: Some(Scope {
            user_id: text("u"),
            session_id: text("s"),
            ..Scope::default()
        }),
        ..Memory::default()
    };
    let response = GetMemoryResponse {
        memory: Some(memory),
    };
    native
        .answers
        .learn_from(Method::Get, &native.anyone, &response.encode_to_vec());
    let request = GetMemoryRequest {
        memory_id: partition::format_memory_id(ID),
        ..GetMemoryRequest::default()
    };
    assert!(
        native
            .ask::<GetMemoryResponse>(Method::Get, &request)
            .is_some()
    );
}
