//! What a comparison means.

use std::cmp::Ordering;

use super::{Comparison, Operator};
use crate::partition::{MetadataValue, RecordBytes, ScopeIds, ValueRef};

impl Comparison {
    pub(super) fn holds(&self, record: &RecordBytes, scope: &ScopeIds) -> bool {
        self.holds_of(self.field.of(record, scope))
    }

    /// Whether the field equals one of the values, also where that is what must not be.
    pub(super) fn equals(&self, record: &RecordBytes, scope: &ScopeIds) -> bool {
        let found = self.field.of(record, scope);
        found.is_some_and(|found| self.values.iter().any(|value| equals(found, value)))
    }

    /// Whether it holds of what was found in the field.
    pub(super) fn holds_of(&self, found: Option<ValueRef<'_>>) -> bool {
        let any = |test: &dyn Fn(ValueRef<'_>, &MetadataValue) -> bool| {
            found.is_some_and(|found| self.values.iter().any(|value| test(found, value)))
        };
        let ordered = |accepts: fn(Ordering) -> bool| {
            any(&|found, value| order(found, value).is_some_and(accepts))
        };
        match self.operator {
            Operator::Equal | Operator::In => any(&equals),
            Operator::NotEqual | Operator::NotIn => !any(&equals),
            Operator::Greater => ordered(Ordering::is_gt),
            Operator::GreaterOrEqual => ordered(Ordering::is_ge),
            Operator::Less => ordered(Ordering::is_lt),
            Operator::LessOrEqual => ordered(Ordering::is_le),
            Operator::Contains => any(&contains),
            Operator::ContainsIgnoreCase => any(&contains_ignoring_case),
            Operator::Exists => found.is_some(),
        }
    }
}

/// Equal values of one type; a list equals a text that is in it, and a list with the same texts in the same order.
fn equals(found: ValueRef<'_>, value: &MetadataValue) -> bool {
    match (found, value) {
        (ValueRef::Boolean(found), MetadataValue::Boolean(value)) => found == *value,
        (ValueRef::Texts(found), MetadataValue::Text(value)) => {
            found.into_iter().any(|text| text == value)
        }
        (ValueRef::Texts(found), MetadataValue::Texts(values)) => {
            found.into_iter().eq(values.iter().map(String::as_str))
        }
        (found, value) => order(found, value) == Some(Ordering::Equal),
    }
}

/// Numbers by value, texts by their bytes; nothing else has an order.
fn order(found: ValueRef<'_>, value: &MetadataValue) -> Option<Ordering> {
    match (found, value) {
        (ValueRef::Text(found), MetadataValue::Text(value)) => Some(found.cmp(value)),
        (ValueRef::Integer(found), MetadataValue::Integer(value)) => Some(found.cmp(value)),
        (ValueRef::Integer(found), MetadataValue::Float(value)) => order_of_mixed(found, *value),
        (ValueRef::Float(found), MetadataValue::Integer(value)) => {
            order_of_mixed(*value, found).map(Ordering::reverse)
        }
        (ValueRef::Float(found), MetadataValue::Float(value)) => found.partial_cmp(value),
        _ => None,
    }
}

/// Compares an integer with a float exactly: converting either would lose digits beyond 2^53.
fn order_of_mixed(integer: i64, float: f64) -> Option<Ordering> {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    if float.is_nan() {
        return None;
    }
    if float >= TWO_TO_63 {
        return Some(Ordering::Less);
    }
    if float < -TWO_TO_63 {
        return Some(Ordering::Greater);
    }
    // Within the range the floor is an i64 without loss; a fraction above it makes the float the greater one.
    let floor = float.floor();
    let fraction = if float > floor {
        Ordering::Less
    } else {
        Ordering::Equal
    };
    Some(integer.cmp(&(floor as i64)).then(fraction))
}

fn contains(found: ValueRef<'_>, value: &MetadataValue) -> bool {
    match (found, value) {
        (ValueRef::Text(found), MetadataValue::Text(value)) => found.contains(value.as_str()),
        (ValueRef::Texts(found), MetadataValue::Text(value)) => {
            found.into_iter().any(|text| text == value)
        }
        _ => false,
    }
}

fn contains_ignoring_case(found: ValueRef<'_>, value: &MetadataValue) -> bool {
    let MetadataValue::Text(value) = value else {
        return false;
    };
    let value = value.to_lowercase();
    match found {
        ValueRef::Text(found) => found.to_lowercase().contains(&value),
        ValueRef::Texts(found) => found.into_iter().any(|text| text.to_lowercase() == value),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::order_of_mixed;
    use std::cmp::Ordering::{Equal, Greater, Less};

    #[test]
    fn integers_and_floats_compare_without_rounding() {
        let beyond = (1_i64 << 53) + 1;
        assert_eq!(order_of_mixed(beyond, beyond as f64), Some(Greater));
        assert_eq!(order_of_mixed(i64::MAX, i64::MAX as f64), Some(Less));
        assert_eq!(order_of_mixed(i64::MIN, i64::MIN as f64), Some(Equal));
        assert_eq!(order_of_mixed(3, 3.0), Some(Equal));
        assert_eq!(order_of_mixed(3, 3.5), Some(Less));
        assert_eq!(order_of_mixed(-3, -3.5), Some(Greater));
        assert_eq!(order_of_mixed(0, f64::NAN), None);
        assert_eq!(order_of_mixed(0, f64::INFINITY), Some(Less));
    }
}
