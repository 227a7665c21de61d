//! Filters of any shape: refused with the part that is wrong, or evaluated.

use mnemic_retrieval::Error;
use mnemic_retrieval::filter::{Filter, MAX_COMPARISONS, MAX_DEPTH};
use mnemic_retrieval::partition::MetadataValue;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::records::{integers, memories, values};
use crate::strategies::texts;

/// A filter as a caller may try to make it.
#[derive(Clone, Debug)]
enum Attempt {
    Comparison(String, i64, Vec<MetadataValue>),
    All(Vec<Attempt>),
    Any(Vec<Attempt>),
    Not(Box<Attempt>),
}

impl Attempt {
    fn make(&self) -> Result<Filter, Error> {
        let each = |inner: &[Self]| inner.iter().map(Self::make).collect::<Result<Vec<_>, _>>();
        match self {
            Self::Comparison(field, operator, values) => {
                Filter::comparison(field, *operator, values.clone())
            }
            Self::All(inner) => Filter::all_of(each(inner)?),
            Self::Any(inner) => Filter::any_of(each(inner)?),
            Self::Not(inner) => Filter::negation(inner.make()?),
        }
    }

    fn depth(&self) -> usize {
        match self {
            Self::Comparison(..) => 1,
            Self::All(inner) | Self::Any(inner) => {
                1 + inner.iter().map(Self::depth).max().unwrap_or_default()
            }
            Self::Not(inner) => 1 + inner.depth(),
        }
    }

    fn comparisons(&self) -> usize {
        match self {
            Self::Comparison(..) => 1,
            Self::All(inner) | Self::Any(inner) => inner.iter().map(Self::comparisons).sum(),
            Self::Not(inner) => inner.comparisons(),
        }
    }
}

fn comparisons() -> impl Strategy<Value = Attempt> {
    let fields = prop_oneof![
        6 => prop::sample::select(vec![
            "metadata.k", "metadata.", "kind", "role", "name", "category", "entity", "slot", "user_id", "agent_id",
            "session_id", "app_id", "event_time", "create_time", "confidence", "importance", "trust", "",
        ]).prop_map(str::to_owned),
        1 => texts().prop_map(|key| format!("metadata.{key}")),
        1 => texts(),
    ];
    let operators = prop_oneof![12 => 1..=11_i64, 1 => integers()];
    let values = prop_oneof![
        6 => prop::collection::vec(values(), 1),
        3 => prop::collection::vec(values(), 0..4),
        1 => prop::collection::vec(values(), 100..200),
    ];
    (fields, operators, values)
        .prop_map(|(field, operator, values)| Attempt::Comparison(field, operator, values))
}

/// Without the comparisons that are wrong in themselves, trees of some size hardly ever arise.
fn valid_comparisons() -> impl Strategy<Value = Attempt> {
    (1..=6_i64, values())
        .prop_filter(
            "NaN is refused",
            |(_, value)| !matches!(value, MetadataValue::Float(float) if float.is_nan()),
        )
        .prop_map(|(operator, value)| {
            Attempt::Comparison("metadata.k".to_owned(), operator, vec![value])
        })
}

fn trees() -> impl Strategy<Value = Attempt> {
    valid_comparisons().prop_recursive(12, 150, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Attempt::All),
            prop::collection::vec(inner.clone(), 0..20).prop_map(Attempt::Any),
            inner.prop_map(|inner| Attempt::Not(Box::new(inner))),
        ]
    })
}

/// A refusal says which part of the filter is wrong, and why.
fn check_refusal(error: &Error) -> TestCaseResult {
    prop_assert_eq!(error.reason(), "INVALID_FILTER");
    prop_assert!(error.field().starts_with("filter."), "{}", error.field());
    prop_assert!(!error.to_string().is_empty());
    Ok(())
}

proptest! {
    #[test]
    fn a_comparison_is_refused_by_name_or_answers(attempt in comparisons(), memory in memories()) {
        match attempt.make() {
            Err(error) => check_refusal(&error)?,
            Ok(filter) => {
                let holds = filter.matches(&memory);
                let negation = Filter::negation(filter.clone()).expect("two levels");
                prop_assert_eq!(negation.matches(&memory), !holds);
            }
        }
    }

    #[test]
    fn a_tree_is_refused_for_its_size_or_answers(attempt in trees(), memory in memories()) {
        match attempt.make() {
            Err(error) => check_refusal(&error)?,
            Ok(filter) => {
                prop_assert!(attempt.depth() <= MAX_DEPTH && attempt.comparisons() <= MAX_COMPARISONS);
                let _either = filter.matches(&memory);
            }
        }
    }

    #[test]
    fn opposite_operators_never_both_hold(value in values(), mut memory in memories()) {
        memory.metadata.push(("k".to_owned(), value.clone()));
        let compare = |operator| Filter::comparison("metadata.k", operator, vec![value.clone()]);
        let Ok(equal) = compare(1) else { return Ok(()) };
        prop_assert_ne!(equal.matches(&memory), compare(2).expect("as equal").matches(&memory));
        let at = |operator| compare(operator).expect("as equal").matches(&memory);
        prop_assert!(!(at(3) && at(6)), "greater, and less or equal");
        prop_assert!(!(at(5) && at(4)), "less, and greater or equal");
        prop_assert!(!(at(3) && at(5)), "greater and less");
    }
}
