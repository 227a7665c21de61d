//! Scopes packed one after another: of each id its length plus one in four bytes, 0 for none, then its text.

use crate::partition::memory::{ScopeIds, ScopeMatch};

/// Appends a scope.
pub(super) fn pack(scope: &ScopeIds, bytes: &mut Vec<u8>) {
    for id in scope.ids() {
        let length = id.as_ref().map_or(0, |id| id.len() as u32 + 1);
        bytes.extend(length.to_le_bytes());
        bytes.extend_from_slice(id.as_deref().unwrap_or_default().as_bytes());
    }
}

/// How many scopes bytes are; None if they are not whole scopes.
pub(super) fn count_of(bytes: &[u8]) -> Option<usize> {
    let mut scopes = PackedScopes::new(bytes);
    let mut count = 0;
    for scope in scopes.by_ref() {
        for id in scope.0.into_iter().flatten() {
            std::str::from_utf8(id).ok()?;
        }
        count += 1;
    }
    scopes.0.is_empty().then_some(count)
}

/// Scopes where they lie, in order. It ends where bytes are not a whole scope.
pub(super) struct PackedScopes<'a>(&'a [u8]);

/// One of them: the bytes of its ids.
#[derive(Clone, Copy)]
pub(super) struct PackedScope<'a>([Option<&'a [u8]>; 4]);

impl<'a> PackedScopes<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl<'a> Iterator for PackedScopes<'a> {
    type Item = PackedScope<'a>;

    fn next(&mut self) -> Option<PackedScope<'a>> {
        let mut rest = self.0;
        let mut scope = PackedScope([None; 4]);
        for id in &mut scope.0 {
            let (length, after) = rest.split_first_chunk()?;
            rest = after;
            if let Some(length) = u32::from_le_bytes(*length).checked_sub(1) {
                let (text, after) = rest.split_at_checked(length as usize)?;
                rest = after;
                *id = Some(text);
            }
        }
        self.0 = rest;
        Some(scope)
    }
}

impl PackedScope<'_> {
    /// [`ScopeIds::selects`] of the ids asked for.
    pub(super) fn is_selected(self, asked: &ScopeIds, scope_match: ScopeMatch) -> bool {
        let asked = asked.ids().map(|id| id.as_deref().map(str::as_bytes));
        let mut pairs = asked.into_iter().zip(self.0);
        pairs.all(|(asked, has)| match scope_match {
            ScopeMatch::Visible => has.is_none() || has == asked,
            ScopeMatch::Exact => asked.is_none() || has == asked,
            ScopeMatch::Tenant => true,
        })
    }

    pub(super) fn unpack(self) -> ScopeIds {
        let id = |place: usize| {
            let id = self.0[place]?;
            Some(String::from_utf8_lossy(id).into_owned())
        };
        ScopeIds {
            user_id: id(0),
            agent_id: id(1),
            session_id: id(2),
            app_id: id(3),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{PackedScope, PackedScopes, count_of, pack};
    use crate::partition::memory::{ScopeIds, ScopeMatch};

    fn scopes() -> impl Strategy<Value = ScopeIds> {
        let id = || prop::option::of(prop::sample::select(vec!["", "a", "é"]));
        (id(), id(), id(), id()).prop_map(|(user_id, agent_id, session_id, app_id)| ScopeIds {
            user_id: user_id.map(str::to_owned),
            agent_id: agent_id.map(str::to_owned),
            session_id: session_id.map(str::to_owned),
            app_id: app_id.map(str::to_owned),
        })
    }

    proptest! {
        #[test]
        fn scopes_round_trip_and_are_selected_as_when_unpacked(
            scopes in prop::collection::vec(scopes(), 0..5),
            asked in scopes(),
            scope_match in prop::sample::select(vec![ScopeMatch::Visible, ScopeMatch::Exact, ScopeMatch::Tenant]),
        ) {
            let mut bytes = Vec::new();
            for scope in &scopes {
                pack(scope, &mut bytes);
            }
            prop_assert_eq!(count_of(&bytes), Some(scopes.len()));
            let unpacked: Vec<ScopeIds> = PackedScopes::new(&bytes).map(PackedScope::unpack).collect();
            prop_assert_eq!(&unpacked, &scopes);
            for (packed, scope) in PackedScopes::new(&bytes).zip(&scopes) {
                prop_assert_eq!(packed.is_selected(&asked, scope_match), asked.selects(scope, scope_match));
            }
            if !bytes.is_empty() {
                prop_assert_eq!(count_of(&bytes[..bytes.len() - 1]), None);
            }
        }
    }

    #[test]
    fn ids_that_are_no_texts_are_refused() {
        let mut bytes = Vec::new();
        pack(
            &ScopeIds {
                user_id: Some("é".to_owned()),
                ..ScopeIds::default()
            },
            &mut bytes,
        );
        bytes[5] = b'a';
        assert_eq!(count_of(&bytes), None);
    }
}
