"""Erasing again what came back with an older database, before anything is served."""

from __future__ import annotations

import os
import time
from collections import defaultdict

import structlog

from mnemic.engine.erasure_ledger import ErasureLedger, LedgerEntry
from mnemic.engine.receipts import target_hash
from mnemic.model.erasure import ErasureTarget, TargetKind
from mnemic.model.scope import Scope
from mnemic.store.erasure_interface import ErasureStore, NewErasure

_log = structlog.get_logger("mnemic.erasure")
_SALT_BYTES = 32
_REASON = "a backup was restored that is older than the erasure"


def erase_again(store: ErasureStore, ledger: ErasureLedger) -> int:
    """Begins the erasures of the ledger that the database does not know; how many.

    Each keeps its id, so that the database knows it from then on.
    """
    entries = {entry.erasure_id: entry for entry in ledger.entries()}
    unknown = [entries[erasure_id] for erasure_id in store.unknown(list(entries))]
    if not unknown:
        return 0
    _log.warning("older_database", erasures_to_repeat=len(unknown))
    found = _find(store, ledger, unknown)
    for entry in unknown:
        tenant, target = found.get(entry.erasure_id, ("", ErasureTarget(memory_ids=("-",))))
        salt = os.urandom(_SALT_BYTES)
        store.begin(
            NewErasure(
                erasure_id=entry.erasure_id,
                caller=tenant,
                tenant=tenant,
                target=target,
                salt=salt,
                target_hash=target_hash(salt, tenant, target),
                reason=_REASON,
                requested_by="restore",
                now_micros=time.time_ns() // 1000,
                is_repeated=True,
            )
        )
    return len(unknown)


def _find(
    store: ErasureStore, ledger: ErasureLedger, unknown: list[LedgerEntry]
) -> dict[str, tuple[str, ErasureTarget]]:
    """What the entries meant, by their ids, where the database has it."""
    by_hash = {digest: entry for entry in unknown for digest in entry.hashes}
    found: dict[str, tuple[str, ErasureTarget]] = {}
    names = {entry.names for entry in unknown if entry.kind is TargetKind.SCOPE}
    tenants = set[str]()
    for tenant, scope in store.all_scopes():
        tenants.add(tenant)
        carried = ErasureTarget(scope=scope).ids()
        for wanted in names:
            ids = {name: carried[name] for name in wanted if name in carried}
            entry = by_hash.get(ledger.hash_of(tenant, ids)) if len(ids) == len(wanted) else None
            if entry is not None:
                found[entry.erasure_id] = tenant, ErasureTarget(scope=Scope(**ids))
    for tenant in tenants:
        entry = by_hash.get(ledger.hash_of(tenant, {}))
        if entry is not None:
            found[entry.erasure_id] = tenant, ErasureTarget(whole_tenant=True)
    if any(entry.kind in {TargetKind.MEMORY, TargetKind.MEMORIES} for entry in unknown):
        found |= _find_memories(store, ledger, by_hash)
    return found


def _find_memories(
    store: ErasureStore, ledger: ErasureLedger, by_hash: dict[str, LedgerEntry]
) -> dict[str, tuple[str, ErasureTarget]]:
    meant: defaultdict[str, list[str]] = defaultdict(list)
    tenants: dict[str, str] = {}
    for tenant, memory_id in store.all_memories():
        entry = by_hash.get(ledger.hash_of(tenant, {"memory_id": memory_id}))
        if entry is not None:
            meant[entry.erasure_id].append(memory_id)
            tenants[entry.erasure_id] = tenant
    return {erasure_id: (tenants[erasure_id], _target_of(memory_ids)) for erasure_id, memory_ids in meant.items()}


def _target_of(memory_ids: list[str]) -> ErasureTarget:
    return (
        ErasureTarget(memory_id=memory_ids[0]) if len(memory_ids) == 1 else ErasureTarget(memory_ids=tuple(memory_ids))
    )
