"""Who may call what: every method, every kind of credential, over a real server."""

from __future__ import annotations

import threading
import time

import grpc
import pytest
from access_support import METHODS, SECRET, call, make_key, make_tenant, revoke

from mnemic import _core
from mnemic.engine.engine import Engine
from mnemic.engine.settings import load_settings
from mnemic.model.access import AccessRole, Quota, Tenant
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.memory import MemoryInput
from mnemic.model.requests import MemoryUpdate
from mnemic.model.scope import Scope
from mnemic.server.authentication import FRONT_HEADER
from mnemic.v1 import admin_service_pb2, memory_service_pb2, resources_pb2

SEARCH = "/mnemic.v1.MemoryService/SearchMemories"
ROLES = _core.method_roles()


@pytest.fixture
def settings(tmp_path):
    return load_settings(
        data_directory=tmp_path / "data",
        embedding={"provider": "static"},
        authentication={"mode": "keys+jwt", "jwt": {"algorithms": ["HS256"], "secret": SECRET}},
    )


def refused_with(refused, channel, path, data=b"", metadata=()):
    return refused(lambda request, **_: call(channel, path, request, metadata), data)


def status_of(channel, path, metadata) -> grpc.StatusCode:
    try:
        call(channel, path, b"", metadata)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def test_the_table_of_roles_has_every_method_of_the_contract_and_no_other():
    assert set(ROLES) == set(METHODS)


def test_a_revoked_key_is_worthless_when_the_revocation_answers(engine, channel, admin, refused):
    operator, key = make_key(engine, AccessRole.OPERATOR), make_key(engine, AccessRole.READ)
    search = memory_service_pb2.SearchMemoriesRequest(
        scope=resources_pb2.Scope(user_id="anna"), query="tea"
    ).SerializeToString()
    call(channel, SEARCH, search, key.metadata)
    answer = admin.RevokeApiKey(
        admin_service_pb2.RevokeApiKeyRequest(key_id=key.key_id), metadata=operator.metadata, timeout=20
    )
    assert answer.api_key.HasField("revoke_time")
    assert refused_with(refused, channel, SEARCH, search, key.metadata).reason == "UNAUTHENTICATED"


def test_a_stream_ends_when_its_credential_does(engine, memories):
    key = make_key(engine, AccessRole.WRITE)
    add = memory_service_pb2.AddMemoriesRequest(scope=resources_pb2.Scope(user_id="anna"), texts=["tea"])
    answered = threading.Event()

    def steps():
        yield memory_service_pb2.IngestMemoriesRequest(add=add)
        assert answered.wait(20)
        yield memory_service_pb2.IngestMemoriesRequest(add=add)

    answers = memories.IngestMemories(steps(), metadata=key.metadata, timeout=20)
    assert next(answers).added.memories
    revoke(engine, key)
    answered.set()
    with pytest.raises(grpc.RpcError) as caught:
        next(answers)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert engine.stats("default").store.memories == 1


def test_a_credential_that_comes_too_often_is_told_when_to_come_again(engine, channel, refused):
    key = make_key(engine, AccessRole.READ, requests_per_second=0.5, request_burst=2)
    path = "/mnemic.v1.MemoryService/ListScopes"
    for _ in range(2):
        call(channel, path, b"", key.metadata)
    refusal = refused_with(refused, channel, path, metadata=key.metadata)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED")
    assert 0 < refusal.retry_after_seconds <= 2.01
    assert status_of(channel, path, make_key(engine, AccessRole.READ).metadata) is grpc.StatusCode.OK


@pytest.mark.parametrize("front", [False], ids=["python"])
def test_only_the_front_of_this_process_has_counted_a_call_already(engine, server, channel, refused):
    key = make_key(engine, AccessRole.READ, requests_per_second=0.1, request_burst=1)
    path = "/mnemic.v1.MemoryService/ListScopes"
    relayed = (*key.metadata, (FRONT_HEADER, server.gate.front_secret))
    for _ in range(3):
        call(channel, path, b"", relayed)
    call(channel, path, b"", key.metadata)
    assert refused_with(refused, channel, path, metadata=(*key.metadata, (FRONT_HEADER, "guess"))).reason == (
        "QUOTA_EXCEEDED"
    )
    without = ((FRONT_HEADER, server.gate.front_secret),)
    assert refused_with(refused, channel, path, metadata=without).reason == "UNAUTHENTICATED"


@pytest.mark.parametrize("front", [True], ids=["front"])
def test_a_call_through_the_front_is_counted_once_whatever_it_says_of_itself(engine, server, channel, refused):
    key = make_key(engine, AccessRole.READ, requests_per_second=0.1, request_burst=3)
    path = "/mnemic.v1.MemoryService/ListScopes"
    metadata = (*key.metadata, (FRONT_HEADER, server.gate.front_secret))
    for _ in range(3):
        call(channel, path, b"", metadata)
    assert refused_with(refused, channel, path, metadata=metadata).reason == "QUOTA_EXCEEDED"


def test_uses_are_noted_to_the_minute(settings):
    before = time.time_ns() // 1000
    with Engine.open(settings) as engine:
        key, other = make_key(engine, AccessRole.READ), make_key(engine, AccessRole.READ)
        engine.authority.start()
        engine.authority.authenticator.authenticate(f"Bearer {key.secret}".encode(), before)
    with Engine.open(settings) as engine:
        assert engine.authority.find_key(key.key_id).last_use_time_micros == before - before % 60_000_000
        assert engine.authority.find_key(other.key_id).last_use_time_micros is None
        # Keys that are good are so after a start as well, and those that are not are not.
        assert (
            engine.authority.authenticator.authenticate(f"Bearer {key.secret}".encode(), before).subject == key.key_id
        )


def test_secrets_are_nowhere_on_disk(settings):
    with Engine.open(settings) as engine:
        key = make_key(engine, AccessRole.READ)
    for file in settings.data_directory.rglob("*"):
        assert not file.is_file() or key.secret.encode() not in file.read_bytes()


class TestQuotas:
    def test_a_tenant_holds_no_more_memories_than_it_may(self, engine):
        engine.authority.create_tenant(Tenant("small", quota=Quota(max_memories=2)), caller="default")
        make_tenant(engine, "free")
        first = add(engine, "small", "one", "two")
        with pytest.raises(MnemicError) as caught:
            add(engine, "small", "three")
        assert caught.value.reason is Reason.QUOTA_EXCEEDED
        assert caught.value.metadata == {"quota": "max_memories", "limit": "2", "held": "2", "requested": "1"}
        add(engine, "free", "one", "two", "three")
        engine.delete("small", first[0])
        add(engine, "small", "three")
        with pytest.raises(MnemicError, match="max_memories"):
            add(engine, "small", "four")
        assert engine.stats("small").store.memories == 2

    def test_a_tenant_holds_no_more_bytes_than_it_may(self, engine):
        engine.authority.create_tenant(Tenant("small", quota=Quota(max_bytes=10)), caller="default")
        (memory_id,) = add(engine, "small", "ääää")
        with pytest.raises(MnemicError, match="max_bytes"):
            add(engine, "small", "abc")
        with pytest.raises(MnemicError, match="max_bytes"):
            engine.update("small", memory_id, MemoryUpdate(fields=frozenset({"body"}), body="x" * 11))
        engine.update("small", memory_id, MemoryUpdate(fields=frozenset({"body"}), body="x" * 10))
        assert engine.stats("small").store.body_bytes == 10

    def test_a_tenant_above_a_lowered_quota_may_shrink(self, engine):
        make_tenant(engine, "acme")
        ids = add(engine, "acme", "one", "two", "three")

        def lower(tenant: Tenant) -> Tenant:
            return Tenant(
                tenant.tenant_id,
                quota=Quota(max_memories=1),
                create_time_micros=tenant.create_time_micros,
                version=tenant.version,
            )

        engine.authority.update_tenant("acme", lower, caller="default")
        engine.delete("acme", ids[0])
        with pytest.raises(MnemicError, match="max_memories"):
            add(engine, "acme", "four")

    def test_what_a_tenant_does_not_say_the_settings_say(self, tmp_path):
        limited = load_settings(
            data_directory=tmp_path / "limited", embedding={"provider": "static"}, limits={"tenant_memories": 1}
        )
        with Engine.open(limited) as engine:
            engine.authority.create_tenant(Tenant("large", quota=Quota(max_memories=3)), caller="default")
            add(engine, "large", "one", "two", "three")
            with pytest.raises(MnemicError, match="max_memories"):
                add(engine, "default", "one", "two")
            add(engine, "default", "one")


def add(engine, tenant, *texts):
    result = engine.add(tenant, Scope(user_id="anna"), [MemoryInput(body=text) for text in texts])
    return [item.memory_id for item in result.memories]
