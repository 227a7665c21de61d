//! A search finds the rows that scope, time and filter let through, in partitions of several segments, whichever way it
//! goes to find them: by their scope, by columns, or one by one.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{NOW, bytes, message, partition, search};
use mnemic_retrieval::filter::Filter;
use mnemic_retrieval::fusion::Weights;
use mnemic_retrieval::partition::MetadataValue;
use mnemic_retrieval::vector::SimdPath;
use mnemic_retrieval::{Close, Index, Memory, Row, ScopeIds, ScopeMatch, SearchRequest};
use proptest::prelude::*;

/// Enough for every size of segment below the largest, and sometimes for that.
const MOST_ROWS: usize = 6_000;
const BATCH: usize = 500;

/// Pseudo-random numbers (xorshift): proptest gives the seed and not thousands of values.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % end
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    /// The smaller the likelier, so that some scopes have most of the rows and some have few.
    fn skewed(&mut self, end: u64) -> u64 {
        let most = self.below(end) + 1;
        self.below(most)
    }
}

/// What the rows of one partition are like.
#[derive(Clone, Copy, Debug)]
struct Shape {
    seed: u64,
    rows: usize,
    sessions: u64,
    expiring: bool,
    planned_ends: bool,
    without_vectors: bool,
}

/// The index beside a list of the rows that were not deleted.
struct World {
    index: Index,
    rows: BTreeMap<u128, Held>,
}

struct Held {
    memory: Memory,
    closed: Option<i64>,
    has_vector: bool,
}

impl World {
    fn new(shape: Shape) -> Self {
        let index = Index::new(3, SimdPath::best()).expect("a valid dimension");
        let mut numbers = Numbers(shape.seed | 1);
        let mut world = Self {
            index,
            rows: BTreeMap::new(),
        };
        for start in (0..shape.rows).step_by(BATCH) {
            let ids = start as u128..shape.rows.min(start + BATCH) as u128;
            let rows: Vec<Row<Vec<u8>>> = ids.map(|id| row(id, shape, &mut numbers)).collect();
            let mut closes = Vec::new();
            for row in &rows {
                let held = Held {
                    memory: row.memory.clone(),
                    closed: None,
                    has_vector: row.vector.is_some(),
                };
                world.rows.insert(row.memory.memory_id, held);
            }
            for _ in 0..numbers.below(60) {
                let memory_id = u128::from(numbers.below((start + rows.len()) as u64));
                let valid_to_micros = (!numbers.one_in(2)).then_some(NOW / 2);
                closes.push(Close {
                    memory_id,
                    version: 1,
                    valid_to_micros,
                });
            }
            let key = partition("u");
            world.index.apply(&key, &rows, &closes).expect("valid rows");
            for close in closes {
                if close.valid_to_micros.is_none() {
                    world.rows.remove(&close.memory_id);
                } else if let Some(held) = world.rows.get_mut(&close.memory_id) {
                    held.closed = close.valid_to_micros;
                }
            }
        }
        world
    }

    /// The definition: every row is looked at.
    fn selected(&self, question: &Question) -> BTreeSet<u128> {
        let at = question.as_of.unwrap_or(NOW);
        let holds = |held: &Held| {
            let memory = &held.memory;
            let has_begun = question
                .as_of
                .is_none_or(|at| memory.valid_from_micros <= at);
            let is_closed = held.closed.is_some() && question.as_of.is_none();
            let end = held.closed.or(memory.valid_to_micros);
            has_begun
                && (question.include_superseded || !is_closed && end.is_none_or(|end| at < end))
                && memory.expire_time_micros.is_none_or(|expire| at < expire)
                && question.scope.selects(&memory.scope, question.scope_match)
                && question
                    .filter
                    .as_ref()
                    .is_none_or(|filter| filter.matches(memory))
        };
        let selected = self.rows.iter().filter(|(_, held)| holds(held));
        selected.map(|(id, _)| *id).collect()
    }
}

fn row(id: u128, shape: Shape, numbers: &mut Numbers) -> Row<Vec<u8>> {
    let id_of = |kind: &str, number: u64| Some(format!("{kind}{number}"));
    let scope = ScopeIds {
        user_id: Some("u".to_owned()),
        agent_id: numbers.one_in(3).then(|| "a".to_owned()),
        session_id: match numbers.skewed(shape.sessions + 1) {
            0 => None,
            session => id_of("s", session),
        },
        app_id: None,
    };
    let memory = Memory {
        scope,
        kind: 1 + numbers.skewed(4) as u8,
        valid_from_micros: numbers.below(2 * NOW as u64) as i64,
        valid_to_micros: (shape.planned_ends && numbers.one_in(5))
            .then(|| numbers.below(2 * NOW as u64) as i64),
        expire_time_micros: (shape.expiring && numbers.one_in(5))
            .then(|| numbers.below(2 * NOW as u64) as i64),
        metadata: metadata(numbers),
        categories: (0..numbers.below(3))
            .map(|_| format!("c{}", numbers.skewed(40)))
            .collect(),
        create_time_micros: numbers.below(2 * NOW as u64) as i64,
        event_time_micros: numbers
            .one_in(2)
            .then(|| numbers.below(2 * NOW as u64) as i64),
        ..message(id, "a tulip")
    };
    let has_vector = !shape.without_vectors || !numbers.one_in(4);
    let element = |number: u64| number as f32 - 20.5;
    let vector = [(); 3].map(|()| element(numbers.below(40)));
    Row {
        memory,
        vector: has_vector.then(|| bytes(&vector)),
    }
}

fn metadata(numbers: &mut Numbers) -> Vec<(String, MetadataValue)> {
    let number = numbers.skewed(40) as i64;
    let number = if numbers.one_in(3) {
        MetadataValue::Float(number as f64 / 2.0)
    } else {
        MetadataValue::Integer(number)
    };
    let tags = ["x", "y", "z"].map(str::to_owned);
    let some = numbers.below(4) as usize;
    let mut metadata = vec![("n".to_owned(), number)];
    if some > 0 {
        metadata.push((
            "tags".to_owned(),
            MetadataValue::Texts(tags[..some].to_vec()),
        ));
    }
    metadata
}

#[derive(Debug)]
struct Question {
    scope: ScopeIds,
    scope_match: ScopeMatch,
    filter: Option<Filter>,
    as_of: Option<i64>,
    include_superseded: bool,
}

fn shapes() -> impl Strategy<Value = Shape> {
    (
        any::<u64>(),
        1..MOST_ROWS,
        prop::sample::select(vec![0, 1, 5, 200]),
        any::<[bool; 3]>(),
    )
        .prop_map(
            |(seed, rows, sessions, [expiring, planned_ends, without_vectors])| Shape {
                seed,
                rows,
                sessions,
                expiring,
                planned_ends,
                without_vectors,
            },
        )
}

/// Comparisons of every sort that is looked up, and of some that are not, nested.
fn filters() -> impl Strategy<Value = Filter> {
    let number = 0..40_i64;
    let comparison =
        prop_oneof![
            (prop::sample::select(vec![1, 2, 3, 6]), number.clone()).prop_map(
                |(operator, number)| ("metadata.n", operator, vec![MetadataValue::Integer(number)])
            ),
            number.clone().prop_map(|number| (
                "metadata.n",
                1,
                vec![MetadataValue::Float(number as f64 / 2.0)]
            )),
            prop::collection::vec(number.clone(), 1..4).prop_map(|numbers| {
                (
                    "metadata.n",
                    7,
                    numbers.into_iter().map(MetadataValue::Integer).collect(),
                )
            }),
            prop::sample::select(vec!["x", "y", "z"]).prop_map(|text| (
                "metadata.tags",
                1,
                vec![MetadataValue::Text(text.to_owned())]
            )),
            Just((
                "metadata.tags",
                1,
                vec![MetadataValue::Texts(vec!["x".to_owned(), "y".to_owned()])]
            )),
            Just(("metadata.tags", 11, Vec::new())),
            (1..3_i64).prop_map(|operator| (
                "kind",
                operator,
                vec![MetadataValue::Text("fact".to_owned())]
            )),
            number.clone().prop_map(|number| (
                "category",
                1,
                vec![MetadataValue::Text(format!("c{number}"))]
            )),
            number.prop_map(|number| (
                "session_id",
                1,
                vec![MetadataValue::Text(format!("s{number}"))]
            )),
            (
                3..7_i64,
                prop::sample::select(vec!["create_time", "event_time"]),
                0..2 * NOW
            )
                .prop_map(|(operator, field, time)| (
                    field,
                    operator,
                    vec![MetadataValue::Integer(time)]
                )),
        ];
    let filter = comparison.prop_map(|(field, operator, values)| {
        Filter::comparison(field, operator, values).expect("a valid filter")
    });
    filter.prop_recursive(3, 12, 3, |inner| {
        let some = prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            some.clone()
                .prop_map(|filters| Filter::all_of(filters).expect("small enough")),
            some.prop_map(|filters| Filter::any_of(filters).expect("small enough")),
            inner.prop_map(|filter| Filter::negation(filter).expect("small enough")),
        ]
    })
}

fn questions() -> impl Strategy<Value = Question> {
    let scope = (
        prop::sample::select(vec![None, Some("u"), Some("other")]),
        prop::sample::select(vec![None, Some("a")]),
        prop::option::of(0..30_u32),
    )
        .prop_map(|(user, agent, session)| ScopeIds {
            user_id: user.map(str::to_owned),
            agent_id: agent.map(str::to_owned),
            session_id: session.map(|session| format!("s{session}")),
            app_id: None,
        });
    let matches = vec![ScopeMatch::Visible, ScopeMatch::Exact, ScopeMatch::Tenant];
    let filter = prop::option::of(filters());
    let as_of = prop::option::weighted(0.3, 0..2 * NOW);
    let superseded = prop::bool::weighted(0.3);
    (
        scope,
        prop::sample::select(matches),
        filter,
        as_of,
        superseded,
    )
        .prop_map(
            |(scope, scope_match, filter, as_of, include_superseded)| Question {
                scope,
                scope_match,
                filter,
                as_of,
                include_superseded,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_searched_is_what_the_definition_selects(
        shape in shapes(),
        questions in prop::collection::vec(questions(), 1..12),
    ) {
        let world = World::new(shape);
        let keys = [partition("u")];
        for question in &questions {
            let selected = world.selected(question);
            for (text, weights) in [("", [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]), ("tulip", [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0])] {
                let vector = bytes(&[1.0, -2.0, 3.0]);
                let request = SearchRequest {
                    scope_match: question.scope_match,
                    text,
                    vector: text.is_empty().then_some(vector.as_slice()),
                    filter: question.filter.as_ref(),
                    as_of_micros: question.as_of,
                    include_superseded: question.include_superseded,
                    top_k: 1_000,
                    weights: Weights::new(weights).expect("valid weights"),
                    ..search(&keys, &question.scope)
                };
                let outcome = world.index.search(&request).expect("a valid request");
                prop_assert_eq!(outcome.considered, selected.len() as u64, "{:?}", question);
                let found: BTreeSet<u128> = outcome.hits.iter().map(|hit| hit.record.memory_id()).collect();
                let findable = selected.iter().filter(|id| !text.is_empty() || world.rows[*id].has_vector);
                let findable: BTreeSet<u128> = findable.copied().collect();
                prop_assert!(found.is_subset(&findable), "{:?}", question);
                // Words that every row has are worth something still; nothing is left out but for the number asked for.
                prop_assert_eq!(found.len(), findable.len().min(1_000), "{:?}", question);
            }
        }
    }
}
