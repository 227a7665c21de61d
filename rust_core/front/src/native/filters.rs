//! Filters of the contract as the core takes them. None where Python might refuse them.

use mnemic_access::Restriction;
use mnemic_retrieval::ScopeIds;
use mnemic_retrieval::ScopeMatch;
use mnemic_retrieval::filter::{Filter, Operator};
use mnemic_retrieval::partition::{MetadataValue, PartitionKey};

use super::checks::owner_kind;
use crate::contract::filter::Node;
use crate::contract::metadata_value::Kind;
use crate::contract::{self, FilterList};

/// A filter that the core takes; it checks depth, fields and values.
pub(super) fn filter(message: contract::Filter) -> Option<Filter> {
    let made = match message.node? {
        Node::Comparison(comparison) => {
            let values = comparison.values.into_iter().map(value);
            let values = values.collect::<Option<Vec<_>>>()?;
            Filter::comparison(&comparison.field, comparison.operator.into(), values)
        }
        Node::AllOf(list) => Filter::all_of(filters(list)?),
        Node::AnyOf(list) => Filter::any_of(filters(list)?),
        Node::Negation(negated) => Filter::negation(filter(*negated)?),
    };
    made.ok()
}

fn filters(list: FilterList) -> Option<Vec<Filter>> {
    list.filters.into_iter().map(filter).collect()
}

fn value(message: contract::MetadataValue) -> Option<MetadataValue> {
    Some(match message.kind? {
        Kind::StringValue(text) => MetadataValue::Text(text),
        Kind::IntegerValue(integer) => MetadataValue::Integer(integer),
        Kind::NumberValue(number) => MetadataValue::Float(number),
        Kind::BooleanValue(truth) => MetadataValue::Boolean(truth),
        Kind::StringList(list) => MetadataValue::Texts(list.values),
    })
}

/// What a memory must fulfil so that a restricted credential may see it, as far as an exact match does not see to it: each
/// restricted id is carried. None where the request does not ask for them, and so finds nothing.
pub(super) fn restriction(
    restriction: &Restriction,
    scope: &ScopeIds,
    scope_match: ScopeMatch,
) -> Option<Vec<Filter>> {
    let mut conditions = Vec::new();
    for (field, id) in restriction.pairs() {
        if asked(scope, field) != Some(id) {
            return None;
        }
        if scope_match != ScopeMatch::Exact {
            let value = MetadataValue::Text(id.to_owned());
            let condition = Filter::comparison(field, Operator::Equal as i64, vec![value]);
            conditions.push(condition.ok()?);
        }
    }
    Some(conditions)
}

/// Whether all memories of a partition fulfil that anyway: they carry its owner.
pub(super) fn is_implied(restriction: &Restriction, partition: &PartitionKey) -> bool {
    let mut ids = restriction.pairs();
    ids.all(|(field, id)| partition.owner_kind == owner_kind(field) && partition.owner_id == id)
}

fn asked<'a>(scope: &'a ScopeIds, field: &str) -> Option<&'a str> {
    let id = match field {
        "user_id" => &scope.user_id,
        "agent_id" => &scope.agent_id,
        "session_id" => &scope.session_id,
        _ => &scope.app_id,
    };
    id.as_deref()
}
