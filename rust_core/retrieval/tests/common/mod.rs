//! Memories and requests with what a test does not care about filled in.

use mnemic_retrieval::fusion::Weights;
use mnemic_retrieval::index::DEFAULT_CANDIDATES;
use mnemic_retrieval::{Memory, PartitionKey, ScopeIds, ScopeMatch, SearchRequest};

pub(crate) const NOW: i64 = 1_000_000;

/// A message of user `u`, written at 1.
pub(crate) fn message(id: u128, body: &str) -> Memory {
    Memory {
        memory_id: id,
        scope: user("u"),
        kind: 1,
        body: body.to_owned(),
        create_time_micros: 1,
        update_time_micros: 1,
        valid_from_micros: 1,
        confidence: 1.0,
        importance: 0.5,
        trust: 2,
        version: 1,
        ..Memory::default()
    }
}

pub(crate) fn user(id: &str) -> ScopeIds {
    ScopeIds {
        user_id: Some(id.to_owned()),
        ..ScopeIds::default()
    }
}

pub(crate) fn partition(owner: &str) -> PartitionKey {
    PartitionKey {
        tenant: "tenant".to_owned(),
        owner_kind: 1,
        owner_id: owner.to_owned(),
    }
}

pub(crate) fn bytes(vector: &[f32]) -> Vec<u8> {
    vector
        .iter()
        .flat_map(|element| element.to_le_bytes())
        .collect()
}

/// A search of everything in the partitions, at [`NOW`], with equal weights; what repeats itself is not put together.
pub(crate) fn search<'a>(partitions: &'a [PartitionKey], scope: &'a ScopeIds) -> SearchRequest<'a> {
    SearchRequest {
        partitions,
        scope,
        scope_match: ScopeMatch::Visible,
        text: "",
        understood: None,
        vector: None,
        filter: None,
        now_micros: NOW,
        reference_micros: None,
        as_of_micros: None,
        include_superseded: false,
        top_k: 10,
        weights: Weights::new([1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]).expect("valid weights"),
        min_score: 0.0,
        explain: false,
        candidates: DEFAULT_CANDIDATES,
        separate: true,
        calibration: None,
        min_confidence: 0.0,
        context_window: 0,
    }
}
