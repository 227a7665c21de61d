//! The key of a partition in the bytes that a small one can spare for it.

use super::memory::PartitionKey;

/// The parts of a key, to be hashed and compared where they lie.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct KeyParts<'a> {
    owner_kind: u8,
    tenant: &'a str,
    owner_id: &'a str,
}

impl<'a> KeyParts<'a> {
    pub(crate) fn of(key: &'a PartitionKey) -> Self {
        Self {
            owner_kind: key.owner_kind,
            tenant: &key.tenant,
            owner_id: &key.owner_id,
        }
    }

    /// Of the tenant and the owner in one text.
    pub(super) fn split(owner_kind: u8, texts: &'a str, tenant_bytes: u32) -> Self {
        let (tenant, owner_id) = texts.split_at(tenant_bytes as usize);
        Self {
            owner_kind,
            tenant,
            owner_id,
        }
    }
}
