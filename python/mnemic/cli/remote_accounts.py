"""A server's tenants and keys, asked over gRPC."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from mnemic.cli.accounts_backend import Accounts
from mnemic.cli.backend import Connection
from mnemic.client.admin_client import MnemicAdminClient
from mnemic.model.access import ApiKey, Tenant

_PAGE = 1000
Item = TypeVar("Item")


class RemoteAccounts(Accounts):
    """Speaks to the server at an address."""

    def __init__(self, address: str, connection: Connection) -> None:
        self._client = MnemicAdminClient(address, api_key=connection.api_key, credentials=connection.credentials())

    def create_tenant(self, tenant: Tenant) -> Tenant:
        """See `Accounts.create_tenant`."""
        return self._client.create_tenant(tenant)

    def tenant(self, tenant_id: str) -> Tenant:
        """See `Accounts.tenant`."""
        return self._client.tenant(tenant_id)

    def tenants(self) -> list[Tenant]:
        """See `Accounts.tenants`."""
        return _all(lambda token: self._client.tenants(page_size=_PAGE, page_token=token))

    def update_tenant(self, tenant: Tenant, fields: Sequence[str]) -> Tenant:
        """See `Accounts.update_tenant`."""
        return self._client.update_tenant(tenant, fields)

    def create_key(self, key: ApiKey) -> tuple[ApiKey, str]:
        """See `Accounts.create_key`."""
        created = self._client.create_key(key)
        return created.key, created.secret

    def keys(self, tenant_id: str, *, include_inactive: bool) -> list[ApiKey]:
        """See `Accounts.keys`."""
        return _all(
            lambda token: self._client.keys(
                tenant_id, include_inactive=include_inactive, page_size=_PAGE, page_token=token
            )
        )

    def revoke_key(self, key_id: str) -> ApiKey:
        """See `Accounts.revoke_key`."""
        return self._client.revoke_key(key_id)

    def close(self) -> None:
        """See `Accounts.close`."""
        self._client.close()


def _all(page: Callable[[str], tuple[list[Item], str]]) -> list[Item]:
    items, token = page("")
    while token:
        more, token = page(token)
        items += more
    return items
