"""Tenants and API keys, of a server or of a data directory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mnemic.cli.backend import connection_of, directory_settings
from mnemic.cli.options import TargetOptions
from mnemic.model.access import ApiKey, Tenant


class Accounts(ABC):
    """The use cases behind the commands; every method raises MnemicError. An empty tenant is the caller's own."""

    @abstractmethod
    def create_tenant(self, tenant: Tenant) -> Tenant:
        """Creates a tenant."""

    @abstractmethod
    def tenant(self, tenant_id: str) -> Tenant:
        """One tenant."""

    @abstractmethod
    def tenants(self) -> list[Tenant]:
        """All tenants."""

    @abstractmethod
    def update_tenant(self, tenant: Tenant, fields: Sequence[str]) -> Tenant:
        """Changes those fields of a tenant."""

    @abstractmethod
    def create_key(self, key: ApiKey) -> tuple[ApiKey, str]:
        """Creates a key: it, and its secret."""

    @abstractmethod
    def keys(self, tenant_id: str, *, include_inactive: bool) -> list[ApiKey]:
        """A tenant's keys."""

    @abstractmethod
    def revoke_key(self, key_id: str) -> ApiKey:
        """Makes a key worthless."""

    @abstractmethod
    def close(self) -> None:
        """Frees what it holds."""


@contextmanager
def open_accounts(target: TargetOptions) -> Iterator[Accounts]:
    """The accounts of what the options name."""
    accounts = _open(target)
    try:
        yield accounts
    finally:
        accounts.close()


def _open(target: TargetOptions) -> Accounts:
    address = target.address()
    if address is not None:
        from mnemic.cli.remote_accounts import RemoteAccounts  # noqa: PLC0415 (start-up time: loads grpc)

        return RemoteAccounts(address, connection_of(target))
    from mnemic.cli.local_accounts import LocalAccounts  # noqa: PLC0415 (start-up time: loads the store)

    return LocalAccounts(directory_settings(target))
