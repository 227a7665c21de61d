//! For a stretch of rows: which of them have which value in a field, so that an equality reads its rows only.
//!
//! It is made from the records when a filter first asks, and made anew when the stretch has grown.

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::fast::FixedState;

use super::field::Field;
use crate::partition::{MetadataValue, RecordBytes, ValueRef};

/// The rows of a stretch by the values of their fields, and their times in columns.
#[derive(Debug)]
pub(crate) struct Facets {
    rows: usize,
    /// Hashes of field and value, ascending; none twice.
    hashes: Box<[u32]>,
    /// Where the places of each end.
    ends: Box<[u32]>,
    /// Rows, those of one hash one after another and ascending.
    places: Box<[u16]>,
    /// Hashes that several values share, ascending.
    shared: Box<[u32]>,
    create_time: Box<[i64]>,
    /// [`NO_TIME`] where there is none, and where it is that.
    event_time: Box<[i64]>,
}

/// In the column of event times: ask the record.
pub(super) const NO_TIME: i64 = i64::MIN;

/// A field of a row and what it may be equal to.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Facet<'a> {
    field: Named<'a>,
    value: Scalar<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Named<'a> {
    Metadata(&'a str),
    Kind,
    Role,
    Name,
    Category,
    Entity,
    Slot,
}

/// Equal exactly when a comparison says so: whole floats are the integers that they equal, and there is no NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Scalar<'a> {
    Text(&'a str),
    Integer(i64),
    Float(f64),
    Boolean(bool),
}

impl Facets {
    /// How many rows it can name.
    const MOST_ROWS: usize = 1 << 16;

    /// Of rows one after another.
    ///
    /// # Panics
    ///
    /// If there are more than 65,536.
    pub(crate) fn of(records: &[&RecordBytes]) -> Self {
        assert!(records.len() <= Self::MOST_ROWS, "{} rows", records.len());
        let mut all = Vec::with_capacity(4 * records.len());
        for (place, &record) in (0..=u16::MAX).zip(records) {
            facets_of(record, &mut |facet| all.push((facet.hash(), place, facet)));
        }
        all.sort_unstable_by_key(|&(hash, place, _)| (hash, place));
        all.dedup_by(|a, b| (a.0, a.1) == (b.0, b.1) && a.2 == b.2);
        let runs = || all.chunk_by(|a, b| a.0 == b.0);
        let is_shared = |run: &&[(u32, u16, Facet<'_>)]| run.iter().any(|each| each.2 != run[0].2);
        let end = |end: &mut u32, run: &[_]| {
            *end += run.len() as u32;
            Some(*end)
        };
        let event_time = |record: &&RecordBytes| record.event_time_micros().unwrap_or(NO_TIME);
        Self {
            rows: records.len(),
            hashes: runs().map(|run| run[0].0).collect(),
            ends: runs().scan(0, end).collect(),
            places: all.iter().map(|&(_, place, _)| place).collect(),
            shared: runs().filter(is_shared).map(|run| run[0].0).collect(),
            create_time: records
                .iter()
                .map(|record| record.create_time_micros())
                .collect(),
            event_time: records.iter().map(event_time).collect(),
        }
    }

    /// How many rows, from the first, it knows.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The rows that may have the value of a hash, and whether they all have the same.
    pub(super) fn places(&self, hash: u32) -> (&[u16], bool) {
        let Ok(found) = self.hashes.binary_search(&hash) else {
            return (&[], true);
        };
        let start = found.checked_sub(1).map_or(0, |before| self.ends[before]);
        let places = &self.places[start as usize..self.ends[found] as usize];
        (places, self.shared.binary_search(&hash).is_err())
    }

    /// The column of a field of times.
    pub(super) fn times(&self, field: &Field) -> Option<&[i64]> {
        match field {
            Field::CreateTime => Some(&self.create_time),
            Field::EventTime => Some(&self.event_time),
            _ => None,
        }
    }

    /// How many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>()
            + size_of_val(&self.hashes[..])
            + size_of_val(&self.ends[..])
            + size_of_val(&self.places[..])
            + size_of_val(&self.shared[..])
            + size_of_val(&self.create_time[..])
            + size_of_val(&self.event_time[..])
    }
}

/// The hash under which the rows are found that are equal to a value; None if they are not kept by it.
pub(super) fn hash_of(field: &Field, value: &MetadataValue) -> Option<u32> {
    let field = match field {
        Field::Metadata(key) => Named::Metadata(key),
        Field::Kind => Named::Kind,
        Field::Role => Named::Role,
        Field::Name => Named::Name,
        Field::Category => Named::Category,
        Field::Entity => Named::Entity,
        Field::Slot => Named::Slot,
        _ => return None,
    };
    let value = match value {
        MetadataValue::Text(text) => ValueRef::Text(text),
        MetadataValue::Integer(integer) => ValueRef::Integer(*integer),
        MetadataValue::Float(float) => ValueRef::Float(*float),
        MetadataValue::Boolean(truth) => ValueRef::Boolean(*truth),
        MetadataValue::Texts(_) => return None,
    };
    Scalar::of(value).map(|value| Facet { field, value }.hash())
}

fn facets_of<'a>(record: &'a RecordBytes, sink: &mut impl FnMut(Facet<'a>)) {
    let mut add = |field, value: Option<ValueRef<'a>>| match value {
        Some(ValueRef::Texts(texts)) => {
            for text in texts {
                let value = Scalar::Text(text);
                sink(Facet { field, value });
            }
        }
        value => {
            if let Some(value) = value.and_then(Scalar::of) {
                sink(Facet { field, value });
            }
        }
    };
    for (field, named) in [
        (Field::Kind, Named::Kind),
        (Field::Role, Named::Role),
        (Field::Name, Named::Name),
        (Field::Category, Named::Category),
        (Field::Entity, Named::Entity),
        (Field::Slot, Named::Slot),
    ] {
        add(named, field.of_record(record));
    }
    for (place, (key, value)) in record.metadata().enumerate() {
        // Of a key that is there twice only the first counts.
        if record
            .metadata()
            .take(place)
            .all(|(before, _)| before != key)
        {
            add(Named::Metadata(key), Some(value));
        }
    }
}

impl Facet<'_> {
    fn hash(&self) -> u32 {
        let mut hasher = FixedState::default().build_hasher();
        self.field.hash(&mut hasher);
        match self.value {
            Scalar::Text(text) => (0_u8, text).hash(&mut hasher),
            Scalar::Integer(integer) => (1_u8, integer).hash(&mut hasher),
            Scalar::Float(float) => (2_u8, float.to_bits()).hash(&mut hasher),
            Scalar::Boolean(truth) => (3_u8, truth).hash(&mut hasher),
        }
        hasher.finish() as u32
    }
}

impl<'a> Scalar<'a> {
    fn of(value: ValueRef<'a>) -> Option<Self> {
        const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
        Some(match value {
            ValueRef::Text(text) => Self::Text(text),
            ValueRef::Integer(integer) => Self::Integer(integer),
            ValueRef::Float(float) if float.is_nan() => return None,
            ValueRef::Float(float)
                if float.fract() == 0.0 && (-TWO_TO_63..TWO_TO_63).contains(&float) =>
            {
                Self::Integer(float as i64)
            }
            ValueRef::Float(float) => Self::Float(float),
            ValueRef::Boolean(truth) => Self::Boolean(truth),
            ValueRef::Texts(_) => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::{Facets, hash_of};
    use crate::filter::field::Field;
    use crate::filter::{Filter, Stretch};
    use crate::partition::{Memory, MetadataValue, Record, ScopeIds};

    fn hash(number: i64) -> u32 {
        let value = MetadataValue::Integer(number);
        hash_of(&Field::Metadata("n".to_owned()), &value).expect("integers are kept")
    }

    fn record(number: i64) -> Record {
        Record::new(&Memory {
            metadata: vec![("n".to_owned(), MetadataValue::Integer(number))],
            ..Memory::default()
        })
    }

    #[test]
    fn values_that_share_a_hash_are_told_apart() {
        let mut seen = HashMap::new();
        let (one, other) = (0..)
            .find_map(|number| {
                seen.insert(hash(number), number)
                    .map(|before| (before, number))
            })
            .expect("32 bits are shared before long");
        let records: Vec<Record> = (0..64)
            .map(|row| record(if row % 3 == 0 { one } else { other }))
            .collect();
        let scope = ScopeIds::default();
        let stretch = Stretch {
            facets: &Facets::of(&records.iter().map(|record| &**record).collect::<Vec<_>>()),
            row: |place: usize| (&*records[place], &scope),
        };
        for (value, expected) in [(one, 0), (other, 1)] {
            let value = vec![MetadataValue::Integer(value)];
            let filter = Filter::comparison("metadata.n", 1, value).expect("a valid filter");
            let mut words = [u64::MAX];
            filter.narrow(&stretch, &mut words);
            for row in 0..64 {
                assert_eq!(words[0] >> row & 1 == 1, (row % 3 == 0) == (expected == 0));
            }
        }
    }

    #[test]
    fn a_whole_float_is_found_where_its_integer_is() {
        let field = Field::Metadata("n".to_owned());
        let of = |value| hash_of(&field, &value);
        assert_eq!(of(MetadataValue::Float(3.0)), of(MetadataValue::Integer(3)));
        assert_eq!(
            of(MetadataValue::Float(-0.0)),
            of(MetadataValue::Integer(0))
        );
        assert_ne!(of(MetadataValue::Float(3.5)), of(MetadataValue::Integer(3)));
        assert_eq!(of(MetadataValue::Float(f64::NAN)), None);
        assert_eq!(of(MetadataValue::Texts(Vec::new())), None);
    }
}
