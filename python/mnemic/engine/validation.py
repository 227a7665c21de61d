"""What the engine accepts. Every refusal names the field, says why and what would be accepted.

Validation lives here and not in the server so that in-process callers and gRPC callers get the same answers.
"""

from __future__ import annotations

import math
import unicodedata
import uuid
from collections.abc import Mapping, Sequence

import numpy as np

from mnemic.engine.settings import Limits
from mnemic.model.context import MAX_TOKEN_BUDGET, MIN_TOKEN_BUDGET, ComposeRequest
from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.model.memory import MemoryInput, Metadata, metadata_to_json
from mnemic.model.requests import MemoryUpdate
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.model.search import MAX_CONTEXT_WINDOW, MAX_TOP_K, SearchRequest
from mnemic.model.watching import LEAST_HEARTBEAT_SECONDS, WatchRequest

MAX_ID_BYTES = 256
MAX_NAME_BYTES = 256
MAX_LABELS = 32
MAX_LABEL_BYTES = 128
MAX_ENTITIES = 64
MAX_SOURCES = 256
MAX_SUPERSEDED = 256
MAX_INSTRUCTIONS_BYTES = 4096
MAX_SLOT_BYTES = 256
MAX_SLOT_VALUE_BYTES = 1024
MAX_KEY_BYTES = 128
MAX_PAGE_SIZE = 1000
# Times that fit both a protobuf Timestamp and a Python datetime: years 1 to 9999.
MIN_TIME_MICROS = -62_135_596_800_000_000
MAX_TIME_MICROS = 253_402_300_799_999_999


def check_scope(scope: Scope, match: ScopeMatch | None = None, *, field: str = "scope") -> None:
    """Refuses ids that are malformed, and a scope that says too little or, with TENANT, too much.

    Args:
        scope: The ids.
        match: How they select; None for the scope of a new memory, which needs an id.
        field: Its path in the request.
    """
    for name in ("user_id", "agent_id", "session_id", "app_id"):
        value = getattr(scope, name)
        if value is not None:
            _check_id(f"{field}.{name}", value)
    if match is ScopeMatch.TENANT:
        if not scope.is_empty:
            raise invalid_field(field, "must be empty when match is TENANT; use EXACT to search one owner")
    elif scope.is_empty:
        description = "at least one of user_id, agent_id, session_id and app_id is needed"
        raise invalid_field(field, description, reason=Reason.SCOPE_MISSING)


def check_ids_filter(scope: Scope, *, field: str = "scope") -> None:
    """As `check_scope`, where an empty scope means everything of the tenant."""
    if not scope.is_empty:
        check_scope(scope, field=field)


def _check_id(field: str, value: str) -> None:
    if not isinstance(value, str):
        raise invalid_field(field, f"must be text, not {type(value).__name__}")
    if not value:
        raise invalid_field(field, "is empty; leave it out, or give 1 to 256 bytes")
    _check_size(field, value, MAX_ID_BYTES)
    if value != value.strip():
        raise invalid_field(field, "begins or ends with white space; strip it")
    # What is printable holds none; the converse is not so.
    if not value.isprintable() and any(unicodedata.category(character) == "Cc" for character in value):
        raise invalid_field(field, "holds a control character; use printable ones")


def _check_size(field: str, value: str, limit: int) -> int:
    try:
        actual = len(value.encode())
    except UnicodeEncodeError:
        raise invalid_field(field, "is not valid Unicode (a lone surrogate)", reason=Reason.MALFORMED_MESSAGE) from None
    if actual > limit:
        raise invalid_field(field, f"is {actual} bytes long; at most {limit} are accepted", limit_bytes=limit)
    return actual


def check_body(body: str, limits: Limits, field: str) -> None:
    """Refuses a text that is empty, all white space or over the limit."""
    if not isinstance(body, str):
        raise invalid_field(field, f"must be text, not {type(body).__name__}")
    if not body.strip():
        raise invalid_field(field, "is empty; give 1 byte or more that is not white space")
    try:
        actual = len(body.encode())
    except UnicodeEncodeError:
        raise invalid_field(field, "is not valid Unicode (a lone surrogate)", reason=Reason.MALFORMED_MESSAGE) from None
    if actual > limits.body_bytes:
        raise invalid_field(
            field,
            f"is {actual} bytes long; at most {limits.body_bytes} are accepted: split it",
            reason=Reason.BODY_TOO_LARGE,
            limit_bytes=limits.body_bytes,
            actual_bytes=actual,
        )
    if "\x00" in body:
        raise invalid_field(field, "holds a NUL character, which the store cannot keep")


def check_inputs(inputs: Sequence[MemoryInput], limits: Limits, *, now_micros: int) -> None:
    """Refuses an add whose inputs are none, too many or not acceptable one by one."""
    if not inputs:
        raise invalid_field("memories", "is empty; give 1 or more memories or texts")
    if len(inputs) > limits.memories_per_add:
        raise invalid_field(
            "memories",
            f"has {len(inputs)} entries; at most {limits.memories_per_add} are accepted: use IngestMemories for more",
        )
    for position, item in enumerate(inputs):
        path = f"memories[{position}]"
        check_body(item.body, limits, f"{path}.body")
        check_text(f"{path}.name", item.name, MAX_NAME_BYTES)
        check_times(item.event_time_micros, item.event_time_end_micros, f"{path}.event_time")
        check_expiry(item.expire_time_micros, now_micros, f"{path}.expire_time")
        check_metadata(item.metadata, limits, f"{path}.metadata")
        _check_labels(item.categories, f"{path}.categories", MAX_LABELS, MAX_LABEL_BYTES)
        _check_labels(item.entities, f"{path}.entities", MAX_ENTITIES, MAX_NAME_BYTES)
        _check_fraction(f"{path}.importance", item.importance)
        if len(item.source_ids) > MAX_SOURCES:
            raise invalid_field(f"{path}.source_ids", f"has {len(item.source_ids)} entries; at most {MAX_SOURCES}")
        for source, memory_id in enumerate(item.source_ids):
            check_memory_id(memory_id, f"{path}.source_ids[{source}]")
        check_slot(item.slot, item.slot_value, path)
        if len(item.supersedes) > MAX_SUPERSEDED:
            raise invalid_field(f"{path}.supersedes", f"has {len(item.supersedes)} entries; at most {MAX_SUPERSEDED}")
        for place, memory_id in enumerate(item.supersedes):
            check_memory_id(memory_id, f"{path}.supersedes[{place}]")


def check_update(changes: MemoryUpdate, limits: Limits, *, now_micros: int) -> None:
    """Refuses an update that changes nothing or to something not acceptable."""
    known = set(MemoryUpdate.__dataclass_fields__) - {"fields"}
    unknown = sorted(changes.fields - known)
    if unknown:
        raise invalid_field("update_mask", f"has no field {unknown[0]!r}; it takes any of {', '.join(sorted(known))}")
    if not changes.fields:
        raise invalid_field("update_mask", "names nothing to change")
    if "body" in changes.fields:
        check_body(changes.body, limits, "memory.body")
    if "name" in changes.fields:
        check_text("memory.name", changes.name, MAX_NAME_BYTES)
    if "event_time_micros" in changes.fields or "event_time_end_micros" in changes.fields:
        check_times(changes.event_time_micros, changes.event_time_end_micros, "memory.event_time")
    if "expire_time_micros" in changes.fields:
        check_expiry(changes.expire_time_micros, now_micros, "memory.expire_time")
    if "metadata" in changes.fields:
        check_metadata(changes.metadata, limits, "memory.metadata")
    if "categories" in changes.fields:
        _check_labels(changes.categories, "memory.categories", MAX_LABELS, MAX_LABEL_BYTES)
    if "entities" in changes.fields:
        _check_labels(changes.entities, "memory.entities", MAX_ENTITIES, MAX_NAME_BYTES)
    if "importance" in changes.fields:
        _check_fraction("memory.importance", changes.importance)
    for name, limit in (("slot", MAX_SLOT_BYTES), ("slot_value", MAX_SLOT_VALUE_BYTES)):
        if name in changes.fields:
            check_text(f"memory.{name}", getattr(changes, name), limit)


def check_slot(slot: str, value: str, path: str) -> None:
    """Refuses a slot that is no name, and a value without one."""
    check_text(f"{path}.slot", slot, MAX_SLOT_BYTES)
    check_text(f"{path}.slot_value", value, MAX_SLOT_VALUE_BYTES)
    if slot != slot.strip():
        raise invalid_field(f"{path}.slot", "begins or ends with white space; strip it")
    if value and not slot:
        raise invalid_field(f"{path}.slot_value", "needs a slot")


def check_text(field: str, value: str, limit: int) -> None:
    """Refuses what is no text, too long, or holds a NUL character."""
    if not isinstance(value, str):
        raise invalid_field(field, f"must be text, not {type(value).__name__}")
    _check_size(field, value, limit)
    if "\x00" in value:
        raise invalid_field(field, "holds a NUL character")


def _check_labels(labels: Sequence[str], field: str, count: int, size: int) -> None:
    if isinstance(labels, str):
        raise invalid_field(field, "must be a list of texts, not one text")
    if len(labels) > count:
        raise invalid_field(field, f"has {len(labels)} entries; at most {count} are accepted")
    for position, label in enumerate(labels):
        check_text(f"{field}[{position}]", label, size)
        if not label.strip():
            raise invalid_field(f"{field}[{position}]", "is empty")


def check_times(start: int | None, end: int | None, field: str) -> None:
    """Refuses a time outside years 1 to 9999, and a range without a start or that ends before it starts."""
    for name, value in ((field, start), (f"{field}_end", end)):
        if value is not None and not MIN_TIME_MICROS <= value <= MAX_TIME_MICROS:
            raise invalid_field(name, "lies outside years 1 to 9999")
    if end is not None and start is None:
        raise invalid_field(f"{field}_end", "needs event_time")
    if end is not None and start is not None and end <= start:
        raise invalid_field(f"{field}_end", "must lie after event_time")


def check_expiry(expire: int | None, now_micros: int, field: str) -> None:
    """Refuses an expiry that has passed."""
    if expire is None:
        return
    check_times(expire, None, field)
    if expire <= now_micros:
        raise invalid_field(field, "lies in the past; give a time to come, or none")


def check_metadata(metadata: Metadata, limits: Limits, field: str) -> None:
    """Refuses metadata that is too large or holds what JSON and the filters cannot."""
    if not isinstance(metadata, Mapping):
        raise invalid_field(field, f"must be a mapping, not {type(metadata).__name__}")
    if len(metadata) > limits.metadata_keys:
        raise invalid_field(field, f"has {len(metadata)} keys; at most {limits.metadata_keys} are accepted")
    for key, value in metadata.items():
        if not isinstance(key, str) or not key:
            raise invalid_field(field, f"has the key {key!r}; keys are texts that are not empty")
        check_text(f"{field}[{key!r}]", key, MAX_KEY_BYTES)
        _check_metadata_value(f"{field}[{key!r}]", value)
    size = len(metadata_to_json(metadata).encode())
    if size > limits.metadata_bytes:
        raise invalid_field(field, f"is {size} bytes as JSON; at most {limits.metadata_bytes} are accepted")


def _check_metadata_value(field: str, value: object) -> None:
    if isinstance(value, bool):
        return
    if isinstance(value, str):
        check_text(field, value, 1 << 20)
    elif isinstance(value, int):
        if not -(1 << 63) <= value < 1 << 63:
            raise invalid_field(field, "is an integer of more than 64 bits")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise invalid_field(field, f"is {value}; numbers must be finite")
    elif isinstance(value, tuple):
        for position, item in enumerate(value):
            check_text(f"{field}[{position}]", item, 1 << 20)
    else:
        kinds = "text, integer, number, truth value or a tuple of texts"
        raise invalid_field(field, f"is a {type(value).__name__}; values are {kinds}")


def _check_fraction(field: str, value: float) -> None:
    if not (isinstance(value, int | float) and 0.0 <= value <= 1.0):
        raise invalid_field(field, f"is {value!r}; it must lie between 0 and 1")


def check_vector(vector: bytes, dimension: int, field: str) -> bytes:
    """The vector at unit length.

    Args:
        vector: Little-endian float32, `dimension * 4` bytes.
        dimension: What the store's model gives.
        field: Its path in the request.

    Raises:
        MnemicError: DIMENSION_MISMATCH or VECTOR_NOT_FINITE.
    """
    if len(vector) != dimension * 4:
        actual = f"{len(vector)} bytes" if len(vector) % 4 else f"{len(vector) // 4} dimensions"
        raise invalid_field(
            field,
            f"has {actual}; the store's model has {dimension} dimensions ({dimension * 4} bytes of float32)",
            reason=Reason.DIMENSION_MISMATCH,
            expected_dimension=dimension,
            actual_bytes=len(vector),
        )
    values = np.frombuffer(vector, dtype="<f4").astype(np.float64)
    norm = float(np.linalg.norm(values))
    if not math.isfinite(norm):
        raise invalid_field(field, "holds NaN or infinity", reason=Reason.VECTOR_NOT_FINITE)
    if norm == 0.0:
        raise invalid_field(field, "is all zeros, which has no direction", reason=Reason.VECTOR_NOT_FINITE)
    return (values / norm).astype("<f4").tobytes()


def check_search(request: SearchRequest, limits: Limits) -> None:
    """Refuses a search that asks nothing, asks for too much or of an unknown scope."""
    check_scope(request.scope, request.match)
    if not request.query.strip() and request.vector is None:
        raise invalid_field("query", "is empty and no vector is given; give at least one of them")
    check_text("query", request.query, limits.query_bytes)
    if isinstance(request.top_k, bool) or not isinstance(request.top_k, int) or not 1 <= request.top_k <= MAX_TOP_K:
        raise invalid_field("top_k", f"is {request.top_k}; 1 to {MAX_TOP_K} are accepted")
    _check_fraction("min_score", request.min_score)
    _check_fraction("min_confidence", request.min_confidence)
    window = request.context_window
    if isinstance(window, bool) or not isinstance(window, int) or not 0 <= window <= MAX_CONTEXT_WINDOW:
        raise invalid_field("context_window", f"is {window}; 0 to {MAX_CONTEXT_WINDOW} are accepted")
    if request.min_revision < 0:
        raise invalid_field("min_revision", "is negative; give a revision from a write's answer, or 0")
    if request.as_of_micros is not None:
        check_times(request.as_of_micros, None, "as_of")
    if request.reference_time_micros is not None:
        check_times(request.reference_time_micros, None, "reference_time")


def check_compose(request: ComposeRequest, limits: Limits) -> None:
    """Refuses a context that is too small or too large, and a search that is not acceptable."""
    budget = request.token_budget
    is_whole = isinstance(budget, int) and not isinstance(budget, bool)
    if not (is_whole and MIN_TOKEN_BUDGET <= budget <= MAX_TOKEN_BUDGET):
        raise invalid_field("token_budget", f"is {budget}; {MIN_TOKEN_BUDGET} to {MAX_TOKEN_BUDGET} are accepted")
    check_text("tokenizer", request.tokenizer, MAX_NAME_BYTES)
    try:
        check_search(request.search, limits)
    except MnemicError as error:
        raise error.within("search") from error


def check_watch(request: WatchRequest) -> None:
    """Refuses a bad watch; its filter is checked where it is compiled."""
    check_scope(request.scope, request.match)
    if request.after_revision < 0:
        raise invalid_field("after_revision", "is negative; give the revision of an answer, or 0 for from now on")
    if request.after_revision and request.from_start:
        raise invalid_field("from_start", "cannot be given together with after_revision; give one of them")
    if not request.heartbeat_seconds >= LEAST_HEARTBEAT_SECONDS:
        raise invalid_field("heartbeat", f"is shorter than {LEAST_HEARTBEAT_SECONDS:g} s, the least that is accepted")


def check_memory_id(memory_id: str, field: str = "memory_id") -> str:
    """The id in its canonical form.

    Raises:
        MnemicError: INVALID_FIELD when it is not a UUID.
    """
    if isinstance(memory_id, str) and len(memory_id) == len("00000000-0000-0000-0000-000000000000"):
        try:
            return str(uuid.UUID(memory_id))
        except ValueError:
            pass
    shown = memory_id[:64] if isinstance(memory_id, str) else memory_id
    raise invalid_field(field, f"{shown!r} is not a memory id; they are UUIDs, as AddMemories gave them")


def check_request_id(request_id: str) -> None:
    """Refuses a request id that is given and is not a UUID."""
    if request_id:
        try:
            uuid.UUID(request_id)
        except ValueError:
            description = f"{request_id[:64]!r} is not a UUID; make one per logical call, or leave it out"
            raise invalid_field("request_id", description) from None


def page_size(asked: int, default: int) -> int:
    """How many entries a page has: the default for 0, never above 1,000."""
    if asked < 0:
        raise invalid_field("page_size", f"is {asked}; give 0 for the default, or up to {MAX_PAGE_SIZE}")
    return min(asked or default, MAX_PAGE_SIZE)
