"""The keyword arguments that the four clients share, each said once.

A method's `**options` takes the keys of the class that its signature names; an unknown one is a TypeError.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Literal, Required, TypedDict

import numpy as np
from numpy.typing import NDArray

from mnemic.model.filters import Filter
from mnemic.model.memory import MemoryInput, TimePrecision, TrustLevel
from mnemic.model.requests import AddMode, WaitFor
from mnemic.model.scope import ScopeMatch
from mnemic.model.search import SearchRequest, SignalWeights

# A moment: a datetime (a naive one is UTC), a day, or either as RFC 3339 text.
FriendlyTime = datetime | date | str
# An embedding: little-endian float32 bytes, or its numbers.
FriendlyVector = bytes | Sequence[float] | NDArray[np.floating]
# A message as text, as Mem0 and OpenAI shape it (`{"role": "user", "content": "…"}`), or typed.
FriendlyMessage = str | Mapping[str, object] | MemoryInput
FriendlyMessages = FriendlyMessage | Iterable[FriendlyMessage]
# Conditions as Mem0 shapes them, or typed; docs/clients.md says what they mean.
FriendlyFilter = Mapping[str, object] | Filter
FriendlyMatch = Literal["visible", "exact", "tenant"] | ScopeMatch
FriendlyMode = Literal["verbatim", "local", "llm", "hybrid"] | AddMode
FriendlyWait = Literal["indexed", "extracted"] | WaitFor
FriendlyMetadata = Mapping[str, object]
HitPart = Literal["scope", "metadata", "categories", "source_ids", "entities", "slot", "validity"]


class ScopeOptions(TypedDict, total=False):
    """Whose memory it is. Ids are opaque; `*` is the user who is called `*`.

    Attributes:
        user_id: The person or account.
        agent_id: The agent that holds the memory.
        session_id: The conversation or run in which it arose.
        run_id: Mem0's name for `session_id`.
        app_id: The application or product area.
    """

    user_id: str | None
    agent_id: str | None
    session_id: str | None
    run_id: str | None
    app_id: str | None


class AddOptions(ScopeOptions, total=False):
    """How to add.

    Attributes:
        metadata: Fields for all of the messages; a message's own win.
        event_time: When it happened, for messages that do not say.
        expire_time: After this they are no longer found, for messages that do not say.
        categories: Labels for all of the messages, besides their own.
        infer: Mem0's switch for extraction by a language model: True is the mode `llm`. None leaves it to `mode`, False
            keeps the text word for word.
        mode: What is made of messages: `verbatim` (default) keeps them word for word; `local` also draws facts from
            them by rules, behind the answer; `llm` by a language model; `hybrid` by both.
        wait_for: `indexed` (default), or `extracted`: the facts are found, too.
        extraction_instructions: What to look for, in words, for a language model.
        request_id: A UUID that makes a retry safe; the gRPC clients make one for each call unless given.
    """

    metadata: FriendlyMetadata | None
    event_time: FriendlyTime | None
    expire_time: FriendlyTime | None
    categories: Sequence[str]
    infer: bool | None
    mode: FriendlyMode
    wait_for: FriendlyWait
    extraction_instructions: str
    request_id: str


class AddItem(AddOptions, total=False):
    """One add of an ingest: its messages and how to add them."""

    messages: Required[FriendlyMessages]


class SelectOptions(ScopeOptions, total=False):
    """Which memories.

    Attributes:
        match: `visible` (default): each id that a memory carries equals the one asked for. `exact`: each id that is
            asked for is carried and equal. `tenant`: all of the tenant; no ids.
        filters: Conditions that narrow the scope further; an empty dict is none.
        as_of: As things stood then, in valid time.
        include_superseded: Also what newer memories have superseded.
    """

    match: FriendlyMatch
    filters: FriendlyFilter | None
    as_of: FriendlyTime | None
    include_superseded: bool


class SearchOptions(SelectOptions, total=False):
    """How to search.

    Attributes:
        vector: The question as an embedding of the store's model, instead of embedding the query.
        top_k: How many hits at most, 1 to 1,000; 10 unless said.
        limit: Mem0's older name for `top_k`.
        min_score: Hits below this are left out, 0 to 1; 0 unless said.
        threshold: Mem0's name for `min_score`.
        profile: A named set of weights: `balanced`, `fast`, `precise`, `semantic`, `lexical`; unless given, the node's
            default: `fast` with the static embedding model, else `balanced`.
        weights: Single weights by signal, over the profile's.
        min_revision: Wait until the node has reached this revision of a write.
        reference_time: What "now" is for expressions such as "last week"; the time of the call unless said.
        explain: Give what each score is made of.
        context_window: How many messages before and after each hit to give with it, 0 to 10 on each side.
        rerank: Have the configured reranker order the first hits anew; RERANKER_NOT_CONFIGURED where there is none.
        separate: Give each hit a rank of its own, also where several say the same.
        min_confidence: Give no hits with a lower `confidence` that there is an answer, 0 to 1; 0 unless said.
    """

    vector: FriendlyVector | None
    top_k: int | None
    limit: int | None
    min_score: float | None
    threshold: float | None
    profile: str
    weights: SignalWeights | Mapping[str, float] | None
    min_revision: int
    reference_time: FriendlyTime | None
    explain: bool
    context_window: int
    rerank: bool
    separate: bool
    min_confidence: float


class ComposeOptions(SearchOptions, total=False):
    """How to compose a context: how to search for it, and these.

    Without `top_k` the search asks for as many short memories as fill the budget.

    Attributes:
        token_budget: How many tokens the block may count, 16 to 100,000; 1,000 unless said.
        tokenizer: The tokenizer to count by, one that the node has; unless said the embedding model's own, or an
            estimate where that model runs elsewhere.
        include_instructions: Also what stands in the scope whatever is asked: instructions, and facts of the category
            `preference`. Yes unless said.
    """

    token_budget: int
    tokenizer: str
    include_instructions: bool


class SearchItem(SearchOptions, total=False):
    """One search of a batch: its query and how to search."""

    query: str


FriendlySearch = SearchItem | SearchRequest


class ListOptions(SelectOptions, total=False):
    """How to list.

    Attributes:
        page_size: At most so many a page: 50 unless said, at most 1,000.
        include_expired: Also what has expired.
        with_vectors: Also the embeddings.
    """

    page_size: int
    include_expired: bool
    with_vectors: bool


class WatchOptions(ScopeOptions, total=False):
    """What to watch.

    Attributes:
        match: As for a search.
        filters: As for a search; a change counts by what the memory is after it.
        after_revision: Start after this revision, of a write or of an earlier watch; unless given, what is to come.
        from_start: Start with the first revision that there is.
        heartbeat: After so many seconds without a change empty `WatchedChanges` come, 1 at least; 30 unless said.
    """

    match: FriendlyMatch
    filters: FriendlyFilter | None
    after_revision: int
    from_start: bool
    heartbeat: float


class UpdateOptions(ScopeOptions, total=False):
    """What changes; what is left out stays. The ids, if given, must be carried by the memory (else NOT_FOUND).

    Attributes:
        data: Mem0's older name for `text`.
        metadata: Replaces all of the caller's fields.
        name: The speaker's name.
        event_time: When it happened; None for unknown.
        event_time_end: End of a range, exclusive; None for a point in time.
        event_time_precision: How exactly the event time is known.
        expire_time: After this it is no longer found; None for never.
        categories: Replaces the labels.
        entities: Replaces the names that it mentions.
        importance: 0 to 1.
        pinned: Exempt from retention.
        trust: How far it may be trusted.
        slot: What it is about from now on: other memories of the scope in this slot are superseded.
        slot_value: The slot's value.
        vector: The embedding of the new text; None has it embedded again.
        expected_version: The version that the caller saw; VERSION_CONFLICT when it is no longer the current one.
        request_id: As for an add.
    """

    data: str
    metadata: FriendlyMetadata
    name: str
    event_time: FriendlyTime | None
    event_time_end: FriendlyTime | None
    event_time_precision: TimePrecision
    expire_time: FriendlyTime | None
    categories: Sequence[str]
    entities: Sequence[str]
    importance: float
    pinned: bool
    trust: TrustLevel
    slot: str
    slot_value: str
    vector: FriendlyVector | None
    expected_version: int
    request_id: str


class DeleteOptions(ScopeOptions, total=False):
    """How to delete; ids, expected version and request id as for an update."""

    expected_version: int
    request_id: str


class RestoreOptions(ScopeOptions, total=False):
    """How to restore; ids and request id as for an update."""

    request_id: str
