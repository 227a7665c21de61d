//! Memories by their ids.

use std::sync::Arc;

use bytes::Bytes;
use mnemic_access::Principal;
use mnemic_retrieval::partition::LatestVersion;
use mnemic_retrieval::{ScopeIds, ScopeMatch};
use prost::Message;
use prost_types::FieldMask;

use super::checks::{self, owners};
use super::memories::{MEMORY_FIELDS, write_memory};
use super::wire::Writer;
use super::{Shared, framed, started};
use crate::answers::{Framed, Method};
use crate::contract::{
    BatchGetMemoriesRequest, BatchGetMemoriesResponse, GetMemoryRequest, GetMemoryResponse, Memory,
    Scope,
};

/// Which memories a call may see, and what of them.
struct Reading<'a> {
    shared: &'a Shared,
    principal: &'a Principal,
    scope: Option<ScopeIds>,
    mask: u32,
}

impl Shared {
    /// `GetMemory`; None where the store has to be asked.
    pub(super) fn get(&self, principal: &Principal, request: Bytes) -> Option<Framed> {
        let message = GetMemoryRequest::decode(request).ok()?;
        let reading = Reading::of(self, principal, message.read_mask.as_ref(), message.scope)?;
        let memory = reading.find(&message.memory_id)?;
        let mut out = Writer::new(started());
        write_memory(&mut out, 1, &memory, reading.mask);
        Some(framed(out))
    }

    /// `BatchGetMemories`; None where the store has to be asked for one of them.
    pub(super) fn batch_get(&self, principal: &Principal, request: Bytes) -> Option<Framed> {
        let message = BatchGetMemoriesRequest::decode(request).ok()?;
        let may_be = 1..=self.settings.ids_per_batch;
        may_be.contains(&message.memory_ids.len()).then_some(())?;
        let reading = Reading::of(self, principal, message.read_mask.as_ref(), message.scope)?;
        let mut out = Writer::new(started());
        for memory_id in &message.memory_ids {
            write_memory(&mut out, 1, &reading.find(memory_id)?, reading.mask);
        }
        Some(framed(out))
    }

    /// Notes where the memories of a relayed answer are.
    pub(super) fn learn(&self, method: Method, principal: &Principal, response: &Bytes) {
        let memories = match method {
            Method::Get => GetMemoryResponse::decode(response.clone())
                .map(|response| response.memory.into_iter().collect()),
            Method::BatchGet => {
                BatchGetMemoriesResponse::decode(response.clone()).map(|response| response.memories)
            }
            Method::Search | Method::BatchSearch => return,
        };
        for memory in memories.unwrap_or_default() {
            let _ = self.learn_one(principal, memory);
        }
    }

    fn learn_one(&self, principal: &Principal, memory: Memory) -> Option<()> {
        let scope = checks::scope(memory.scope, self.settings.id_bytes)?;
        let key = checks::partition(&principal.tenant, owners(&scope).next()?);
        let memory_id = checks::memory_id(&memory.memory_id)?;
        self.directory.note(memory_id, &Arc::new(key));
        Some(())
    }
}

impl<'a> Reading<'a> {
    fn of(
        shared: &'a Shared,
        principal: &'a Principal,
        mask: Option<&FieldMask>,
        scope: Option<Scope>,
    ) -> Option<Self> {
        let scope = match scope {
            Some(_) => Some(checks::scope(scope, shared.settings.id_bytes)?),
            None => None,
        };
        Some(Self {
            shared,
            principal,
            scope,
            mask: checks::mask(mask, &MEMORY_FIELDS)?,
        })
    }

    /// The current version of a memory; None if the store has to say whether there is one.
    fn find(&self, memory_id: &str) -> Option<LatestVersion> {
        let memory_id = checks::memory_id(memory_id)?;
        let key = self.shared.directory.find(memory_id)?;
        if key.tenant != self.principal.tenant {
            return None;
        }
        let found = self.shared.index.latest(&key, memory_id).ok()??;
        // What superseded a version is written after it: the store knows.
        let is_certain = found.valid_to_micros.is_none()
            && checks::allows(&self.principal.scope, &found.scope)
            && self
                .scope
                .as_ref()
                .is_none_or(|scope| scope.selects(&found.scope, ScopeMatch::Exact));
        is_certain.then_some(found)
    }
}
