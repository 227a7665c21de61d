//! What a native answer costs beyond the search itself: `cargo bench -p mnemic-front --bench native`.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use mnemic_access::Authenticator;
use mnemic_front::answers::{Answer, Answers, Method};
use mnemic_front::contract::{GetMemoryRequest, Scope, SearchMemoriesRequest};
use mnemic_front::native::{NativeAnswers, Profile, Settings};
use mnemic_retrieval::fusion::{SIGNALS, Weights};
use mnemic_retrieval::index::DEFAULT_CANDIDATES;
use mnemic_retrieval::partition::{
    Memory, PartitionKey, Row, ScopeIds, ScopeMatch, format_memory_id,
};
use mnemic_retrieval::vector::SimdPath;
use mnemic_retrieval::{Index, SearchRequest};
use prost::Message;

const DIMENSION: usize = 384;
const ROWS: u128 = 10_000;
const WEIGHTS: [f64; SIGNALS] = [0.5, 0.5, 0.1, 0.0, 0.0, 0.0, 0.0];

/// Numbers without pattern, the same in every run (`SplitMix64`).
struct Chance(u64);

impl Chance {
    fn vector(&mut self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(4 * DIMENSION);
        for _ in 0..DIMENSION {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let value = (mixed >> 40) as f32 / (1 << 23) as f32 - 1.0;
            bytes.extend(value.to_le_bytes());
        }
        bytes
    }
}

fn scope() -> ScopeIds {
    ScopeIds {
        user_id: Some("somebody".to_owned()),
        ..ScopeIds::default()
    }
}

fn key(owner_kind: u8, owner_id: &str) -> PartitionKey {
    PartitionKey {
        tenant: "default".to_owned(),
        owner_kind,
        owner_id: owner_id.to_owned(),
    }
}

fn filled(chance: &mut Chance) -> Arc<Index> {
    let index = Index::new(DIMENSION, SimdPath::best()).expect("a valid dimension");
    let row = |number| Row {
        memory: Memory {
            memory_id: 0x0190_0000_0000_7000_8000_0000_0000_0000 + number,
            version: 1,
            body: format!(
                "memory {number}: what somebody said one day about something that matters to them"
            ),
            scope: scope(),
            ..Memory::default()
        },
        vector: Some(chance.vector()),
    };
    let rows: Vec<_> = (0..ROWS).map(row).collect();
    index.load(&key(1, "somebody"), &rows).expect("loaded");
    index.set_resident(&key(1, "somebody"));
    index.note_empty(&key(4, "a session"));
    Arc::new(index)
}

fn answers(index: &Arc<Index>) -> NativeAnswers {
    let settings = Settings {
        profiles: [(
            "balanced".to_owned(),
            Profile {
                weights: WEIGHTS,
                candidates: DEFAULT_CANDIDATES,
            },
        )]
        .into(),
        default_profile: "balanced".to_owned(),
        calibration: None,
        default_top_k: 10,
        most_top_k: 1000,
        query_bytes: 8192,
        id_bytes: 256,
        searches_per_batch: 100,
        ids_per_batch: 1000,
    };
    NativeAnswers::new(Arc::clone(index), settings, None)
}

fn native(criterion: &mut Criterion) {
    let mut chance = Chance(1);
    let index = filled(&mut chance);
    let (answers, vector) = (answers(&index), chance.vector());
    let principal = Authenticator::open().authenticate(None, 0).expect("open");
    let answer =
        |method, request: &Bytes| match answers.answer(method, &principal, request.clone(), None) {
            Answer::Now(Some(Ok(framed))) => framed.into_bytes().len(),
            _ => panic!("it is answered natively and at once"),
        };

    let partitions = [key(1, "somebody")];
    let request = SearchRequest {
        partitions: &partitions,
        scope: &scope(),
        scope_match: ScopeMatch::Visible,
        text: "",
        understood: None,
        vector: Some(&vector),
        filter: None,
        now_micros: 0,
        reference_micros: None,
        as_of_micros: None,
        include_superseded: false,
        top_k: 10,
        weights: Weights::new(WEIGHTS).expect("valid weights"),
        min_score: 0.0,
        explain: false,
        candidates: DEFAULT_CANDIDATES,
        separate: false,
        calibration: None,
        min_confidence: 0.0,
        context_window: 0,
    };
    criterion.bench_function("search of the index, 10k rows", |bencher| {
        bencher.iter(|| {
            index
                .search(black_box(&request))
                .expect("a search")
                .hits
                .len()
        });
    });

    let asked = |session_id: Option<&str>| {
        let message = SearchMemoriesRequest {
            scope: Some(Scope {
                user_id: Some("somebody".to_owned()),
                session_id: session_id.map(str::to_owned),
                ..Scope::default()
            }),
            vector: vector.clone().into(),
            ..SearchMemoriesRequest::default()
        };
        Bytes::from(message.encode_to_vec())
    };
    let (of_user, of_session) = (asked(None), asked(Some("a session")));
    criterion.bench_function("search answered natively, 10k rows", |bencher| {
        bencher.iter(|| answer(Method::Search, black_box(&of_user)));
    });
    index.recalls().turn(true);
    criterion.bench_function("the same, with its recalls counted", |bencher| {
        bencher.iter(|| answer(Method::Search, black_box(&of_user)));
    });
    index.recalls().turn(false);
    let outcome = index.search(&request).expect("a search");
    index.recalls().turn(true);
    criterion.bench_function("the recalls of ten hits noted", |bencher| {
        let mut noted = 0;
        bencher.iter(|| {
            index.recalls().note_outcome(black_box(&outcome));
            noted += 1;
            // As its taker does, before the buffers are full.
            if noted % 500 == 0 {
                index.recalls().take();
            }
        });
    });
    index.recalls().turn(false);
    criterion.bench_function("the same with a session that has no memories", |bencher| {
        bencher.iter(|| answer(Method::Search, black_box(&of_session)));
    });

    let found = index.search(&request).expect("a search").hits[0]
        .record
        .memory_id();
    let message = GetMemoryRequest {
        memory_id: format_memory_id(found),
        ..GetMemoryRequest::default()
    };
    let of_memory = Bytes::from(message.encode_to_vec());
    criterion.bench_function("memory by its id, answered natively", |bencher| {
        bencher.iter(|| answer(Method::Get, black_box(&of_memory)));
    });
}

criterion_group!(benches, native);
criterion_main!(benches);
