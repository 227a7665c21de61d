"""Calls that come too late or too early, and bytes at random; tests/conformance holds the other refusals."""

import time
import uuid

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from memory_requests import ANNA, adding, nested, searching

from mnemic.engine.engine import Engine
from mnemic.engine.settings import ServerSettings, load_settings
from mnemic.server.server import MnemicServer
from mnemic.v1 import admin_service_pb2, lifecycle_service_pb2, query_pb2, resources_pb2
from mnemic.v1 import memory_service_pb2 as pb

TIMEOUT = 20.0
Input = pb.MemoryInput


@pytest.fixture(scope="module")
def server_settings():
    return ServerSettings(address="127.0.0.1:0")


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """One for all: a refused call leaves nothing behind that another test could meet."""
    settings = load_settings(data_directory=tmp_path_factory.mktemp("data"), embedding={"provider": "static"})
    with Engine.open(settings, pull_missing_model=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def server(engine, server_settings):
    with MnemicServer(engine, server_settings) as started:
        yield started


def test_a_past_deadline_is_not_begun(memories, refused, add, engine):
    add("warm")
    before = engine.revision()
    refusal = refused(memories.AddMemories, adding(Input(body="late")), timeout=-1.0)
    assert refusal.code is grpc.StatusCode.DEADLINE_EXCEEDED
    time.sleep(0.1)
    assert engine.revision() == before


def test_a_revision_that_does_not_come(memories, refused, add):
    add("one")
    started = time.monotonic()
    refusal = refused(memories.SearchMemories, searching(min_revision=10**9), timeout=0.5)
    assert time.monotonic() - started < 5
    assert refusal.code in {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.FAILED_PRECONDITION}


UNARY = [
    method
    for module, name in (
        (pb, "MemoryService"),
        (lifecycle_service_pb2, "LifecycleService"),
        (admin_service_pb2, "AdminService"),
    )
    for method in module.DESCRIPTOR.services_by_name[name].methods
    if not (method.client_streaming or method.server_streaming)
]
SEEDS = [
    adding(Input(body="x", metadata={"a": resources_pb2.MetadataValue(integer_value=1)}, vector=b"1234")),
    searching(filter=nested(3), weights=query_pb2.SignalWeights(vector=0.5), read_mask=FieldMask(paths=["scope"])),
    pb.ListMemoriesRequest(scope=ANNA, page_token="e30"),  # noqa: S106 (a page token)
    pb.UpdateMemoryRequest(memory=resources_pb2.Memory(memory_id=str(uuid.UUID(int=7)), body="x"), request_id="x"),
]


@st.composite
def damaged_bytes(draw) -> bytes:
    """A message with some bytes changed, cut or added; or any bytes."""
    data = bytearray(draw(st.sampled_from([seed.SerializeToString() for seed in SEEDS])))
    for _ in range(draw(st.integers(0, 6))):
        position = draw(st.integers(0, max(len(data) - 1, 0)))
        data[position : position + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return draw(st.sampled_from([bytes(data), draw(st.binary(max_size=64))]))


@given(method=st.sampled_from(UNARY), data=damaged_bytes())
@hypothesis_settings(max_examples=300)
def test_no_bytes_make_the_server_fail(channel, method, data):
    raw = channel.unary_unary(f"/{method.containing_service.full_name}/{method.name}")
    try:
        raw(data, timeout=TIMEOUT)
    except grpc.RpcError as error:
        defects = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED}
        if error.code() in defects:
            raise
