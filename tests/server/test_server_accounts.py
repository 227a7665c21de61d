"""AdminService: tenants, keys and figures."""

from __future__ import annotations

import time
import uuid

import grpc
import pytest
from access_support import SECRET, make_key, make_tenant
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from mnemic import _core
from mnemic.engine.settings import load_settings
from mnemic.model.access import AccessRole
from mnemic.v1 import admin_service_pb2 as pb
from mnemic.v1 import memory_service_pb2, resources_pb2

NOT_FOUND = (grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND")
DENIED = (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
INVALID = (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")


@pytest.fixture
def settings(tmp_path):
    return load_settings(
        data_directory=tmp_path / "data",
        embedding={"provider": "static"},
        authentication={"mode": "keys+jwt", "jwt": {"algorithms": ["HS256"], "secret": SECRET}},
    )


@pytest.fixture
def operator(engine):
    return {"metadata": make_key(engine, AccessRole.OPERATOR).metadata, "timeout": 20}


@pytest.fixture
def acme(engine):
    """The options of an administrator of the tenant acme."""
    make_tenant(engine, "acme")
    return {"metadata": make_key(engine, AccessRole.ADMIN, "acme").metadata, "timeout": 20}


def refusal(refused, method, request, options):
    found = refused(method, request, **options)
    return (found.code, found.reason), found


class TestTenants:
    def test_one_is_created_read_changed_and_listed(self, admin, operator):
        asked = pb.Tenant(tenant_id="acme", display_name="Acme", settings=pb.TenantSettings(max_memories=5))
        made = admin.CreateTenant(pb.CreateTenantRequest(tenant=asked), **operator).tenant
        assert (made.tenant_id, made.display_name, made.version) == ("acme", "Acme", 1)
        assert made.settings.max_memories == 5
        assert not made.settings.HasField("max_bytes")
        assert made.create_time.seconds == pytest.approx(time.time(), abs=60)
        changed = admin.UpdateTenant(
            pb.UpdateTenantRequest(tenant=pb.Tenant(tenant_id="acme", settings=pb.TenantSettings(max_bytes=7))),
            **operator,
        ).tenant
        assert (changed.version, changed.settings.max_memories, changed.settings.max_bytes) == (2, 5, 7)
        cleared = admin.UpdateTenant(
            pb.UpdateTenantRequest(tenant=pb.Tenant(tenant_id="acme"), update_mask=FieldMask(paths=["settings"])),
            **operator,
        ).tenant
        assert cleared.settings == pb.TenantSettings()
        assert admin.GetTenant(pb.GetTenantRequest(tenant_id="acme"), **operator).tenant == cleared
        listed = admin.ListTenants(pb.ListTenantsRequest(), **operator).tenants
        assert [tenant.tenant_id for tenant in listed] == ["acme", "default"]

    def test_pages_end_where_the_next_begins(self, engine, admin, operator):
        for name in "bca":
            make_tenant(engine, name)
        found, token = [], ""
        while not found or token:
            page = admin.ListTenants(pb.ListTenantsRequest(page_size=2, page_token=token), **operator)
            found += [tenant.tenant_id for tenant in page.tenants]
            token = page.next_page_token
        assert found == ["a", "b", "c", "default"]

    @pytest.mark.parametrize("tenant_id", ["", "Acme", "1a", "a" * 65, "a b", "ä"])
    def test_an_id_that_is_none_is_refused(self, admin, operator, refused, tenant_id):
        request = pb.CreateTenantRequest(tenant=pb.Tenant(tenant_id=tenant_id))
        code, found = refusal(refused, admin.CreateTenant, request, operator)
        assert code == INVALID
        assert set(found.violations) == {"tenant.tenant_id"}

    def test_what_is_there_is_not_created_again(self, admin, operator, refused):
        request = pb.CreateTenantRequest(tenant=pb.Tenant(tenant_id="default"))
        assert refusal(refused, admin.CreateTenant, request, operator)[0] == INVALID

    def test_what_this_version_does_not_carry_out_is_refused(self, admin, operator, refused):
        asked = pb.TenantSettings(secret_action=pb.CONTENT_ACTION_REDACT)
        for method, request in (
            (admin.CreateTenant, pb.CreateTenantRequest(tenant=pb.Tenant(tenant_id="x", settings=asked))),
            (admin.UpdateTenant, pb.UpdateTenantRequest(tenant=pb.Tenant(tenant_id="default", settings=asked))),
            (admin.DeleteTenant, pb.DeleteTenantRequest(tenant_id="default")),
        ):
            assert refused(method, request, **operator).code is grpc.StatusCode.UNIMPLEMENTED

    def test_a_retry_gets_the_first_answer(self, admin, operator, refused):
        request = pb.CreateTenantRequest(tenant=pb.Tenant(tenant_id="acme"), request_id=str(uuid.uuid4()))
        first = admin.CreateTenant(request, **operator)
        second = admin.CreateTenant(request, **operator)
        assert (first.replayed, second.replayed, second.tenant) == (False, True, first.tenant)
        request.tenant.tenant_id = "other"
        assert refused(admin.CreateTenant, request, **operator).reason == "REQUEST_ID_REUSED"
        change = pb.UpdateTenantRequest(
            tenant=pb.Tenant(tenant_id="acme", display_name="A"), expected_version=1, request_id=str(uuid.uuid4())
        )
        assert admin.UpdateTenant(change, **operator).tenant.version == 2
        assert admin.UpdateTenant(change, **operator).tenant.version == 2
        change.request_id = ""
        assert refused(admin.UpdateTenant, change, **operator).reason == "VERSION_CONFLICT"

    def test_an_administrator_has_its_own_tenant_and_no_other(self, admin, acme, refused):
        assert admin.GetTenant(pb.GetTenantRequest(), **acme).tenant.tenant_id == "acme"
        named = admin.UpdateTenant(pb.UpdateTenantRequest(tenant=pb.Tenant(display_name="Acme Inc.")), **acme)
        assert named.tenant.display_name == "Acme Inc."
        answers = []
        for other in ("default", "absent"):
            code, found = refusal(refused, admin.GetTenant, pb.GetTenantRequest(tenant_id=other), acme)
            assert code == NOT_FOUND
            answers.append(found.message.replace(other, "…"))
        assert answers[0] == answers[1]
        request = pb.UpdateTenantRequest(tenant=pb.Tenant(tenant_id="default", display_name="mine"))
        assert refusal(refused, admin.UpdateTenant, request, acme)[0] == NOT_FOUND

    def test_quotas_are_the_operators(self, admin, acme, refused):
        request = pb.UpdateTenantRequest(tenant=pb.Tenant(settings=pb.TenantSettings(max_memories=10**9)))
        assert refusal(refused, admin.UpdateTenant, request, acme)[0] == DENIED


class TestKeys:
    def test_one_is_created_used_listed_and_revoked(self, admin, operator, memories):
        expire = Timestamp(seconds=int(time.time()) + 3600)
        asked = pb.ApiKey(
            display_name="for the bot",
            role=pb.ACCESS_ROLE_WRITE,
            scope=resources_pb2.Scope(agent_id="bot"),
            expire_time=expire,
            requests_per_second=50,
            request_burst=100,
        )
        made = admin.CreateApiKey(pb.CreateApiKeyRequest(api_key=asked), **operator)
        key = made.api_key
        assert made.secret.startswith(key.prefix)
        assert len(made.secret) == 47
        assert (key.tenant_id, key.role, key.scope.agent_id) == ("default", pb.ACCESS_ROLE_WRITE, "bot")
        assert (key.expire_time, key.requests_per_second, key.request_burst) == (expire, 50, 100)
        memories.AddMemories(
            memory_service_pb2.AddMemoriesRequest(scope=resources_pb2.Scope(agent_id="bot"), texts=["beep"]),
            metadata=(("authorization", f"Bearer {made.secret}"),),
            timeout=20,
        )
        listed = admin.ListApiKeys(pb.ListApiKeysRequest(), **operator).api_keys
        assert key in listed
        assert made.secret not in str(listed)
        revoked = admin.RevokeApiKey(pb.RevokeApiKeyRequest(key_id=key.key_id), **operator).api_key
        assert revoked.HasField("revoke_time")
        assert admin.RevokeApiKey(pb.RevokeApiKeyRequest(key_id=key.key_id), **operator).api_key == revoked
        assert key.key_id not in {
            item.key_id for item in admin.ListApiKeys(pb.ListApiKeysRequest(), **operator).api_keys
        }
        every = admin.ListApiKeys(pb.ListApiKeysRequest(include_inactive=True), **operator).api_keys
        assert revoked in every

    def test_a_retry_gets_the_key_but_not_its_secret(self, admin, operator):
        request = pb.CreateApiKeyRequest(api_key=pb.ApiKey(role=pb.ACCESS_ROLE_READ), request_id=str(uuid.uuid4()))
        first, second = (admin.CreateApiKey(request, **operator) for _ in range(2))
        assert first.secret
        assert not second.secret
        assert second.replayed
        assert second.api_key == first.api_key

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({}, "api_key.role"),
            ({"role": 9}, "api_key.role"),
            ({"role": 1, "display_name": "ü" * 129}, "api_key.display_name"),
            ({"role": 1, "expire_time": Timestamp(seconds=1)}, "api_key.expire_time"),
            ({"role": 1, "requests_per_second": 0}, "api_key.requests_per_second"),
            ({"role": 1, "requests_per_second": float("nan")}, "api_key.requests_per_second"),
            ({"role": 1, "request_burst": 0}, "api_key.request_burst"),
            ({"role": 1, "scope": resources_pb2.Scope(user_id="")}, "api_key.scope.user_id"),
            ({"role": 3, "scope": resources_pb2.Scope(user_id="anna")}, "api_key.scope"),
        ],
    )
    def test_a_key_that_means_nothing_is_refused(self, admin, operator, refused, fields, field):
        request = pb.CreateApiKeyRequest(api_key=pb.ApiKey(**fields))
        code, found = refusal(refused, admin.CreateApiKey, request, operator)
        assert code == INVALID
        assert set(found.violations) == {field}

    def test_nobody_makes_or_revokes_a_key_above_its_own_role(self, engine, admin, acme, refused):
        request = pb.CreateApiKeyRequest(api_key=pb.ApiKey(role=pb.ACCESS_ROLE_OPERATOR))
        assert refusal(refused, admin.CreateApiKey, request, acme)[0] == DENIED
        above = make_key(engine, AccessRole.OPERATOR, "acme")
        request = pb.RevokeApiKeyRequest(key_id=above.key_id)
        assert refusal(refused, admin.RevokeApiKey, request, acme)[0] == DENIED

    def test_keys_of_another_tenant_are_found_by_operators_only(self, engine, admin, acme, operator, refused):
        theirs = make_key(engine, AccessRole.READ)
        request = pb.RevokeApiKeyRequest(key_id=theirs.key_id)
        answers = [refusal(refused, admin.RevokeApiKey, request, acme)]
        absent = pb.RevokeApiKeyRequest(key_id=str(uuid.uuid4()))
        answers.append(refusal(refused, admin.RevokeApiKey, absent, acme))
        assert [code for code, _ in answers] == [NOT_FOUND, NOT_FOUND]
        for request in (
            pb.ListApiKeysRequest(tenant_id="default"),
            pb.CreateApiKeyRequest(tenant_id="default", api_key=pb.ApiKey(role=1)),
        ):
            method = admin.ListApiKeys if isinstance(request, pb.ListApiKeysRequest) else admin.CreateApiKey
            assert refusal(refused, method, request, acme)[0] == NOT_FOUND
        assert (
            admin.RevokeApiKey(pb.RevokeApiKeyRequest(key_id=theirs.key_id), **operator).api_key.key_id == theirs.key_id
        )
        made = admin.CreateApiKey(pb.CreateApiKeyRequest(tenant_id="acme", api_key=pb.ApiKey(role=1)), **operator)
        assert made.api_key.tenant_id == "acme"

    def test_pages_are_in_the_order_of_creation(self, engine, admin, acme):
        made = [make_key(engine, AccessRole.READ, "acme").key_id for _ in range(5)]
        found, token = [], ""
        while not found or token:
            page = admin.ListApiKeys(pb.ListApiKeysRequest(page_size=2, page_token=token), **acme)
            found += [key.key_id for key in page.api_keys]
            token = page.next_page_token
        assert found[-5:] == made


class TestStats:
    def test_a_tenant_sees_its_own_figures(self, engine, admin, acme, add, operator, refused):
        scope = resources_pb2.Scope(user_id="anna")
        add("tea", "coffee", scope=scope, metadata=operator["metadata"])
        mine = admin.GetStats(pb.GetStatsRequest(), **acme)
        assert (mine.store.memory_count, mine.store.tenant_count) == (0, 1)
        assert not mine.HasField("server")
        assert refusal(refused, admin.GetStats, pb.GetStatsRequest(all_tenants=True), acme)[0] == DENIED
        assert refusal(refused, admin.GetStats, pb.GetStatsRequest(tenant_id="default"), acme)[0] == NOT_FOUND

    def test_an_operator_sees_all_of_them_and_the_server(self, admin, add, operator):
        add("tea", "coffee", metadata=operator["metadata"])
        found = admin.GetStats(pb.GetStatsRequest(all_tenants=True), **operator)
        assert (found.store.memory_count, found.store.body_bytes) == (2, len("teacoffee"))
        assert found.store.added_last_day_count == 2
        assert found.server.simd == _core.build_info()["simd"]
        assert found.server.resident_bytes > 1_000_000
        calls = {(item.method, item.code): item.count for item in found.server.calls}
        assert calls["/mnemic.v1.MemoryService/AddMemories", 0] == 1
