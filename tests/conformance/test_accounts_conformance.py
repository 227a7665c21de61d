"""Tenants and keys: what the commands do with a data directory and with a server is the same, refusals included."""

from dataclasses import replace

import pytest
from deployments import KINDS, REFERENCE
from recorded import Recorded
from transcript import differences

from mnemic import MnemicError, Reason
from mnemic.cli.backend import Connection
from mnemic.cli.local_accounts import LocalAccounts
from mnemic.cli.remote_accounts import RemoteAccounts
from mnemic.engine.settings import load_settings
from mnemic.model.access import AccessRole, ApiKey, Quota, Tenant
from mnemic.model.scope import Scope

BY_NAME = {kind.name: kind for kind in KINDS}
ABSENT = "00000000-0000-7000-8000-000000000000"


@pytest.fixture(scope="module", params=["directory", "front", "front-key-tls", "front-token-mtls"])
def accounts(request, deployment_of, tmp_path_factory):
    """Those of one way to reach them."""
    if request.param == "directory":
        opened = LocalAccounts(load_settings(data_directory=tmp_path_factory.mktemp("accounts") / "data"))
    else:
        opened = remote(deployment_of(BY_NAME[request.param]))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def reference(deployment_of):
    opened = remote(deployment_of(REFERENCE))
    yield opened
    opened.close()


def remote(deployment) -> RemoteAccounts:
    """As the options of a command say."""
    tls = deployment.kind.transport in {"tls", "mtls"}
    certificate, key = deployment.files.client if deployment.kind.transport == "mtls" else (None, None)
    authority = deployment.files.authority.certificate if tls else None
    return RemoteAccounts(
        deployment.address,
        Connection(deployment.secret or None, authority=authority, certificate=certificate, certificate_key=key),
    )


def refusal(call, *arguments, **options) -> MnemicError:
    with pytest.raises(MnemicError) as refused:
        call(*arguments, **options)
    return refused.value


def manage(accounts, tenant_id):
    """A tenant and its keys, from their beginning to their end."""
    made = accounts.create_tenant(Tenant(tenant_id, "Acme", Quota(max_memories=5)))
    assert accounts.tenant(tenant_id) == made
    assert made in accounts.client.tenants()
    changed = accounts.update_tenant(replace(made, quota=Quota(max_bytes=7)), ["settings.max_bytes"])
    assert changed.quota == Quota(5, 7)
    cleared = accounts.update_tenant(Tenant(tenant_id), ["settings.max_memories", "display_name"])
    assert (cleared.quota, cleared.display_name, cleared.version) == (Quota(None, 7), "", 3)
    keys = []
    for role, scope in ((AccessRole.WRITE, Scope(user_id="anna")), (AccessRole.ADMIN, Scope())):
        key, secret = accounts.create_key(
            ApiKey(
                key_id="",
                tenant=tenant_id,
                role=role,
                scope=scope,
                display_name="ä",
                expire_time_micros=4_000_000_000_000_000,
                requests_per_second=2.5,
                request_burst=3,
            )
        )
        assert secret.startswith(key.prefix)
        keys.append(key)
    assert accounts.keys(tenant_id, include_inactive=False) == keys
    revoked = accounts.revoke_key(keys[0].key_id)
    assert accounts.revoke_key(keys[0].key_id) == revoked
    assert accounts.keys(tenant_id, include_inactive=False) == keys[1:]
    assert accounts.keys(tenant_id, include_inactive=True) == [revoked, keys[1]]


def refuse(accounts, tenant_id):
    """What cannot be."""
    accounts.create_tenant(Tenant(tenant_id))
    key = ApiKey(key_id="", tenant=tenant_id, role=AccessRole.READ)
    invalid, absent, text = Reason.INVALID_FIELD, Reason.RESOURCE_NOT_FOUND, Reason.MALFORMED_MESSAGE
    for method, arguments, reason in (
        ("create_tenant", (Tenant(tenant_id),), invalid),
        ("create_tenant", (Tenant("Acme"),), invalid),
        ("create_tenant", (Tenant("x", "ü" * 129),), invalid),
        ("create_tenant", (Tenant("x", "\ud800"),), text),
        ("create_tenant", (Tenant("x", quota=Quota(-1)),), invalid),
        ("create_tenant", (Tenant("x", quota=Quota(max_bytes=2**63)),), invalid),
        ("tenant", ("absent",), absent),
        ("update_tenant", (Tenant("absent", "x"), ["display_name"]), absent),
        ("update_tenant", (Tenant(tenant_id, quota=Quota(-1)), ["settings.max_memories"]), invalid),
        ("create_key", (replace(key, tenant="absent"),), absent),
        ("create_key", (replace(key, display_name="ü" * 129),), invalid),
        ("create_key", (replace(key, expire_time_micros=1),), invalid),
        ("create_key", (replace(key, requests_per_second=0.0),), invalid),
        ("create_key", (replace(key, request_burst=0),), invalid),
        ("create_key", (replace(key, request_burst=2**31),), invalid),
        ("create_key", (replace(key, scope=Scope(user_id="")),), invalid),
        ("create_key", (replace(key, role=AccessRole.ADMIN, scope=Scope(user_id="anna")),), invalid),
        ("revoke_key", (ABSENT,), absent),
        ("revoke_key", ("x",), None),
    ):
        error = refusal(getattr(accounts, method), *arguments)
        assert reason is None or error.reason is reason, (method, arguments, error)
    assert refusal(accounts.keys, "absent", include_inactive=False).reason is absent


@pytest.mark.parametrize("scenario", [manage, refuse], ids=["managed", "refused"])
def test_accounts_are_the_same_however_they_are_reached(accounts, reference, runner, scenario, request):
    transcripts = []
    for number, opened in enumerate((reference, accounts)):
        name = f"{scenario.__name__}-{request.node.callspec.params['accounts']}-{number}"
        recorded = Recorded(opened, runner, name)
        scenario(recorded, name)
        transcripts.append(recorded.transcript.lines)
    found = differences(*transcripts)
    assert not found, "\n".join(found)
