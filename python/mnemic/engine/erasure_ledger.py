"""What was erased, beside the database: so that an older database that is put in its place is erased again.

The ledger lies in the data directory and not in the database, since a backup that is restored brings the database of
its time. It names nobody: of what was erased it has keyed hashes (HMAC-SHA-256), whose key lies beside it. When a store
is opened, the entries that its database does not know are looked for among what it holds.
"""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from mnemic.engine.receipts import DIRECTORY_NAME, canonical_json, secret_of
from mnemic.model.erasure import ErasureTarget, TargetKind

_log = structlog.get_logger("mnemic.erasure")
LEDGER_FILE_NAME = "ledger.jsonl"
KEY_FILE_NAME = "ledger.key"
_HASH_BYTES = 16


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One erasure.

    Attributes:
        erasure_id: Its id.
        kind: What it destroyed.
        names: Which ids it named, of a scope.
        hashes: Of what it destroyed; one, or one for each of several memories.
    """

    erasure_id: str
    kind: TargetKind
    names: tuple[str, ...]
    hashes: frozenset[str]


class ErasureLedger:
    """The ledger of one data directory; one writer at a time.

    Args:
        directory: The data directory; None for one that remembers nothing.
    """

    def __init__(self, directory: Path | None) -> None:
        self._path = None if directory is None else directory / DIRECTORY_NAME / LEDGER_FILE_NAME
        self._key: bytes | None = None

    def entries(self) -> list[LedgerEntry]:
        """All of them, in order. The last line may be torn by a crash: its erasure is not done, and writes it again."""
        if self._path is None or not self._path.exists():
            return []
        return [
            LedgerEntry(line["erasure_id"], TargetKind(line["kind"]), tuple(line["names"]), frozenset(line["hashes"]))
            for line in self._lines()
        ]

    def add(self, erasure_id: str, tenant: str, target: ErasureTarget) -> None:
        """Adds an erasure, durably; again: no change."""
        if self._path is None or any(entry.erasure_id == erasure_id for entry in self.entries()):
            return
        names = sorted(target.ids()) if target.kind is TargetKind.SCOPE else []
        line = {
            "erasure_id": erasure_id,
            "kind": target.kind.value,
            "names": names,
            "hashes": sorted(self._hashes(tenant, target)),
        }
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            is_torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            os.write(descriptor, (b"\n" if is_torn else b"") + canonical_json(line) + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def hash_of(self, tenant: str, ids: Mapping[str, str]) -> str:
        """What stands for the ids of a scope, the id of a memory, or a whole tenant (no ids)."""
        described = canonical_json({"ids": dict(ids), "tenant": tenant})
        return hmac.digest(self._secret(), described, "sha256")[:_HASH_BYTES].hex()

    def _hashes(self, tenant: str, target: ErasureTarget) -> Iterator[str]:
        if target.kind is TargetKind.MEMORIES:
            yield from (self.hash_of(tenant, {"memory_id": memory_id}) for memory_id in target.memory_ids)
        else:
            yield self.hash_of(tenant, target.ids())

    def _secret(self) -> bytes:
        if self._key is None:
            if self._path is None:
                raise ValueError("a ledger without a directory has no key")
            self._key = secret_of(self._path.parent / KEY_FILE_NAME)
        return self._key

    def _lines(self) -> Iterator[dict[str, Any]]:
        if self._path is None:
            return
        for number, line in enumerate(self._path.read_bytes().splitlines(), 1):
            try:
                yield json.loads(line)
            except ValueError:
                if line:
                    _log.warning("erasure_ledger_line_unreadable", line=number)
