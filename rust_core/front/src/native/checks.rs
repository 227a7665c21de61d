//! What is certainly acceptable. The Python server words all refusals: whatever it might refuse is not decided here but
//! relayed, so each check may be stricter than its counterpart in `mnemic.engine.validation` and `mnemic.server.from_proto`,
//! never laxer. All give None where they are not certain.

use mnemic_access::Restriction;
use mnemic_retrieval::ScopeIds;
use mnemic_retrieval::partition::{PartitionKey, parse_memory_id};
use prost_types::{FieldMask, Timestamp};

use crate::contract::Scope;

/// The years 1 to 9999 of `google.protobuf.Timestamp`.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
const NANOS: std::ops::RangeInclusive<i32> = 0..=999_999_999;

/// The owners' kinds, in the order of ownership; the numbers of `mnemic.model.scope.OwnerKind`.
const USER: u8 = 1;
const AGENT: u8 = 2;
const APP: u8 = 3;
const SESSION: u8 = 4;

/// The ids of a request: at least one, each well formed.
pub(super) fn scope(message: Option<Scope>, id_bytes: usize) -> Option<ScopeIds> {
    let Scope {
        user_id,
        agent_id,
        session_id,
        app_id,
    } = message?;
    let scope = ScopeIds {
        user_id,
        agent_id,
        session_id,
        app_id,
    };
    let is_empty = owners(&scope).next().is_none();
    let is_sound = owners(&scope).all(|(_, id)| is_id(id, id_bytes));
    (!is_empty && is_sound).then_some(scope)
}

/// The owners that memories visible in a scope can have, in the order of ownership.
pub(super) fn owners(scope: &ScopeIds) -> impl Iterator<Item = (u8, &str)> {
    [
        (USER, &scope.user_id),
        (AGENT, &scope.agent_id),
        (APP, &scope.app_id),
        (SESSION, &scope.session_id),
    ]
    .into_iter()
    .filter_map(|(kind, id)| id.as_deref().map(|id| (kind, id)))
}

/// Which kind of owner an id of a scope can be.
pub(super) fn owner_kind(field: &str) -> u8 {
    match field {
        "user_id" => USER,
        "agent_id" => AGENT,
        "app_id" => APP,
        _ => SESSION,
    }
}

/// A partition of a tenant.
pub(super) fn partition(tenant: &str, (owner_kind, owner_id): (u8, &str)) -> PartitionKey {
    PartitionKey {
        tenant: tenant.to_owned(),
        owner_kind,
        owner_id: owner_id.to_owned(),
    }
}

fn is_id(id: &str, most_bytes: usize) -> bool {
    !id.is_empty()
        && id.len() <= most_bytes
        && !id.starts_with(is_space)
        && !id.ends_with(is_space)
        && !id.contains(char::is_control)
}

/// What Python's `str.isspace` says of a character: Unicode's white space, and four separators that Unicode leaves out.
pub(super) fn is_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\x1c'..='\x1f')
}

/// Microseconds since 1970-01-01 UTC; finer parts are cut off.
pub(super) fn micros(timestamp: &Timestamp) -> Option<i64> {
    let is_valid = SECONDS.contains(&timestamp.seconds) && NANOS.contains(&timestamp.nanos);
    is_valid.then(|| timestamp.seconds * 1_000_000 + i64::from(timestamp.nanos / 1_000))
}

/// A memory's id in the form that the server gives, in whatever case.
pub(super) fn memory_id(text: &str) -> Option<u128> {
    parse_memory_id(text).ok()
}

/// The numbers of the fields that a mask names, as bits; none for no mask.
pub(super) fn mask(mask: Option<&FieldMask>, fields: &[(&str, u32)]) -> Option<u32> {
    let paths = mask.map_or(&[][..], |mask| mask.paths.as_slice());
    paths.iter().try_fold(0, |bits, path| {
        let (_, number) = fields.iter().find(|(name, _)| name == path)?;
        Some(bits | 1 << number)
    })
}

/// Whether a credential may see a memory that carries these ids.
pub(super) fn allows(restriction: &Restriction, carried: &ScopeIds) -> bool {
    restriction.allows(mnemic_access::ScopeIds {
        user_id: carried.user_id.as_deref(),
        agent_id: carried.agent_id.as_deref(),
        session_id: carried.session_id.as_deref(),
        app_id: carried.app_id.as_deref(),
    })
}

#[cfg(test)]
mod tests {
    use prost_types::{FieldMask, Timestamp};

    use super::{is_id, mask, memory_id, micros, scope};
    use crate::contract::Scope;

    #[test]
    fn ids_are_those_that_python_takes() {
        for id in ["a", "*", "ö ü", "x".repeat(256).as_str()] {
            assert!(is_id(id, 256), "{id:?}");
        }
        for id in [
            "",
            " a",
            "a\u{a0}",
            "\x1fa",
            "a\nb",
            "a\u{85}b",
            "\u{7f}",
            "x".repeat(257).as_str(),
        ] {
            assert!(!is_id(id, 256), "{id:?}");
        }
    }

    #[test]
    fn a_scope_has_an_id() {
        assert_eq!(scope(None, 256), None);
        assert_eq!(scope(Some(Scope::default()), 256), None);
        let empty = Scope {
            agent_id: Some(String::new()),
            ..Scope::default()
        };
        assert_eq!(scope(Some(empty), 256), None);
    }

    #[test]
    fn times_are_of_the_years_1_to_9999() {
        let at = |seconds, nanos| micros(&Timestamp { seconds, nanos });
        assert_eq!(at(-1, 999_999_999), Some(-1));
        assert_eq!(
            at(253_402_300_799, 999_999_999),
            Some(253_402_300_799_999_999)
        );
        assert_eq!(at(253_402_300_800, 0), None);
        assert_eq!(at(-62_135_596_801, 0), None);
        assert_eq!(at(0, -1), None);
        assert_eq!(at(0, 1_000_000_000), None);
    }

    #[test]
    fn a_mask_names_known_fields_or_nothing() {
        let fields = [("one", 1), ("two", 2)];
        let of = |paths: &[&str]| {
            let paths = paths.iter().map(|&path| path.to_owned()).collect();
            mask(Some(&FieldMask { paths }), &fields)
        };
        assert_eq!(mask(None, &fields), Some(0));
        assert_eq!(of(&[]), Some(0));
        assert_eq!(of(&["two", "one", "two"]), Some(0b110));
        assert_eq!(of(&["one", "three"]), None);
    }

    #[test]
    fn memory_ids_are_uuids_in_their_usual_form() {
        let lower = memory_id("01234567-89ab-cdef-0123-456789abcdef");
        assert!(lower.is_some());
        assert_eq!(lower, memory_id("01234567-89AB-CDEF-0123-456789ABCDEF"));
        // Python reads this as the same id; here it is not certain.
        assert_eq!(memory_id("urn:0123456789abcdef0123456789abcdef"), None);
    }
}
