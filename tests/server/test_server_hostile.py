"""Well-formed messages with hostile contents are answered, or refused as INVALID_ARGUMENT naming the field."""

from hostile_requests import filters, inputs, searches
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mnemic.model.errors import Code, MnemicError
from mnemic.model.scope import Scope
from mnemic.server import from_proto
from mnemic.v1 import memory_service_pb2


def answered_or_refused(call):
    """What it gives; None for a refusal that says which field is to blame. Any other failure passes through."""
    try:
        return call()
    except MnemicError as refusal:
        if refusal.code is not Code.INVALID_ARGUMENT or not refusal.violations or not refusal.violations[0].field:
            raise
        return None


@given(request=searches)
@hypothesis_settings(max_examples=300)
def test_any_search_is_answered_or_refused_by_its_field(engine, request):
    answered_or_refused(lambda: engine.search("hostile", from_proto.search_request(request)))


@given(inputs=st.lists(inputs, min_size=1, max_size=3), condition=st.none() | filters)
@hypothesis_settings(max_examples=150)
def test_any_memory_is_found_again_or_refused_by_its_field(engine, inputs, condition):
    request = memory_service_pb2.AddMemoriesRequest(memories=inputs)
    scope = Scope(user_id="anna")
    added = answered_or_refused(lambda: engine.add("hostile", scope, from_proto.add_inputs(request)))
    if added is None:
        return
    for memory in added.memories:
        assert engine.get("hostile", memory.memory_id).body in [item.body for item in inputs]
    listing = memory_service_pb2.ListMemoriesRequest(scope={"user_id": "anna"}, filter=condition)
    answered_or_refused(lambda: engine.list_memories("hostile", from_proto.list_request(listing)))
    search = memory_service_pb2.SearchMemoriesRequest(scope={"user_id": "anna"}, query="banana", filter=condition)
    answered_or_refused(lambda: engine.search("hostile", from_proto.search_request(search)))
