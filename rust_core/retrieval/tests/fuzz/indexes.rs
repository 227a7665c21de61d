//! Whatever memories hold and queries ask, a search answers.

use mnemic_retrieval::vector::SimdPath;
use mnemic_retrieval::{Close, Index, Memory, Row, SearchRequest};
use proptest::prelude::*;

use crate::common::{NOW, bytes, partition, search};
use crate::records::{integers, memories};
use crate::strategies::texts;

proptest! {
    #[test]
    fn any_memories_are_taken_and_any_query_is_answered(
        memories in prop::collection::vec(memories(), 1..8),
        element in any::<f32>(),
        query in texts(),
        close in prop::option::of(integers()),
        as_of in prop::option::of(integers()),
        include_superseded in any::<bool>(),
    ) {
        let index = Index::new(1, SimdPath::best()).expect("a valid dimension");
        let key = [partition("u")];
        let scope = memories[0].scope.clone();
        let closes = [Close {
            memory_id: memories[0].memory_id,
            version: memories[0].version,
            valid_to_micros: close,
        }];
        let vector = bytes(&[element]);
        let row = |memory: &Memory| Row { memory: memory.clone(), vector: Some(vector.clone()) };
        let rows: Vec<_> = memories.iter().map(row).collect();
        if let Err(error) = index.apply(&key[0], &rows, &closes) {
            prop_assert_eq!(error.reason(), "VECTOR_NOT_FINITE");
            prop_assert!(!element.is_finite() || element == 0.0 || !element.is_normal(), "{}", element);
            prop_assert_eq!(index.stats().rows, 0);
            return Ok(());
        }
        for (text, now_micros) in [(query.as_str(), NOW), (memories[0].body.as_str(), i64::MAX), ("", i64::MIN)] {
            let request = SearchRequest {
                text,
                vector: Some(&vector),
                now_micros,
reference_micros: None,
                as_of_micros: as_of,
                include_superseded,
                ..search(&key, &scope)
            };
            let outcome = index.search(&request).expect("a valid request");
            prop_assert!(outcome.hits.len() as u64 <= outcome.considered);
            for hit in &outcome.hits {
                prop_assert!((0.0..=1.0).contains(&hit.score), "{}", hit.score);
            }
        }
    }
}
