//! Filters: conditions that narrow what a scope selects. `mnemic.v1.Filter` says what they mean to a caller.
//!
//! A filter is checked when it is made, so that it cannot fail when it is applied.

mod evaluate;
mod facets;
mod field;
mod narrow;

use std::sync::Arc;

use crate::Error;
use crate::partition::{Memory, MetadataValue, Record, RecordBytes, ScopeIds};
use field::Field;

pub(crate) use facets::Facets;
pub(crate) use narrow::Stretch;

/// How deep filters nest, the outermost counted.
pub const MAX_DEPTH: usize = 8;
/// How many comparisons one filter has in all.
pub const MAX_COMPARISONS: usize = 64;

/// How a field is compared with the values; the numbers are those of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the variants are those of mnemic.v1.ComparisonOperator, which explains them"
)]
pub enum Operator {
    Equal = 1,
    NotEqual = 2,
    Greater = 3,
    GreaterOrEqual = 4,
    Less = 5,
    LessOrEqual = 6,
    In = 7,
    NotIn = 8,
    Contains = 9,
    ContainsIgnoreCase = 10,
    Exists = 11,
}

const OPERATORS: [(Operator, &str); 11] = [
    (Operator::Equal, "EQUAL"),
    (Operator::NotEqual, "NOT_EQUAL"),
    (Operator::Greater, "GREATER"),
    (Operator::GreaterOrEqual, "GREATER_OR_EQUAL"),
    (Operator::Less, "LESS"),
    (Operator::LessOrEqual, "LESS_OR_EQUAL"),
    (Operator::In, "IN"),
    (Operator::NotIn, "NOT_IN"),
    (Operator::Contains, "CONTAINS"),
    (Operator::ContainsIgnoreCase, "CONTAINS_IGNORE_CASE"),
    (Operator::Exists, "EXISTS"),
];

impl Operator {
    fn from_number(number: i64) -> Option<Self> {
        OPERATORS
            .iter()
            .map(|(operator, _)| *operator)
            .find(|operator| *operator as i64 == number)
    }

    fn name(self) -> &'static str {
        OPERATORS[self as usize - 1].1
    }
}

/// A condition on memories; cloning it copies a pointer.
#[derive(Clone, Debug)]
pub struct Filter {
    node: Arc<Node>,
    depth: usize,
    comparisons: usize,
}

#[derive(Debug)]
enum Node {
    Comparison(Comparison),
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Filter),
}

#[derive(Debug)]
struct Comparison {
    field: Field,
    operator: Operator,
    values: Vec<MetadataValue>,
    /// For equalities of fields by whose values rows are kept: where in [`Facets`] the rows are.
    hashes: Option<Vec<u32>>,
}

impl Filter {
    /// Compares one field with values.
    ///
    /// # Errors
    ///
    /// [`Error::Filter`]: the field or operator is not known, the number of values is not the operator's, or they are of
    /// a type that the field never has.
    pub fn comparison(
        field: &str,
        operator: i64,
        values: Vec<MetadataValue>,
    ) -> Result<Self, Error> {
        let field = Field::parse(field)?;
        let operator = Operator::from_number(operator).ok_or_else(|| {
            let known: Vec<String> = OPERATORS
                .iter()
                .map(|(known, name)| format!("{} ({name})", *known as i64))
                .collect();
            Error::filter(
                "filter.comparison.operator",
                format!("{operator} is no operator; {} are", known.join(", ")),
            )
        })?;
        check_count(operator, values.len())?;
        field.check(operator, &values)?;
        let hashes = match operator {
            Operator::Equal | Operator::NotEqual | Operator::In | Operator::NotIn => {
                let hashes = values.iter().map(|value| facets::hash_of(&field, value));
                hashes.collect()
            }
            _ => None,
        };
        let node = Node::Comparison(Comparison {
            field,
            operator,
            values,
            hashes,
        });
        Ok(Self {
            node: Arc::new(node),
            depth: 1,
            comparisons: 1,
        })
    }

    /// Every one of them holds.
    ///
    /// # Errors
    ///
    /// [`Error::Filter`]: there are none, or the whole is too deep or too large.
    pub fn all_of(filters: Vec<Self>) -> Result<Self, Error> {
        Self::combine("filter.all_of.filters", filters, Node::All)
    }

    /// At least one of them holds.
    ///
    /// # Errors
    ///
    /// As [`Filter::all_of`].
    pub fn any_of(filters: Vec<Self>) -> Result<Self, Error> {
        Self::combine("filter.any_of.filters", filters, Node::Any)
    }

    /// It does not hold.
    ///
    /// # Errors
    ///
    /// [`Error::Filter`]: the whole is too deep.
    pub fn negation(filter: Self) -> Result<Self, Error> {
        let (depth, comparisons) = (filter.depth, filter.comparisons);
        Self::checked("filter.negation", Node::Not(filter), depth, comparisons)
    }

    /// Whether a memory fulfils it: what a search applies to each row.
    #[must_use]
    pub fn matches(&self, memory: &Memory) -> bool {
        self.holds(&Record::new(memory), &memory.scope)
    }

    /// Whether a row fulfils it.
    pub(crate) fn holds(&self, record: &RecordBytes, scope: &ScopeIds) -> bool {
        match &*self.node {
            Node::Comparison(comparison) => comparison.holds(record, scope),
            Node::All(filters) => filters.iter().all(|filter| filter.holds(record, scope)),
            Node::Any(filters) => filters.iter().any(|filter| filter.holds(record, scope)),
            Node::Not(filter) => !filter.holds(record, scope),
        }
    }

    fn combine(
        path: &str,
        filters: Vec<Self>,
        node: impl FnOnce(Vec<Self>) -> Node,
    ) -> Result<Self, Error> {
        if filters.is_empty() {
            return Err(Error::filter(
                path,
                "the list is empty; at least one filter is needed",
            ));
        }
        let depth = filters
            .iter()
            .map(|filter| filter.depth)
            .max()
            .unwrap_or_default();
        let comparisons = filters.iter().map(|filter| filter.comparisons).sum();
        Self::checked(path, node(filters), depth, comparisons)
    }

    fn checked(
        path: &str,
        node: Node,
        depth_inside: usize,
        comparisons: usize,
    ) -> Result<Self, Error> {
        let depth = depth_inside + 1;
        if depth > MAX_DEPTH {
            return Err(Error::filter(
                path,
                format!("the filter is {depth} levels deep; at most {MAX_DEPTH} are accepted"),
            ));
        }
        if comparisons > MAX_COMPARISONS {
            let message = format!(
                "the filter has {comparisons} comparisons; at most {MAX_COMPARISONS} are accepted"
            );
            return Err(Error::filter(path, message));
        }
        Ok(Self {
            node: Arc::new(node),
            depth,
            comparisons,
        })
    }
}

fn check_count(operator: Operator, count: usize) -> Result<(), Error> {
    let (accepted, fits) = match operator {
        Operator::Exists => ("no value", count == 0),
        Operator::In | Operator::NotIn => ("one or more values", count > 0),
        _ => ("exactly one value", count == 1),
    };
    if fits {
        return Ok(());
    }
    let message = format!("{} takes {accepted}, not {count}", operator.name());
    Err(Error::filter("filter.comparison.values", message))
}
