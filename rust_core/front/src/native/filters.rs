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

/// A request's filter and the credential's restriction: each restricted id must be carried. None where it is not certain
/// what Python says.
pub(super) fn restricted(
    filter: Option<Filter>,
    restriction: &Restriction,
    scope: &ScopeIds,
    scope_match: ScopeMatch,
    partitions: &[PartitionKey],
) -> Option<Option<Filter>> {
    if restriction.is_empty() {
        return Some(filter);
    }
    let mut all: Vec<Filter> = filter.into_iter().collect();
    for (field, id) in restriction.pairs() {
        let asked = asked(scope, field);
        if asked.is_some_and(|asked| asked != id) {
            return None;
        }
        let is_owner =
            |key: &PartitionKey| key.owner_kind == owner_kind(field) && key.owner_id == id;
        let carried = asked.is_some() && scope_match == ScopeMatch::Exact;
        if !carried && !partitions.iter().all(is_owner) {
            let value = MetadataValue::Text(id.to_owned());
            all.push(Filter::comparison(field, Operator::Equal as i64, vec![value]).ok()?);
        }
    }
    match all.len() {
        0 | 1 => Some(all.pop()),
        _ => Filter::all_of(all).ok().map(Some),
    }
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
