//! Scopes packed one after another: of each id its length plus one in four bytes, 0 for none, then its text.

use std::sync::Arc;

use crate::partition::memory::ScopeIds;

/// Appends a scope.
pub(super) fn pack(scope: &ScopeIds, bytes: &mut Vec<u8>) {
    for id in scope.ids() {
        let length = id.as_ref().map_or(0, |id| id.len() as u32 + 1);
        bytes.extend(length.to_le_bytes());
        bytes.extend_from_slice(id.as_deref().unwrap_or_default().as_bytes());
    }
}

/// The scopes of their bytes; None if the bytes are not whole scopes.
pub(super) fn unpack(mut bytes: &[u8]) -> Option<Vec<Arc<ScopeIds>>> {
    let mut scopes = Vec::new();
    while !bytes.is_empty() {
        scopes.push(Arc::new(take_scope(&mut bytes)?));
    }
    Some(scopes)
}

fn take_scope(bytes: &mut &[u8]) -> Option<ScopeIds> {
    let mut scope = ScopeIds::default();
    for id in [
        &mut scope.user_id,
        &mut scope.agent_id,
        &mut scope.session_id,
        &mut scope.app_id,
    ] {
        let (length, rest) = bytes.split_first_chunk()?;
        *bytes = rest;
        if let Some(length) = u32::from_le_bytes(*length).checked_sub(1) {
            let (text, rest) = bytes.split_at_checked(length as usize)?;
            *bytes = rest;
            *id = Some(String::from_utf8(text.to_vec()).ok()?);
        }
    }
    Some(scope)
}

#[cfg(test)]
mod tests {
    use super::{pack, unpack};
    use crate::partition::memory::ScopeIds;

    #[test]
    fn scopes_round_trip_and_half_ones_are_refused() {
        let scopes = [
            ScopeIds::default(),
            ScopeIds {
                user_id: Some("é".to_owned()),
                session_id: Some(String::new()),
                ..ScopeIds::default()
            },
        ];
        let mut bytes = Vec::new();
        for scope in &scopes {
            pack(scope, &mut bytes);
        }
        let back = unpack(&bytes).expect("they are whole");
        assert!(back.iter().map(|scope| &**scope).eq(&scopes));
        assert!(unpack(&bytes[..bytes.len() - 1]).is_none());
    }
}
