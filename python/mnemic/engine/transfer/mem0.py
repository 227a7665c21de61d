"""What Mem0's `get_all` gives: `{"results": [...]}`, or the list alone, or one memory a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mnemic.engine.transfer.foreign import ForeignItem, metadata_of, role_of, scope_of, time_of
from mnemic.engine.transfer.json_stream import values
from mnemic.model.errors import MnemicError, invalid_field
from mnemic.model.memory import MemoryKind, Role
from mnemic.model.scope import Scope

_TEXTS = ("memory", "text", "data")


def read_mem0(chunks: Iterable[bytes]) -> Iterator[ForeignItem | MnemicError]:
    """The memories of a file, or why one cannot be taken.

    Raises:
        MnemicError: INVALID_FIELD when the file as a whole is not of this form.
    """
    order = 0
    for value in values(chunks):
        for item in _items(value):
            yield _read(item, order)
            order += 1


def _items(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        for key in ("results", "memories"):
            inner = value.get(key)
            if isinstance(inner, list):
                return inner
    return [value]


def _read(item: object, order: int) -> ForeignItem | MnemicError:
    if isinstance(item, MnemicError):
        return item
    if not isinstance(item, Mapping):
        return invalid_field("item", f"is a JSON {type(item).__name__}, not an object")
    try:
        return _memory(item, order)
    except MnemicError as error:
        return error


def _memory(item: Mapping[str, Any], order: int) -> ForeignItem:
    body = next((item[key] for key in _TEXTS if isinstance(item.get(key), str)), None)
    if body is None:
        raise invalid_field("memory", "is missing; the text of a memory of Mem0 is there")
    # Its own fields lie in `metadata`, where older versions also have the ids.
    inner = item.get("metadata")
    metadata = metadata_of(inner)
    ids = scope_of(item)
    older = scope_of(metadata)
    scope = Scope(*(own or other for own, other in zip(_ids(ids), _ids(older), strict=True)))
    for key in ("user_id", "agent_id", "run_id"):
        metadata.pop(key, None)
    identity = item.get("id")
    if isinstance(identity, str) and identity:
        metadata.setdefault("mem0_id", identity)
    else:
        identity = repr((body, order))
    created = _optional_time(item, "created_at")
    updated = _optional_time(item, "updated_at")
    expires = _optional_time(item, "expiration_date")
    role = item.get("role")
    return ForeignItem(
        identity=f"mem0:{identity}",
        scope=scope,
        kind=MemoryKind.FACT,
        body=body,
        role=role_of(role) if role else Role.NONE,
        name=item["actor_id"] if isinstance(item.get("actor_id"), str) else "",
        create_time_micros=created,
        update_time_micros=updated,
        expire_time_micros=expires,
        order=order,
        metadata=metadata,
        categories=_categories(item),
    )


def _ids(scope: Scope) -> tuple[str | None, ...]:
    return scope.user_id, scope.agent_id, scope.session_id, scope.app_id


def _optional_time(item: Mapping[str, Any], key: str) -> int | None:
    value = item.get(key)
    return None if value is None else time_of(value, key)


def _categories(item: Mapping[str, Any]) -> tuple[str, ...]:
    value = item.get("categories")
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        raise invalid_field("categories", "is no list of texts")
    return tuple(value)
