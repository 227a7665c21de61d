"""The audit log: who read, wrote, erased and administered what, in entries that hold ids and hashes and no contents."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import IntEnum

from mnemic.model.memory import from_micros
from mnemic.model.scope import Scope

# An entry names at most so many memories; it counts all.
MAX_MEMORY_IDS = 1000
NO_HASH = bytes(32)
SYSTEM = "system"
# Who does what is no call: what the server begins by itself, and commands on a data directory.
SCHEDULE = "schedule"
LOCAL_COMMAND = "local command"


class AuditAction(IntEnum):
    """What kind of thing a call did; the numbers of `mnemic.v1.AuditAction`."""

    READ = 1
    WRITE = 2
    ERASE = 3
    ADMINISTER = 4
    AUTOMATIC = 5


@dataclass(slots=True, kw_only=True)
class AuditNote:
    """What is to be entered of a call, while it is carried out.

    Attributes:
        tenant: In whose log.
        principal: Who calls.
        action: What kind of thing it does.
        method: Its method.
        call_id: Its id.
        scope: The ids that it is about, if it names some.
        memory_ids: The memories that it is about.
        is_entered: Whether a commit of it has an entry already, in the same transaction.
    """

    tenant: str
    principal: str
    action: AuditAction
    method: str
    call_id: str
    scope: Scope = field(default_factory=Scope)
    memory_ids: Sequence[str] = ()
    is_entered: bool = False


# The call that the running thread carries out, if it is audited: what it commits is entered with the commit.
CURRENT_NOTE: ContextVar[AuditNote | None] = ContextVar("CURRENT_NOTE", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """What is to be entered, before the log numbers it; the attributes are those of `AuditEntry`."""

    event_time_micros: int
    principal: str
    action: AuditAction
    method: str
    code: int
    scope: Scope
    memory_ids: Sequence[str]
    memory_count: int
    revision: int
    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One entry of a tenant's log; the fields of `mnemic.v1.AuditEntry`."""

    sequence: int
    event_time_micros: int
    principal: str
    action: AuditAction
    method: str
    code: int
    scope_hashes: tuple[str, ...]
    memory_ids: tuple[str, ...]
    memory_count: int
    revision: int
    call_id: str
    previous_hash: bytes
    entry_hash: bytes = b""

    def document(self) -> bytes:
        """What the hash is of, besides the hash before: canonical JSON (RFC 8785) in UTF-8.

        All names are ASCII and all numbers whole and below 2^53, so sorted names without white space are its form.
        """
        return json.dumps(
            {
                "action": f"AUDIT_ACTION_{self.action.name}",
                "callId": self.call_id,
                "code": self.code,
                "eventTime": from_micros(self.event_time_micros).replace(tzinfo=None).isoformat(timespec="microseconds")
                + "Z",
                "memoryCount": self.memory_count,
                "memoryIds": list(self.memory_ids),
                "method": self.method,
                "principal": self.principal,
                "revision": self.revision,
                "scopeHashes": list(self.scope_hashes),
                "sequence": self.sequence,
            },
            ensure_ascii=False,
            separators=(",", ":"),
            sort_keys=True,
        ).encode("utf-8", "replace")

    def expected_hash(self) -> bytes:
        """SHA-256 of the hash before and the document."""
        return hashlib.sha256(self.previous_hash + self.document()).digest()


def scope_hashes(salt: bytes, scope: Scope) -> tuple[str, ...]:
    """The ids of a scope as hashes that only who has the salt can try: user, agent, session, app; none without ids."""
    if scope.is_empty:
        return ()
    ids = (("user", scope.user_id), ("agent", scope.agent_id), ("session", scope.session_id), ("app", scope.app_id))
    return tuple("" if value is None else _hashed(salt, f"{kind}\0{value}") for kind, value in ids)


def _hashed(salt: bytes, text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=salt, digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class ChainState:
    """How far a chain was verified.

    Attributes:
        entries: How many entries were looked at.
        last_sequence: The number of the last.
        last_hash: Its hash: whoever keeps it can tell later that nothing before it was changed or cut off.
    """

    entries: int
    last_sequence: int
    last_hash: bytes


class BrokenChainError(Exception):
    """An audit log in which something was changed, left out or put in; the message says where."""


def verify_chain(entries: Iterable[AuditEntry]) -> ChainState:
    """Follows the hashes of entries, which must be consecutive.

    Raises:
        BrokenChainError: An entry is not what it was, or one is missing.
    """
    count, sequence, previous = 0, 0, NO_HASH
    for entry in entries:
        if count == 0 and entry.sequence > 1:
            # A part of a log: what came before it is taken as its first entry says.
            sequence, previous = entry.sequence - 1, entry.previous_hash
        if entry.sequence != sequence + 1:
            raise BrokenChainError(f"entry {sequence + 1} is missing: {entry.sequence} follows {sequence}")
        if entry.previous_hash != previous:
            raise BrokenChainError(f"entry {entry.sequence} does not follow the entry before it")
        if entry.expected_hash() != entry.entry_hash:
            raise BrokenChainError(f"entry {entry.sequence} is not what was entered")
        count, sequence, previous = count + 1, entry.sequence, entry.entry_hash
    return ChainState(count, sequence, previous)
