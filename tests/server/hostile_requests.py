"""Well-formed messages with hostile contents."""

from hypothesis import strategies as st

from mnemic.v1 import memory_service_pb2, query_pb2, resources_pb2

I64 = st.sampled_from([-(2**63), -1, 0, 1, 2**53, 2**53 + 1, 2**63 - 1]) | st.integers(-(2**63), 2**63 - 1)
DOUBLES = st.sampled_from([0.0, -0.0, 5e-324, 2.0**63, 1e308, float("nan"), float("inf"), float("-inf")]) | st.floats()
WORDS = st.sampled_from(["", " ", "\0", "a", "metadata.k", "%", "\u202e", "e\u0301", "🙂"])
TEXTS = WORDS | st.text() | st.sampled_from([33, 300, 70_000]).map(lambda length: "x" * length)
values = st.one_of(
    st.builds(resources_pb2.MetadataValue, string_value=TEXTS),
    st.builds(resources_pb2.MetadataValue, integer_value=I64),
    st.builds(resources_pb2.MetadataValue, number_value=DOUBLES),
    st.builds(resources_pb2.MetadataValue, boolean_value=st.booleans()),
    st.builds(
        resources_pb2.MetadataValue,
        string_list=st.builds(resources_pb2.StringList, values=st.lists(TEXTS, max_size=4)),
    ),
)


def mostly(good, hostile):
    """Good four times out of five, so that one bad field does not hide the others."""
    return st.integers(0, 4).flatmap(lambda side: good if side else hostile)


def optional(strategy):
    return mostly(st.none(), strategy)


FIELDS = ["metadata.k", "metadata.", "kind", "role", "name", "category", "entity", "slot", "user_id", "agent_id"]
FIELDS += ["session_id", "app_id", "event_time", "create_time", "confidence", "importance"]
comparisons = st.builds(
    query_pb2.Comparison,
    field=mostly(st.just("metadata.k") | st.sampled_from(FIELDS), TEXTS),
    operator=mostly(st.integers(1, 10), st.integers(-(2**31), 2**31 - 1)),
    values=mostly(
        st.lists(values, min_size=1, max_size=1),
        st.lists(values | st.just(resources_pb2.MetadataValue()), max_size=3)
        | st.just(5_000).map(lambda count: [resources_pb2.MetadataValue(integer_value=1)] * count),
    ),
)


def lists_of(inner):
    return st.builds(query_pb2.FilterList, filters=mostly(st.lists(inner, min_size=1, max_size=3), st.just([])))


filters = st.recursive(
    mostly(st.builds(query_pb2.Filter, comparison=comparisons), st.just(query_pb2.Filter())),
    lambda inner: st.one_of(
        st.builds(query_pb2.Filter, all_of=lists_of(inner)),
        st.builds(query_pb2.Filter, any_of=lists_of(inner)),
        st.builds(query_pb2.Filter, negation=inner),
    ),
    max_leaves=4,
)
timestamps = st.builds(dict, seconds=I64, nanos=st.sampled_from([0, -1, 999_999_999, 10**9, 2**31 - 1]))
ids = optional(TEXTS)
scopes = st.builds(resources_pb2.Scope, user_id=ids, agent_id=ids, session_id=ids, app_id=ids)
good_scopes = st.just(resources_pb2.Scope(user_id="anna"))
weights = st.builds(query_pb2.SignalWeights, vector=DOUBLES, lexical=DOUBLES, entity=DOUBLES, recency=DOUBLES)
FLOATS = [b"\x00\x00\x00\x00", b"\x01\x00\x00\x00", b"\xff\xff\x7f\x7f", b"\x00\x00\xc0\x7f"]  # 0, least, largest, NaN
vectors = st.binary(max_size=16) | st.sampled_from(FLOATS).map(lambda element: element * 256)


searches = st.builds(
    memory_service_pb2.SearchMemoriesRequest,
    scope=mostly(good_scopes, scopes),
    match=mostly(st.integers(0, 2), st.integers(-(2**31), 2**31 - 1)),
    query=mostly(st.just("banana"), TEXTS),
    vector=optional(vectors),
    filter=st.none() | filters,
    as_of=optional(timestamps),
    top_k=optional(st.sampled_from([-(2**31), -1, 0, 1, 1000, 1001, 2**31 - 1])),
    profile=optional(TEXTS),
    weights=optional(weights),
    min_score=optional(DOUBLES),
    explain=st.booleans(),
    include_superseded=st.booleans(),
)
inputs = st.builds(
    memory_service_pb2.MemoryInput,
    body=mostly(st.just("a banana"), TEXTS),
    kind=optional(st.integers(-(2**31), 2**31 - 1)),
    role=optional(st.integers(-1, 6)),
    name=optional(TEXTS),
    event_time=optional(timestamps),
    event_time_end=optional(timestamps),
    event_time_precision=optional(st.integers(-1, 9)),
    expire_time=optional(timestamps),
    metadata=mostly(st.just({}), st.dictionaries(TEXTS, values, max_size=3)),
    categories=optional(st.lists(TEXTS, max_size=40)),
    entities=optional(st.lists(TEXTS, max_size=70)),
    vector=optional(vectors),
    source_ids=optional(st.lists(TEXTS, max_size=3)),
    importance=optional(DOUBLES),
    pinned=st.booleans(),
    trust=optional(st.integers(-1, 9)),
)
