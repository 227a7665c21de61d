"""Clients of a guarded server: TLS, certificates, keys and tokens, and what is said when one of them is wrong."""

import asyncio

import pytest
from access_support import make_key, revoke, token
from certificates import Authority
from deployments import KINDS

from mnemic import AsyncMnemicClient, MnemicClient, MnemicError, Reason
from mnemic.client.admin_client import MnemicAdminClient
from mnemic.client.channel import tls_credentials
from mnemic.model.access import AccessRole
from mnemic.model.errors import Code

BY_NAME = {kind.name: kind for kind in KINDS}
GUARDED = [BY_NAME[name] for name in ("python-key-tls", "front-key-tls", "python-token-mtls", "front-token-mtls")]


@pytest.fixture(params=GUARDED, ids=lambda kind: kind.name)
def deployment(request, deployment_of):
    return deployment_of(request.param)


def searched(client_class, address, **options):
    """One search by a new client of either kind."""
    if client_class is MnemicClient:
        with MnemicClient(address, timeout=20.0, **options) as client:
            return client.search("tea", user_id="anna")

    async def search():
        async with AsyncMnemicClient(address, timeout=20.0, **options) as client:
            return await client.search("tea", user_id="anna")

    return asyncio.run(search())


def refusal(client_class, address, **options) -> MnemicError:
    with pytest.raises(MnemicError) as refused:
        searched(client_class, address, **options)
    return refused.value


@pytest.fixture(params=[MnemicClient, AsyncMnemicClient], ids=lambda kind: kind.__name__)
def client_class(request):
    return request.param


@pytest.fixture(scope="session")
def stranger(tmp_path_factory) -> Authority:
    """An authority that no server and no client here knows."""
    return Authority(tmp_path_factory.mktemp("stranger"))


class TestCredentials:
    def test_none(self, deployment, client_class):
        error = refusal(client_class, deployment.address, credentials=deployment.channel_credentials)
        assert error.reason is Reason.UNAUTHENTICATED
        assert "this server asks for a credential" in error.message

    def test_one_that_is_unknown(self, deployment, client_class):
        secret = "mnk_" + "A" * 43
        error = refusal(client_class, deployment.address, credentials=deployment.channel_credentials, api_key=secret)
        assert error.reason is Reason.UNAUTHENTICATED
        assert secret not in str(error)

    def test_one_that_was_revoked(self, deployment, client_class):
        key = make_key(deployment.engine, AccessRole.READ)
        known = {"credentials": deployment.channel_credentials, "api_key": key.secret}
        assert searched(client_class, deployment.address, **known).revision >= 0
        revoke(deployment.engine, key)
        assert refusal(client_class, deployment.address, **known).reason is Reason.UNAUTHENTICATED

    def test_one_of_a_lesser_role(self, deployment):
        reader = token(tenant="default", role="read")
        with MnemicClient(deployment.address, credentials=deployment.channel_credentials, api_key=reader) as client:
            client.search("tea", user_id="anna")
            with pytest.raises(MnemicError, match="asks for the role write") as refused:
                client.add("tea", user_id="anna")
            assert refused.value.reason is Reason.PERMISSION_DENIED
            with pytest.raises(MnemicError) as refused:
                client.stats()
            assert refused.value.reason is Reason.PERMISSION_DENIED

    def test_an_administrator_reads_its_own_figures_and_keys(self, deployment):
        known = {"credentials": deployment.channel_credentials, "api_key": token(tenant="default", role="admin")}
        with MnemicClient(deployment.address, **known) as client:
            assert client.stats(all_tenants=False).store.tenants == 1
            with pytest.raises(MnemicError, match="for operators"):
                client.stats()
        with MnemicAdminClient(deployment.address, **known) as admin:
            assert admin.tenant().tenant_id == "default"
            with pytest.raises(MnemicError) as refused:
                admin.tenants()
            assert refused.value.reason is Reason.PERMISSION_DENIED

    def test_the_administrators_client_raises_nothing_but_its_error(self, deployment):
        known = {"credentials": deployment.channel_credentials, "api_key": deployment.secret}
        with MnemicAdminClient(deployment.address, **known) as admin:
            for method in (admin.tenant, admin.keys, admin.revoke_key):
                with pytest.raises(MnemicError) as refused:
                    method("\ud800")
                assert refused.value.reason is Reason.MALFORMED_MESSAGE
            with pytest.raises(MnemicError) as refused:
                admin.tenants(page_size=2**31)
            assert refused.value.reason is Reason.INVALID_FIELD


class TestConnections:
    """What is wrong with one is said in words, with a cause for programs, and never as a server that is away."""

    def cause(self, error: MnemicError) -> str:
        assert error.code is Code.UNAVAILABLE
        assert error.message.startswith(f"cannot talk to the server at {error.metadata['address']}: ")
        return error.metadata["cause"]

    @pytest.mark.parametrize("known", [True, False], ids=["another authority", "those of gRPC"])
    def test_a_server_whose_authority_is_not_trusted(self, deployment, client_class, stranger, known):
        credentials = tls_credentials(authority=stranger.certificate if known else None)
        error = refusal(client_class, deployment.address, credentials=credentials)
        assert self.cause(error) == "server_certificate"
        assert "no authority that this client trusts" in error.message

    def test_a_server_with_tls_that_is_asked_without(self, deployment, client_class):
        error = refusal(client_class, deployment.address)
        assert self.cause(error) == "closed"
        assert "it may speak TLS" in error.message

    @pytest.mark.parametrize("name", ["python", "front"])
    def test_a_server_without_tls_that_is_asked_with(self, deployment_of, certificates, client_class, name):
        plain = deployment_of(BY_NAME[name])
        credentials = tls_credentials(authority=certificates.authority.certificate)
        error = refusal(client_class, plain.address, credentials=credentials)
        assert self.cause(error) == "no_tls"
        assert "does not speak TLS" in error.message

    @pytest.mark.parametrize("name", ["python-token-mtls", "front-token-mtls"])
    @pytest.mark.parametrize("own", [False, True], ids=["no certificate", "a stranger's"])
    def test_a_server_that_asks_for_certificates(self, deployment_of, certificates, client_class, stranger, name, own):
        certificate, key = stranger.issue("client") if own else (None, None)
        credentials = tls_credentials(
            authority=certificates.authority.certificate, certificate=certificate, certificate_key=key
        )
        error = refusal(client_class, deployment_of(BY_NAME[name]).address, credentials=credentials)
        # How the server ends it reaches the client, or only that it did.
        assert self.cause(error) in {"client_certificate", "closed"}
        assert "client's certificate" in error.message

    def test_nobody_at_the_address(self, client_class):
        error = refusal(client_class, "127.0.0.1:1")
        assert error.message.startswith("cannot reach a server at 127.0.0.1:1 (is `mnemic serve` running there?)")
        assert "cause" not in error.metadata


class TestFiles:
    """Files are looked at before anything is connected."""

    def test_one_that_is_not_there(self, tmp_path, certificates):
        certificate, key = certificates.client
        missing = tmp_path / "missing.pem"
        for field, files in (
            ("authority", {"authority": missing}),
            ("certificate", {"certificate": missing, "certificate_key": key}),
            ("certificate_key", {"certificate": certificate, "certificate_key": missing}),
        ):
            with pytest.raises(MnemicError, match=rf"{field}: cannot read .*missing\.pem: No such file") as refused:
                tls_credentials(**files)
            assert refused.value.violations[0].field == field

    def test_one_that_is_something_else(self, certificates):
        _, key = certificates.client
        with pytest.raises(MnemicError, match="holds no certificate as PEM"):
            tls_credentials(authority=key)
        with pytest.raises(MnemicError, match="are no certificate with its key"):
            tls_credentials(certificate=key, certificate_key=key)

    def test_the_key_of_another_certificate(self, certificates):
        certificate, _ = certificates.client
        _, other = certificates.server
        with pytest.raises(MnemicError, match="are no certificate with its key") as refused:
            tls_credentials(certificate=certificate, certificate_key=other)
        assert refused.value.violations[0].field == "certificate"

    @pytest.mark.parametrize("given", ["certificate", "certificate_key"])
    def test_half_of_a_pair(self, certificates, given):
        with pytest.raises(MnemicError, match="go together"):
            tls_credentials(**{given: certificates.client[0]})
