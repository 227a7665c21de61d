"""What a receipt of an erasure says."""

from __future__ import annotations

from collections.abc import Sequence

from mnemic import __version__
from mnemic.engine.receipts import FORMAT, canonical_json, key_id, time_text
from mnemic.model.erasure import ErasedPlace, ErasureReceipt
from mnemic.store.erasure_interface import StoredErasure

# What an erasure does not reach, and why.
SURVIVES = (
    ("backups", "copies of the store made before live outside of it; one that is put in its place is erased again"),
    ("exports", "files that callers were given are theirs"),
    ("api_keys", "keys restricted to the scope stay, with its ids, until they are revoked and removed"),
    ("retention", "policies, what runs say of them and legal holds that name the scope stay, with its ids"),
    ("audit_log", "entries hold ids of calls and hashes, and no texts"),
    ("process_memory", "what a running process read before is overwritten as it is used again"),
    ("freed_blocks", "blocks of removed files and of the emptied log are the file system's, until it uses them again"),
)


def document_of(erasure: StoredErasure, cleaned: Sequence[ErasedPlace], *, store_id: str, end_micros: int) -> bytes:
    """The canonical document of an erasure that is done. It holds no text and no id of what was erased."""
    places = {place.place: place for place in (*erasure.places, *cleaned) if place.found or place.kept}
    return canonical_json(
        {
            "format": FORMAT,
            "software": f"mnemic {__version__}",
            "store_id": store_id,
            "erasure_id": erasure.erasure_id,
            "requested_by": erasure.requested_by,
            "reason": erasure.reason,
            "request_time": time_text(erasure.create_time_micros),
            "completion_time": time_text(end_micros),
            "revision": erasure.revision,
            "target": {
                "kind": erasure.kind.value,
                "salt": erasure.salt.hex(),
                "sha256": erasure.target_hash.hex(),
                "with_tenant": erasure.drops_tenant,
            },
            "places": [
                {
                    "place": place.place,
                    "found": place.found,
                    "destroyed": place.destroyed,
                    "kept": place.kept,
                    "kept_reason": place.kept_reason,
                }
                for _, place in sorted(places.items())
            ],
            "survives": [{"what": what, "why": why} for what, why in SURVIVES],
        }
    )


def receipt_of(stored: StoredErasure) -> ErasureReceipt | None:
    """The receipt of an erasure, once it is done."""
    if stored.document is None or stored.signature is None or stored.public_key is None:
        return None
    return ErasureReceipt(
        document=stored.document,
        signature=stored.signature,
        public_key=stored.public_key,
        key_id=key_id(stored.public_key),
    )
