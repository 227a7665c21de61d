"""AdminService: tenants, keys and figures."""

import uuid

import grpc
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from memory_scenarios import add
from wire import Wire, scenario

from mnemic import _core
from mnemic.v1 import admin_service_pb2 as pb
from mnemic.v1 import memory_service_pb2, resources_pb2

LATER = Timestamp(seconds=4_000_000_000)
INVALID = (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
NOT_FOUND = (grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND")


def refusal_of(wire: Wire, method: str, request) -> tuple[grpc.StatusCode, str]:
    found = wire.refused(method, request)
    return found.code, found.reason


def make_tenant(wire: Wire, number: int = 0) -> str:
    """A tenant of the scenario's own; its id."""
    tenant_id = f"{wire.name.replace(' ', '-')[:60]}-{number}"
    wire.CreateTenant(pb.CreateTenantRequest(tenant=pb.Tenant(tenant_id=tenant_id)))
    return tenant_id


@scenario
def a_tenant_is_created_read_changed_and_listed(wire):
    asked = pb.Tenant(tenant_id="acme", display_name="Acme", settings=pb.TenantSettings(max_memories=5))
    made = wire.CreateTenant(pb.CreateTenantRequest(tenant=asked)).tenant
    assert (made.tenant_id, made.display_name, made.version, made.settings) == ("acme", "Acme", 1, asked.settings)
    changed = wire.UpdateTenant(
        pb.UpdateTenantRequest(tenant=pb.Tenant(tenant_id="acme", settings=pb.TenantSettings(max_bytes=7)))
    ).tenant
    assert (changed.version, changed.settings.max_memories, changed.settings.max_bytes) == (2, 5, 7)
    cleared = wire.UpdateTenant(
        pb.UpdateTenantRequest(tenant=pb.Tenant(tenant_id="acme"), update_mask=FieldMask(paths=["settings"]))
    ).tenant
    assert cleared.settings == pb.TenantSettings()
    assert wire.GetTenant(pb.GetTenantRequest(tenant_id="acme")).tenant == cleared
    assert wire.GetTenant(pb.GetTenantRequest()).tenant.tenant_id == "default"
    listed = wire.ListTenants(
        pb.ListTenantsRequest(), only=lambda answer: [item for item in answer.tenants if item.tenant_id == "acme"]
    )
    assert cleared in listed.tenants
    page = wire.ListTenants(pb.ListTenantsRequest(page_size=1), only=lambda answer: len(answer.tenants))
    rest = wire.ListTenants(
        pb.ListTenantsRequest(page_size=1000, page_token=page.next_page_token), only=lambda _: "the others"
    )
    assert page.tenants[0] not in rest.tenants


@scenario
def a_retry_of_a_change_gets_the_first_answer(wire):
    tenant_id = make_tenant(wire)
    request = pb.CreateTenantRequest(tenant=pb.Tenant(tenant_id=f"{tenant_id}1"), request_id=str(uuid.uuid4()))
    first, second = wire.CreateTenant(request), wire.CreateTenant(request)
    assert (first.replayed, second.replayed, second.tenant) == (False, True, first.tenant)
    request.tenant.display_name = "other"
    assert wire.refused("CreateTenant", request).reason == "REQUEST_ID_REUSED"
    change = pb.UpdateTenantRequest(
        tenant=pb.Tenant(tenant_id=tenant_id, display_name="A"), expected_version=1, request_id=str(uuid.uuid4())
    )
    assert [wire.UpdateTenant(change).tenant.version for _ in range(2)] == [2, 2]
    change.request_id = ""
    assert wire.refused("UpdateTenant", change).reason == "VERSION_CONFLICT"


@scenario
def a_tenant_that_cannot_be_is_refused(wire):
    for tenant_id in ("", "Acme", "1a", "a" * 65, "a b", "ä", "default"):
        request = pb.CreateTenantRequest(tenant=pb.Tenant(tenant_id=tenant_id))
        found = wire.refused("CreateTenant", request)
        assert (found.code, found.reason) == INVALID
        assert set(found.violations) == {"tenant.tenant_id"}
    tenant_id = make_tenant(wire)
    for tenant in (
        pb.Tenant(tenant_id=tenant_id, display_name="ü" * 129),
        pb.Tenant(tenant_id=tenant_id, settings=pb.TenantSettings(max_memories=-1)),
        pb.Tenant(tenant_id=tenant_id, settings=pb.TenantSettings(max_bytes=-1)),
        pb.Tenant(tenant_id=tenant_id),
    ):
        assert refusal_of(wire, "UpdateTenant", pb.UpdateTenantRequest(tenant=tenant)) == INVALID
    tenant = pb.Tenant(tenant_id=tenant_id, display_name="x")
    for request in (
        pb.UpdateTenantRequest(tenant=tenant, update_mask=FieldMask(paths=["tenant_id"])),
        pb.UpdateTenantRequest(tenant=tenant, update_mask=FieldMask(paths=["settings.colour"])),
        pb.UpdateTenantRequest(tenant=tenant, expected_version=-1),
    ):
        assert refusal_of(wire, "UpdateTenant", request) == INVALID
    for settings in (
        pb.TenantSettings(secret_action=pb.ContentAction.ValueType(9)),
        pb.TenantSettings(default_trust=resources_pb2.TrustLevel.ValueType(9)),
    ):
        for method, request in (
            ("CreateTenant", pb.CreateTenantRequest(tenant=pb.Tenant(tenant_id="x", settings=settings))),
            ("UpdateTenant", pb.UpdateTenantRequest(tenant=pb.Tenant(tenant_id=tenant_id, settings=settings))),
        ):
            assert refusal_of(wire, method, request) == INVALID


@scenario
def a_tenant_that_is_not_there_is_not_found(wire):
    for method, request in (
        ("GetTenant", pb.GetTenantRequest(tenant_id="absent")),
        ("UpdateTenant", pb.UpdateTenantRequest(tenant=pb.Tenant(tenant_id="absent", display_name="x"))),
        ("CreateApiKey", pb.CreateApiKeyRequest(tenant_id="absent", api_key=pb.ApiKey(role=pb.ACCESS_ROLE_READ))),
        ("ListApiKeys", pb.ListApiKeysRequest(tenant_id="absent")),
        ("GetStats", pb.GetStatsRequest(tenant_id="absent")),
        ("RevokeApiKey", pb.RevokeApiKeyRequest(key_id=str(uuid.UUID(int=1)))),
    ):
        assert refusal_of(wire, method, request) == NOT_FOUND


@scenario
def a_key_is_created_listed_and_revoked(wire):
    tenant_id = make_tenant(wire)
    asked = pb.ApiKey(
        display_name="for the bot",
        role=pb.ACCESS_ROLE_WRITE,
        scope=resources_pb2.Scope(agent_id="bot"),
        expire_time=LATER,
        requests_per_second=50,
        request_burst=100,
    )
    request = pb.CreateApiKeyRequest(tenant_id=tenant_id, api_key=asked, request_id=str(uuid.uuid4()))
    made, again = wire.CreateApiKey(request), wire.CreateApiKey(request)
    key = made.api_key
    assert made.secret.startswith(key.prefix)
    assert len(made.secret) == 47
    assert (again.replayed, again.secret, again.api_key) == (True, "", key)
    assert (key.tenant_id, key.role, key.scope) == (tenant_id, asked.role, asked.scope)
    assert (key.expire_time, key.requests_per_second, key.request_burst) == (LATER, 50, 100)
    for role in (pb.ACCESS_ROLE_READ, pb.ACCESS_ROLE_ADMIN):
        wire.CreateApiKey(pb.CreateApiKeyRequest(tenant_id=tenant_id, api_key=pb.ApiKey(role=role)))
    listed = wire.ListApiKeys(pb.ListApiKeysRequest(tenant_id=tenant_id, page_size=2))
    assert listed.api_keys[0] == key
    assert made.secret not in str(listed)
    rest = wire.ListApiKeys(pb.ListApiKeysRequest(tenant_id=tenant_id, page_token=listed.next_page_token))
    assert [item.role for item in rest.api_keys] == [pb.ACCESS_ROLE_ADMIN]
    revoked = wire.RevokeApiKey(pb.RevokeApiKeyRequest(key_id=key.key_id)).api_key
    assert revoked.HasField("revoke_time")
    assert wire.RevokeApiKey(pb.RevokeApiKeyRequest(key_id=key.key_id)).api_key == revoked
    assert key not in wire.ListApiKeys(pb.ListApiKeysRequest(tenant_id=tenant_id)).api_keys
    every = wire.ListApiKeys(pb.ListApiKeysRequest(tenant_id=tenant_id, include_inactive=True)).api_keys
    assert revoked in every


@scenario
def a_key_that_means_nothing_is_refused(wire):
    for fields, field in (
        ({}, "api_key.role"),
        ({"role": 9}, "api_key.role"),
        ({"role": 1, "display_name": "ü" * 129}, "api_key.display_name"),
        ({"role": 1, "expire_time": Timestamp(seconds=1)}, "api_key.expire_time"),
        ({"role": 1, "requests_per_second": 0}, "api_key.requests_per_second"),
        ({"role": 1, "requests_per_second": float("nan")}, "api_key.requests_per_second"),
        ({"role": 1, "request_burst": 0}, "api_key.request_burst"),
        ({"role": 1, "scope": resources_pb2.Scope(user_id="")}, "api_key.scope.user_id"),
        ({"role": 3, "scope": resources_pb2.Scope(user_id="anna")}, "api_key.scope"),
    ):
        found = wire.refused("CreateApiKey", pb.CreateApiKeyRequest(api_key=pb.ApiKey(**fields)))
        assert (found.code, found.reason) == INVALID
        assert set(found.violations) == {field}
    key = pb.ApiKey(role=pb.ACCESS_ROLE_READ)
    again = pb.CreateApiKeyRequest(api_key=key, request_id="again")
    assert refusal_of(wire, "CreateApiKey", again) == INVALID
    for request in (pb.RevokeApiKeyRequest(key_id=""), pb.RevokeApiKeyRequest(key_id="x")):
        wire.refused("RevokeApiKey", request)


@scenario
def listings_refuse_pages_that_cannot_be(wire):
    for method, kind in (("ListTenants", pb.ListTenantsRequest), ("ListApiKeys", pb.ListApiKeysRequest)):
        assert refusal_of(wire, method, kind(page_size=-1)) == INVALID
        assert wire.refused(method, kind(page_token="nonsense")).reason == "INVALID_PAGE_TOKEN"  # noqa: S106 (of a page)


@scenario
def figures_count_what_is_there(wire):
    tenant_id = make_tenant(wire)
    empty = wire.GetStats(pb.GetStatsRequest(tenant_id=tenant_id), only=lambda answer: answer.store)
    assert (empty.store.memory_count, empty.store.tenant_count) == (0, 1)
    assert not empty.HasField("server")
    add(wire, "one", "two")
    wire.SearchMemories(memory_service_pb2.SearchMemoriesRequest(scope=wire.scope(), query="one"))

    # Whether a deployment was asked for retention before this is chance.
    elsewhere = {"archived_count", "removed_last_day_count"}

    def shape(answer):
        present = (field.name for part in (answer.store, answer.index) for field, _ in part.ListFields())
        return [name for name in present if name not in elsewhere]

    own = wire.GetStats(pb.GetStatsRequest(), only=shape)
    assert own.store.memory_count >= 2
    assert own.index.row_count >= 2
    overall = wire.GetStats(
        pb.GetStatsRequest(all_tenants=True),
        only=lambda answer: (answer.server.version, answer.server.embedding_model, answer.server.embedding_dimension),
    )
    assert overall.server.tokenizers[0] == "static", "the default"
    assert overall.server.simd == _core.build_info()["simd"]
    calls = {(item.method, item.code): item.count for item in overall.server.calls}
    assert calls["/mnemic.v1.MemoryService/AddMemories", 0] >= 1
    both = wire.refused("GetStats", pb.GetStatsRequest(tenant_id="default", all_tenants=True))
    assert ((both.code, both.reason), set(both.violations)) == (INVALID, {"tenant_id"})


@scenario
def whether_the_embedding_model_is_being_changed_is_told(wire):
    add(wire, "one")
    # How many there are, and what other scenarios left to embed, is chance.
    status = wire.GetReembedStatus(
        pb.GetReembedStatusRequest(), only=lambda answer: (answer.active_model, answer.target_model)
    )
    assert status.active_model
    assert not status.target_model
    assert 1 <= status.done_count <= status.total_count
    assert not status.HasField("start_time")


RULES = pb.ExtractionSettings(
    instructions="Write British English.",
    include_topics=["home"],
    exclude_topics=["health"],
    categories=[pb.CategoryDefinition(name="place", description="where somebody is")],
    time_zone="Europe/Lisbon",
    summarize_after_seconds=604_800,
    default_mode=memory_service_pb2.ADD_MODE_LOCAL,
)


@scenario
def how_a_tenants_facts_are_drawn_is_kept_and_changed(wire):
    tenant_id = "drawing-facts"
    asked = pb.Tenant(tenant_id=tenant_id, settings=pb.TenantSettings(extraction=RULES))
    assert wire.CreateTenant(pb.CreateTenantRequest(tenant=asked)).tenant.settings.extraction == RULES
    other = pb.TenantSettings(extraction=pb.ExtractionSettings(exclude_topics=["work"], instructions="Not this."))
    one = FieldMask(paths=["settings.extraction.exclude_topics"])
    changed = wire.UpdateTenant(
        pb.UpdateTenantRequest(tenant=pb.Tenant(tenant_id=tenant_id, settings=other), update_mask=one)
    ).tenant.settings.extraction
    assert (list(changed.exclude_topics), changed.instructions) == (["work"], RULES.instructions)
    whole = FieldMask(paths=["settings.extraction"])
    changed = wire.UpdateTenant(
        pb.UpdateTenantRequest(tenant=pb.Tenant(tenant_id=tenant_id, settings=other), update_mask=whole)
    ).tenant
    assert changed.settings.extraction == other.extraction
    assert wire.GetTenant(pb.GetTenantRequest(tenant_id=tenant_id)).tenant == changed
    named = pb.UpdateTenantRequest(tenant=pb.Tenant(tenant_id=tenant_id, display_name="Facts"))
    assert wire.UpdateTenant(named).tenant.settings == changed.settings


@scenario
def rules_for_facts_that_mean_nothing_are_refused(wire):
    tenant_id = make_tenant(wire)
    for field, extraction in (
        ("include_topics[0]", {"include_topics": [""]}),
        ("categories[1]", {"categories": [pb.CategoryDefinition(name="a"), pb.CategoryDefinition(name="A")]}),
        ("time_zone", {"time_zone": "Mars/Olympus"}),
        ("summarize_after_seconds", {"summarize_after_seconds": 59}),
        ("default_mode", {"default_mode": 99}),
        # Nothing has a price here.
        ("monthly_budget_micros", {"monthly_budget_micros": 5}),
    ):
        settings = pb.TenantSettings(extraction=pb.ExtractionSettings(**extraction))
        request = pb.UpdateTenantRequest(tenant=pb.Tenant(tenant_id=tenant_id, settings=settings))
        assert list(wire.refused("UpdateTenant", request).violations) == [f"tenant.settings.extraction.{field}"]
    mask = FieldMask(paths=["settings.extraction.colour"])
    request = pb.UpdateTenantRequest(tenant=pb.Tenant(tenant_id=tenant_id), update_mask=mask)
    assert list(wire.refused("UpdateTenant", request).violations) == ["update_mask"]


@scenario
def figures_tell_what_extraction_has_before_it(wire):
    found = wire.GetStats(
        pb.GetStatsRequest(tenant_id=make_tenant(wire)), only=lambda answer: answer.extraction
    ).extraction
    assert (found.pending_count, found.held_count, found.month.batch_count) == (0, 0, 0)
    assert not found.HasField("oldest_pending_time")
    assert not found.HasField("monthly_budget_micros")
