"""Who did what, as a real server enters it: with and without a front, reads too if that is asked."""

import grpc
import pytest
from access_support import METHODS, make_key, make_tenant

from mnemic.engine.settings import load_settings
from mnemic.model.access import AccessRole
from mnemic.model.audit import AuditAction, verify_chain
from mnemic.model.scope import Scope
from mnemic.server.auditing import action_of
from mnemic.v1 import admin_service_pb2, lifecycle_service_pb2, memory_service_pb2, resources_pb2

ANNA = resources_pb2.Scope(user_id="anna@example.org")
ADD = memory_service_pb2.AddMemoriesRequest(scope=ANNA, texts=["tea", "milk"])
SEARCH = memory_service_pb2.SearchMemoriesRequest(scope=ANNA, query="tea")


@pytest.fixture(params=[False, True], ids=["writes", "reads"])
def reads(request):
    return request.param


@pytest.fixture
def settings(tmp_path, reads):
    return load_settings(
        data_directory=tmp_path / "data",
        embedding={"provider": "static"},
        authentication={"mode": "keys"},
        audit={"reads": reads},
    )


def log_of(admin, key, **fields):
    request = admin_service_pb2.ExportAuditLogRequest(**fields)
    return [
        entry for answer in admin.ExportAuditLog(request, metadata=key.metadata, timeout=20) for entry in answer.entries
    ]


def name_of(entry):
    return entry.method.rpartition("/")[2]


def test_calls_are_entered_with_who_and_what(engine, memories, admin, reads):
    operator, key = make_key(engine, AccessRole.OPERATOR), make_key(engine, AccessRole.WRITE)
    call = {"metadata": (*key.metadata, ("x-request-id", "call-7")), "timeout": 20}
    added = memories.AddMemories(ADD, **call)
    ids = [item.memory_id for item in added.memories]
    for _ in range(2):
        found = memories.SearchMemories(SEARCH, **call)
    memories.GetMemory(memory_service_pb2.GetMemoryRequest(memory_id=ids[0]), **call)
    memories.DeleteMemory(memory_service_pb2.DeleteMemoryRequest(memory_id=ids[0], scope=ANNA), **call)
    with pytest.raises(grpc.RpcError):
        memories.DeleteMemory(memory_service_pb2.DeleteMemoryRequest(memory_id=ids[0]), **call)
    entries = [entry for entry in log_of(admin, operator) if name_of(entry) != "ExportAuditLog"]
    writes = [entry for entry in entries if entry.action == AuditAction.WRITE]
    assert [(name_of(entry), entry.code) for entry in writes] == [
        ("AddMemories", 0),
        ("DeleteMemory", 0),
        ("DeleteMemory", 5),
    ]
    first, deletion, _ = writes
    assert (first.principal, first.call_id, list(first.memory_ids)) == (key.key_id, "call-7", ids)
    assert (first.revision, first.memory_count) == (added.revision, 2)
    assert list(deletion.memory_ids) == ids[:1]
    assert first.scope_hashes == deletion.scope_hashes
    assert len(first.scope_hashes[0]) == 32
    seen = [entry for entry in entries if entry.action == AuditAction.READ]
    if not reads:
        assert seen == []
        return
    assert [name_of(entry) for entry in seen] == ["SearchMemories", "SearchMemories", "GetMemory"]
    assert set(seen[0].memory_ids) == {hit.memory_id for hit in found.hits}
    assert seen[0].scope_hashes == first.scope_hashes
    assert list(seen[2].memory_ids) == ids[:1]


def test_the_log_is_a_chain_and_the_tenants_own(engine, memories, admin):
    operator = make_key(engine, AccessRole.OPERATOR)
    make_tenant(engine, "acme")
    theirs = make_key(engine, AccessRole.ADMIN, "acme")
    for number in range(5):
        memories.AddMemories(
            memory_service_pb2.AddMemoriesRequest(scope=ANNA, texts=[f"tea {number}"]),
            metadata=theirs.metadata,
            timeout=20,
        )
    entries = log_of(admin, theirs)
    assert [entry.sequence for entry in entries] == list(range(1, 6))
    assert {entry.principal for entry in entries} == {theirs.key_id}
    assert verify_chain(next(iter(engine.audit.entries("acme")))).entries >= 5
    assert [entry.sequence for entry in log_of(admin, theirs, after_sequence=3)][:2] == [4, 5]
    # An operator may read it; it may not read another's.
    assert log_of(admin, operator, tenant_id="acme")[:5] == entries
    with pytest.raises(grpc.RpcError) as refused:
        log_of(admin, theirs, tenant_id="default")
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


def test_exports_and_administration_are_entered_wherever_writes_are(engine, channel, admin):
    operator = make_key(engine, AccessRole.OPERATOR)
    key = admin_service_pb2.CreateApiKeyRequest(
        api_key=admin_service_pb2.ApiKey(role=admin_service_pb2.ACCESS_ROLE_READ)
    )
    admin.CreateApiKey(key, metadata=operator.metadata, timeout=20)
    path = "/mnemic.v1.LifecycleService/ExportMemories"
    export = lifecycle_service_pb2.ExportMemoriesRequest(scope=ANNA).SerializeToString()
    list(channel.unary_stream(path)(export, metadata=operator.metadata, timeout=20))
    entries = {name_of(entry): entry for entry in log_of(admin, operator)}
    assert entries["CreateApiKey"].action == AuditAction.ADMINISTER
    assert entries["ExportMemories"].action == AuditAction.READ
    assert entries["ExportMemories"].scope_hashes


def test_each_step_of_an_ingest_is_entered(engine, memories, admin):
    operator = make_key(engine, AccessRole.OPERATOR)
    steps = [memory_service_pb2.IngestMemoriesRequest(add=ADD)] * 3
    list(memories.IngestMemories(iter(steps), metadata=operator.metadata, timeout=20))
    entries = [entry for entry in log_of(admin, operator) if name_of(entry) == "IngestMemories"]
    assert [entry.memory_count for entry in entries] == [2, 2, 2]


def test_who_follows_sees_what_comes(engine, memories, admin):
    operator = make_key(engine, AccessRole.OPERATOR)
    request = admin_service_pb2.ExportAuditLogRequest(follow=True)
    answers = admin.ExportAuditLog(request, metadata=operator.metadata, timeout=20)
    memories.AddMemories(ADD, metadata=operator.metadata, timeout=20)
    seen = (entry for answer in answers for entry in answer.entries)
    assert next(entry for entry in seen if name_of(entry) == "AddMemories").memory_count == 2
    answers.cancel()


def test_a_restricted_key_is_entered_in_its_tenants_log(engine, memories):
    key = make_key(engine, AccessRole.WRITE, scope=Scope(user_id="anna@example.org"))
    memories.AddMemories(ADD, metadata=key.metadata, timeout=20)
    [entries] = engine.audit.entries("default")
    assert [entry.principal for entry in entries] == [key.key_id]


def test_every_method_of_the_contract_is_of_some_kind():
    kinds = {path.rpartition("/")[2]: action_of(path.rpartition("/")[2]) for path in METHODS}
    assert {name for name, kind in kinds.items() if kind is AuditAction.ERASE} == {"EraseScope", "DeleteTenant"}
    assert kinds["AddMemories"] is AuditAction.WRITE
    assert {kinds[name] for name in ("SetRetentionPolicy", "CreateBackup", "RevokeApiKey")} == {AuditAction.ADMINISTER}
    reading = {name for name, kind in kinds.items() if kind is AuditAction.READ}
    assert not {name for name in reading if name.startswith(("Set", "Create", "Delete", "Update", "Run", "Revoke"))}
