"""Friendly arguments to domain requests: the one place for all four clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Unpack

from mnemic.client.filters import compile_filters
from mnemic.client.inputs import as_text, is_day, memory_inputs, metadata_of, micros, named, texts_of, vector_bytes
from mnemic.client.options import (
    AddItem,
    DeleteOptions,
    FriendlyMatch,
    FriendlyMessages,
    FriendlyMetadata,
    FriendlyMode,
    FriendlySearch,
    FriendlyTime,
    FriendlyVector,
    FriendlyWait,
    RestoreOptions,
    ScopeOptions,
    SearchOptions,
    SelectOptions,
    UpdateOptions,
)
from mnemic.model.context import DEFAULT_TOKEN_BUDGET, ComposeRequest, hits_for_budget
from mnemic.model.errors import MnemicError, invalid_field
from mnemic.model.memory import MemoryInput, TimePrecision
from mnemic.model.requests import AddMode, ListRequest, MemoryUpdate, WaitFor
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.model.search import DEFAULT_TOP_K, NO_WEIGHTS, SearchRequest, SignalWeights
from mnemic.model.watching import DEFAULT_HEARTBEAT_SECONDS, WatchRequest

_SCOPE_IDS = tuple(field.name for field in fields(Scope))


@dataclass(frozen=True, slots=True)
class AddRequest:
    """One add."""

    scope: Scope
    memories: tuple[MemoryInput, ...]
    request_id: str = ""
    mode: AddMode = AddMode.VERBATIM
    wait_for: WaitFor = WaitFor.INDEXED
    extraction_instructions: str = ""


@dataclass(frozen=True, slots=True)
class UpdateRequest:
    """One update; `scope` None leaves the memory's ids unchecked."""

    memory_id: str
    changes: MemoryUpdate
    scope: Scope | None
    expected_version: int = 0
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class DeleteRequest:
    """One deletion; `scope` as for an update."""

    memory_id: str
    scope: Scope | None
    expected_version: int = 0
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class RestoreRequest:
    """One restoration; `scope` as for an update."""

    memory_id: str
    scope: Scope | None
    request_id: str = ""


def scope_of(
    *,
    user_id: str | None = None,
    agent_id: str | None = None,
    session_id: str | None = None,
    run_id: str | None = None,
    app_id: str | None = None,
) -> Scope:
    """The scope of the ids given; it may be empty.

    Raises:
        MnemicError: INVALID_FIELD for an id that is no text, and for two different session ids.
    """
    session_id = _either(session_id, run_id, "session_id", "run_id")
    scope = Scope(user_id, agent_id, session_id, app_id)
    for name in _SCOPE_IDS:
        value = getattr(scope, name)
        if value is not None:
            as_text(value, f"scope.{name}")
    return scope


def optional_scope(**ids: Unpack[ScopeOptions]) -> Scope | None:
    """The scope of the ids given, None without any: for calls by memory id."""
    scope = scope_of(**ids)
    return None if scope.is_empty else scope


def add_request(
    messages: FriendlyMessages,
    *,
    metadata: FriendlyMetadata | None = None,
    event_time: FriendlyTime | None = None,
    expire_time: FriendlyTime | None = None,
    categories: Sequence[str] = (),
    infer: bool | None = None,
    mode: FriendlyMode = AddMode.VERBATIM,
    wait_for: FriendlyWait = WaitFor.INDEXED,
    extraction_instructions: str = "",
    request_id: str = "",
    **ids: Unpack[ScopeOptions],
) -> AddRequest:
    """The add that `AddOptions` describe."""
    asked = named(AddMode, mode, "mode")
    if infer is not None and asked not in {AddMode.VERBATIM, AddMode.LLM if infer else AddMode.VERBATIM}:
        raise invalid_field("infer", f"is {infer}, and mode is {asked.name.lower()!r}; give one of them")
    if infer:
        asked = AddMode.LLM
    common: dict[str, Any] = {"metadata": {} if metadata is None else metadata_of(metadata, "metadata")}
    common["categories"] = texts_of(categories, "categories")
    if event_time is not None:
        common["event_time_micros"] = micros(event_time, "event_time")
        common["event_time_precision"] = TimePrecision.DAY if is_day(event_time) else TimePrecision.UNSPECIFIED
    if expire_time is not None:
        common["expire_time_micros"] = micros(expire_time, "expire_time")
    memories = tuple(_with_common(item, common) for item in memory_inputs(messages))
    return AddRequest(
        scope_of(**ids),
        memories,
        request_id,
        asked,
        named(WaitFor, wait_for, "wait_for"),
        as_text(extraction_instructions, "extraction_instructions"),
    )


def _with_common(item: MemoryInput, common: Mapping[str, Any]) -> MemoryInput:
    """What is said for all messages, where the message does not say it itself."""
    values: dict[str, Any] = {}
    if common["metadata"]:
        values["metadata"] = {**common["metadata"], **item.metadata}
    if common["categories"]:
        values["categories"] = tuple(dict.fromkeys((*item.categories, *common["categories"])))
    if item.event_time_micros is None and "event_time_micros" in common:
        values["event_time_micros"] = common["event_time_micros"]
        values["event_time_precision"] = item.event_time_precision or common["event_time_precision"]
    if item.expire_time_micros is None and "expire_time_micros" in common:
        values["expire_time_micros"] = common["expire_time_micros"]
    return replace(item, **values) if values else item


def add_item_request(item: AddItem | AddRequest, field: str) -> AddRequest:
    """One add of an ingest.

    Raises:
        MnemicError: INVALID_FIELD when it is neither a dict with `messages` nor an `AddRequest`.
    """
    if isinstance(item, AddRequest):
        return item
    if not isinstance(item, Mapping) or "messages" not in item:
        raise invalid_field(field, "give a dict with `messages` and the keywords of `add`")
    try:
        return add_request(**item)
    except TypeError as error:
        raise invalid_field(field, str(error)) from error


def search_request(
    query: str = "",
    *,
    vector: FriendlyVector | None = None,
    top_k: int | None = None,
    limit: int | None = None,
    min_score: float | None = None,
    threshold: float | None = None,
    profile: str = "",
    weights: SignalWeights | Mapping[str, float] | None = None,
    min_revision: int = 0,
    reference_time: FriendlyTime | None = None,
    explain: bool = False,
    context_window: int = 0,
    rerank: bool = False,
    separate: bool = False,
    min_confidence: float = 0.0,
    **select: Unpack[SelectOptions],
) -> SearchRequest:
    """The search that `SearchOptions` describe."""
    count = _either(top_k, limit, "top_k", "limit")
    least = _either(min_score, threshold, "min_score", "threshold")
    return SearchRequest(
        query=as_text(query, "query"),
        vector=None if vector is None else vector_bytes(vector, "vector"),
        top_k=DEFAULT_TOP_K if count is None else count,
        min_score=0.0 if least is None else least,
        profile=profile,
        weights=_weights(weights),
        min_revision=min_revision,
        reference_time_micros=None if reference_time is None else micros(reference_time, "reference_time"),
        explain=explain,
        context_window=context_window,
        rerank=rerank,
        separate=separate,
        min_confidence=min_confidence,
        **_selection(**select),
    )


def compose_request(
    query: str = "",
    *,
    token_budget: int = DEFAULT_TOKEN_BUDGET,
    tokenizer: str = "",
    include_instructions: bool = True,
    **search: Unpack[SearchOptions],
) -> ComposeRequest:
    """The context that `ComposeOptions` describe."""
    if search.get("top_k") is None and search.get("limit") is None:
        search["top_k"] = hits_for_budget(token_budget)
    try:
        asked = search_request(query, **search)
    except MnemicError as error:
        raise error.within("search") from error
    return ComposeRequest(
        search=asked,
        token_budget=token_budget,
        tokenizer=as_text(tokenizer, "tokenizer"),
        include_instructions=include_instructions,
    )


def _weights(weights: SignalWeights | Mapping[str, float] | None) -> SignalWeights:
    if not weights:
        return NO_WEIGHTS
    if isinstance(weights, SignalWeights):
        return weights
    names = [field.name for field in fields(SignalWeights)]
    for name in weights:
        if name not in names:
            raise invalid_field(f"weights.{name}", f"is no signal; there are {', '.join(names)}")
    return SignalWeights(**weights)


def search_item_request(item: FriendlySearch, field: str) -> SearchRequest:
    """One search of a batch.

    Raises:
        MnemicError: INVALID_FIELD when it is neither a dict of the keywords of `search` nor a `SearchRequest`.
    """
    if isinstance(item, SearchRequest):
        return item
    if not isinstance(item, Mapping):
        raise invalid_field(field, "give a dict with `query` and the keywords of `search`")
    try:
        return search_request(**item)
    except TypeError as error:
        raise invalid_field(field, str(error)) from error
    except MnemicError as error:
        raise error.within(field) from error


def search_requests(searches: Sequence[FriendlySearch]) -> list[SearchRequest]:
    """The searches of a batch."""
    return [search_item_request(item, f"searches[{position}]") for position, item in enumerate(searches)]


def list_request(
    *,
    page_token: str = "",
    page_size: int = 0,
    include_expired: bool = False,
    with_vectors: bool = False,
    **select: Unpack[SelectOptions],
) -> ListRequest:
    """The listing that `ListOptions` describe."""
    return ListRequest(
        page_token=page_token,
        page_size=page_size,
        include_expired=include_expired,
        with_vectors=with_vectors,
        **_selection(**select),
    )


def watch_request(
    *,
    match: FriendlyMatch = ScopeMatch.VISIBLE,
    filters: object = None,
    after_revision: int = 0,
    from_start: bool = False,
    heartbeat: float = DEFAULT_HEARTBEAT_SECONDS,
    **ids: Unpack[ScopeOptions],
) -> WatchRequest:
    """The watch that `WatchOptions` describe."""
    return WatchRequest(
        scope=scope_of(**ids),
        match=named(ScopeMatch, match, "match"),
        filter=compile_filters(filters),  # type: ignore[arg-type]  # it refuses what is no filter
        after_revision=after_revision,
        from_start=from_start,
        heartbeat_seconds=heartbeat,
    )


def most(top_k: int | None, limit: int | None) -> int | None:
    """How many memories at most; None for all.

    Raises:
        MnemicError: INVALID_FIELD when it is not a whole number above 0.
    """
    count = _either(top_k, limit, "top_k", "limit")
    if count is not None and (not isinstance(count, int) or count < 1):
        raise invalid_field("top_k", f"is {count!r}; give 1 or more, or leave it out for all")
    return count


def memory_ids_of(memory_ids: Sequence[str]) -> list[str]:
    """The ids of a read by ids.

    Raises:
        MnemicError: INVALID_FIELD for one text, whose letters would otherwise be taken for ids.
    """
    return list(texts_of(memory_ids, "memory_ids"))


def _selection(
    *,
    match: FriendlyMatch = ScopeMatch.VISIBLE,
    filters: object = None,
    as_of: FriendlyTime | None = None,
    include_superseded: bool = False,
    **ids: Unpack[ScopeOptions],
) -> dict[str, Any]:
    return {
        "scope": scope_of(**ids),
        "match": named(ScopeMatch, match, "match"),
        "filter": compile_filters(filters),  # type: ignore[arg-type]  # it refuses what is no filter
        "as_of_micros": None if as_of is None else micros(as_of, "as_of"),
        "include_superseded": include_superseded,
    }


_UPDATE_TIMES = ("event_time", "event_time_end", "expire_time")
_UPDATE_PLAIN = ("name", "event_time_precision", "importance", "pinned", "trust", "slot", "slot_value")


def update_request(memory_id: str, text: str | None = None, **options: Unpack[UpdateOptions]) -> UpdateRequest:
    """The update that `UpdateOptions` describe: what is given changes, also to None where None means none."""
    given: dict[str, Any] = dict(options)
    body = _either(text, given.pop("data", None), "text", "data")
    values: dict[str, Any] = {} if body is None else {"body": as_text(body, "text")}
    for name in _UPDATE_TIMES:
        if name in given:
            moment = given.pop(name)
            values[f"{name}_micros"] = None if moment is None else micros(moment, name)
            if name == "event_time" and "event_time_precision" not in given:
                # The new time is known as exactly as it is given, whatever the old one was.
                day = moment is not None and is_day(moment)
                values["event_time_precision"] = TimePrecision.DAY if day else TimePrecision.UNSPECIFIED
    values |= {name: given.pop(name) for name in _UPDATE_PLAIN if name in given}
    values |= {name: texts_of(given.pop(name), name) for name in ("categories", "entities") if name in given}
    if "metadata" in given:
        values["metadata"] = metadata_of(given.pop("metadata"), "metadata")
    if "vector" in given:
        vector = given.pop("vector")
        values["vector"] = None if vector is None else vector_bytes(vector, "vector")
    expected_version, request_id = given.pop("expected_version", 0), given.pop("request_id", "")
    scope = optional_scope(**given)
    if not values:
        # On the wire an empty mask means "whatever is set", which is not what a caller who gives nothing means.
        raise invalid_field("text", "nothing is given to change; give a text or another field of the memory")
    return UpdateRequest(
        memory_id, MemoryUpdate(fields=frozenset(values), **values), scope, expected_version, request_id
    )


def delete_request(memory_id: str, **options: Unpack[DeleteOptions]) -> DeleteRequest:
    """The deletion that `DeleteOptions` describe."""
    given: dict[str, Any] = dict(options)
    expected_version, request_id = given.pop("expected_version", 0), given.pop("request_id", "")
    return DeleteRequest(memory_id, optional_scope(**given), expected_version, request_id)


def restore_request(memory_id: str, **options: Unpack[RestoreOptions]) -> RestoreRequest:
    """The restoration that `RestoreOptions` describe."""
    given: dict[str, Any] = dict(options)
    request_id = given.pop("request_id", "")
    return RestoreRequest(memory_id, optional_scope(**given), request_id)


def _either(value: Any, alias: Any, name: str, alias_name: str) -> Any:  # noqa: ANN401 (of any one type)
    if value is not None and alias is not None and value != alias:
        raise invalid_field(name, f"is {value!r} and {alias_name}, which means the same, is {alias!r}; give one")
    return alias if value is None else value
