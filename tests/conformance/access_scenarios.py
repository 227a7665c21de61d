"""Who may call what: every method with every kind of credential, where servers ask for one."""

import time
import uuid

import grpc
from access_support import METHODS, token
from admin_scenarios import make_tenant
from wire import Wire, guarded_scenario

from mnemic import _core
from mnemic.model.access import AccessRole
from mnemic.v1 import admin_service_pb2, resources_pb2
from mnemic.v1 import memory_service_pb2 as pb

ROLES = _core.method_roles()
TEA = "green tea"


def make_key(wire: Wire, role: AccessRole, tenant_id: str = "", **fields) -> tuple[str, str]:
    """A key of a tenant: its id and its secret."""
    key = admin_service_pb2.ApiKey(role=int(role), **fields)
    made = wire.CreateApiKey(admin_service_pb2.CreateApiKeyRequest(tenant_id=tenant_id, api_key=key))
    return made.api_key.key_id, made.secret


def make_token(**claims) -> str:
    # Of this moment alone: all that are good here end at once, so that transcripts have no times in them.
    return token(**({"tenant": "default", "role": "operator", "exp": 4_000_000_000} | claims))


def request_of(path: str) -> bytes | list[bytes]:
    return [b""] if METHODS[path].client_streaming else b""


def refusal_of(wire: Wire, path: str, **options) -> tuple[grpc.StatusCode, str]:
    found = wire.refused(path, request_of(path), **options)
    return found.code, found.reason


@guarded_scenario
def no_method_is_open_without_a_good_credential(wire):
    key_id, revoked = make_key(wire, AccessRole.OPERATOR)
    wire.RevokeApiKey(admin_service_pb2.RevokeApiKeyRequest(key_id=key_id))
    bad = {
        "none": {"credential": ""},
        "another scheme": {"credential": "", "metadata": (("authorization", "Basic YTpi"),)},
        "no scheme": {"credential": "", "metadata": (("authorization", "mnk_x"),)},
        "an unknown key": {"credential": "mnk_" + "A" * 43},
        "a key that is too short": {"credential": "mnk_A"},
        "a revoked key": {"credential": revoked},
        "an ended token": {"credential": make_token(exp=time.time() - 60)},
        "a token of another issuer": {"credential": token("another secret that is as long as the right one")},
        "a token without a signature": {"credential": make_token(algorithm="none")},
        "a token of a tenant that is not there": {"credential": make_token(tenant="elsewhere")},
        "a token without a role": {"credential": token(tenant="default", exp=4_000_000_000)},
        "no token": {"credential": "a.b.c"},
        "an empty one": {"credential": "", "metadata": (("authorization", "Bearer "),)},
    }
    for path in METHODS:
        for options in bad.values():
            assert refusal_of(wire, path, **options) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


@guarded_scenario
def each_method_asks_for_its_role_of_keys_and_tokens(wire):
    credentials = {role: (make_key(wire, role)[1], make_token(role=role.name.lower())) for role in AccessRole}
    for path in METHODS:
        least = AccessRole(ROLES[path])
        for role in AccessRole:
            for credential in credentials[role] if role < least else ():
                found = wire.refused(path, request_of(path), credential=credential)
                assert (found.code, found.reason) == (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
                assert found.metadata["least_role"] == least.name.lower()


@guarded_scenario
def the_order_is_credential_then_role_then_rate_then_request(wire):
    _, slow = make_key(wire, AccessRole.READ, requests_per_second=0.001, request_burst=1)
    malformed = b"\xff"
    for _ in range(3):
        # A call that its role does not allow does not count.
        assert wire.refused("AddMemories", malformed, credential=slow).reason == "PERMISSION_DENIED"
    assert wire.refused("ListScopes", malformed, credential=slow).reason == "MALFORMED_MESSAGE"
    over = wire.refused("ListScopes", malformed, credential=slow)
    assert (over.code, over.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED")
    assert over.retry_after_seconds > 0
    assert wire.refused("AddMemories", malformed, credential=slow).reason == "PERMISSION_DENIED"


@guarded_scenario
def callers_of_another_tenant_see_nothing(wire):
    mine, theirs = make_tenant(wire, 1), make_tenant(wire, 2)
    _, my_key = make_key(wire, AccessRole.ADMIN, mine)
    _, their_key = make_key(wire, AccessRole.ADMIN, theirs)
    added = wire.AddMemories(pb.AddMemoriesRequest(scope=wire.scope(), texts=[TEA]), credential=my_key)
    memory_id = added.memories[0].memory_id
    search = pb.SearchMemoriesRequest(scope=wire.scope(), query="tea")
    whole = pb.SearchMemoriesRequest(match=resources_pb2.SCOPE_MATCH_TENANT, query="tea")
    for request in (search, whole):
        assert wire.SearchMemories(request, credential=my_key).hits
        assert not wire.SearchMemories(request, credential=their_key).hits
    read = pb.GetMemoryRequest(memory_id=memory_id)
    assert wire.GetMemory(read, credential=my_key).memory.body == TEA
    absent = pb.GetMemoryRequest(memory_id=str(uuid.UUID(int=3)))
    foreign, missing = (wire.refused("GetMemory", request, credential=their_key) for request in (read, absent))
    missing.message = missing.message.replace(absent.memory_id, memory_id)
    missing.metadata["memory_id"] = memory_id
    assert foreign == missing
    batch = pb.BatchGetMemoriesRequest(memory_ids=[memory_id])
    assert list(wire.BatchGetMemories(batch, credential=their_key).missing_ids) == [memory_id]
    assert wire.ListScopes(pb.ListScopesRequest(), credential=my_key).scopes
    assert not wire.ListScopes(pb.ListScopesRequest(), credential=their_key).scopes
    my_id, _ = make_key(wire, AccessRole.READ, mine)
    answers = [
        wire.refused(method, request, credential=their_key)
        for method, request in (
            ("RevokeApiKey", admin_service_pb2.RevokeApiKeyRequest(key_id=my_id)),
            ("RevokeApiKey", admin_service_pb2.RevokeApiKeyRequest(key_id=str(uuid.UUID(int=3)))),
            (
                "CreateApiKey",
                admin_service_pb2.CreateApiKeyRequest(tenant_id=mine, api_key=admin_service_pb2.ApiKey(role=1)),
            ),
            (
                "UpdateTenant",
                admin_service_pb2.UpdateTenantRequest(
                    tenant=admin_service_pb2.Tenant(tenant_id=mine, display_name="x")
                ),
            ),
            ("GetTenant", admin_service_pb2.GetTenantRequest(tenant_id=mine)),
            ("GetStats", admin_service_pb2.GetStatsRequest(tenant_id=mine)),
            ("ListApiKeys", admin_service_pb2.ListApiKeysRequest(tenant_id=mine)),
        )
    ]
    assert {answer.reason for answer in answers} == {"RESOURCE_NOT_FOUND"}


@guarded_scenario
def a_restricted_key_sees_its_own_memories_alone(wire):
    tenant = make_tenant(wire)
    _, writer = make_key(wire, AccessRole.WRITE, tenant)
    _, annas = make_key(wire, AccessRole.WRITE, tenant, scope=resources_pb2.Scope(user_id="anna"))
    ids = {}
    for user in ("anna", "ben"):
        scope = resources_pb2.Scope(user_id=user, app_id="web")
        added = wire.AddMemories(pb.AddMemoriesRequest(scope=scope, texts=[TEA]), credential=writer)
        ids[user] = added.memories[0].memory_id
    for user, hits in (("anna", 1), ("ben", 0)):
        scope = resources_pb2.Scope(user_id=user, app_id="web")
        search = pb.SearchMemoriesRequest(scope=scope, query="tea")
        assert len(wire.SearchMemories(search, credential=writer).hits) == 1
        assert len(wire.SearchMemories(search, credential=annas).hits) == hits
        listed = wire.ListMemories(pb.ListMemoriesRequest(scope=scope), credential=annas)
        assert len(listed.memories) == hits
    assert wire.GetMemory(pb.GetMemoryRequest(memory_id=ids["anna"]), credential=annas).memory.body == TEA
    for method, request in (
        ("GetMemory", pb.GetMemoryRequest(memory_id=ids["ben"])),
        ("GetMemoryHistory", pb.GetMemoryHistoryRequest(memory_id=ids["ben"])),
        ("DeleteMemory", pb.DeleteMemoryRequest(memory_id=ids["ben"])),
    ):
        assert wire.refused(method, request, credential=annas).reason == "MEMORY_NOT_FOUND"
    bens = pb.AddMemoriesRequest(scope=resources_pb2.Scope(user_id="ben"), texts=[TEA])
    whole = pb.SearchMemoriesRequest(match=resources_pb2.SCOPE_MATCH_TENANT, query="tea")
    for method, request in (("AddMemories", bens), ("SearchMemories", whole)):
        assert wire.refused(method, request, credential=annas).reason == "PERMISSION_DENIED"
    step = wire.IngestMemories([pb.IngestMemoriesRequest(add=bens)], credential=annas)[0]
    assert step.error.reason == "PERMISSION_DENIED"
    scopes = wire.ListScopes(pb.ListScopesRequest(), credential=annas).scopes
    assert [item.scope.user_id for item in scopes] == ["anna"]


@guarded_scenario
def administrators_have_their_own_tenant_and_less_than_operators(wire):
    tenant = make_tenant(wire)
    _, administrator = make_key(wire, AccessRole.ADMIN, tenant)
    above, _ = make_key(wire, AccessRole.OPERATOR, tenant)
    pb2 = admin_service_pb2
    assert wire.GetTenant(pb2.GetTenantRequest(), credential=administrator).tenant.tenant_id == tenant
    named = pb2.UpdateTenantRequest(tenant=pb2.Tenant(display_name="Acme Inc."))
    assert wire.UpdateTenant(named, credential=administrator).tenant.display_name == "Acme Inc."
    for method, request in (
        ("UpdateTenant", pb2.UpdateTenantRequest(tenant=pb2.Tenant(settings=pb2.TenantSettings(max_memories=1)))),
        ("CreateApiKey", pb2.CreateApiKeyRequest(api_key=pb2.ApiKey(role=pb2.ACCESS_ROLE_OPERATOR))),
        ("RevokeApiKey", pb2.RevokeApiKeyRequest(key_id=above)),
        ("GetStats", pb2.GetStatsRequest(all_tenants=True)),
        ("ListTenants", pb2.ListTenantsRequest()),
        ("GetReembedStatus", pb2.GetReembedStatusRequest()),
    ):
        assert wire.refused(method, request, credential=administrator).reason == "PERMISSION_DENIED"


@guarded_scenario
def a_tenant_holds_no_more_than_its_quota(wire):
    tenant = make_tenant(wire)
    settings = admin_service_pb2.TenantSettings(max_memories=2, max_bytes=100)
    wire.UpdateTenant(
        admin_service_pb2.UpdateTenantRequest(tenant=admin_service_pb2.Tenant(tenant_id=tenant, settings=settings))
    )
    _, key = make_key(wire, AccessRole.WRITE, tenant)

    def adding(*texts: str) -> pb.AddMemoriesRequest:
        return pb.AddMemoriesRequest(scope=wire.scope(), texts=texts)

    wire.AddMemories(adding("one", "two"), credential=key)
    over = wire.refused("AddMemories", adding("three"), credential=key)
    assert (over.code, over.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED")
    assert over.metadata == {"quota": "max_memories", "limit": "2", "held": "2", "requested": "1"}
