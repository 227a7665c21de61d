"""The tenants and keys of a data directory that no server has open: how the first key is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mnemic.cli.accounts_backend import Accounts
from mnemic.engine.authority import Authority, key_not_found
from mnemic.engine.settings import Settings
from mnemic.model.access import ApiKey, Quota, Tenant
from mnemic.model.scope import DEFAULT_TENANT
from mnemic.store.sqlite import open_sqlite

_PAGE = 1000
_RULES = "settings.extraction."
_DEFENCE = ("secret_action", "personal_data_action", "default_trust")


class LocalAccounts(Accounts):
    """Opens the store alone: neither the index nor the embedding model is needed. Whoever may is an operator."""

    def __init__(self, settings: Settings) -> None:
        self._store = open_sqlite(settings.data_directory, encryption=settings.encryption)
        self._authority = Authority(self._store, settings.authentication, is_priced=settings.extraction.llm.is_priced)

    def create_tenant(self, tenant: Tenant) -> Tenant:
        """See `Accounts.create_tenant`."""
        return self._authority.create_tenant(tenant, caller=DEFAULT_TENANT).thing

    def tenant(self, tenant_id: str) -> Tenant:
        """See `Accounts.tenant`."""
        return self._authority.tenant(tenant_id or DEFAULT_TENANT)

    def tenants(self) -> list[Tenant]:
        """See `Accounts.tenants`."""
        found, token = self._authority.tenants(size=_PAGE)
        while token:
            more, token = self._authority.tenants(size=_PAGE, token=token)
            found += more
        return found

    def update_tenant(self, tenant: Tenant, fields: Sequence[str]) -> Tenant:
        """See `Accounts.update_tenant`."""

        def change(old: Tenant) -> Tenant:
            asked = tenant.quota
            quota = Quota(
                asked.max_memories if "settings.max_memories" in fields else old.quota.max_memories,
                asked.max_bytes if "settings.max_bytes" in fields else old.quota.max_bytes,
            )
            asked_rules = [field.removeprefix(_RULES) for field in fields if field.startswith(_RULES)]
            rules = {field: getattr(tenant.extraction, field) for field in asked_rules}
            asked_defence = [field for field in _DEFENCE if f"settings.{field}" in fields]
            defence = {field: getattr(tenant.defence, field) for field in asked_defence}
            name = tenant.display_name if "display_name" in fields else old.display_name
            return replace(
                old,
                display_name=name,
                quota=quota,
                extraction=replace(old.extraction, **rules),
                defence=replace(old.defence, **defence),
            )

        return self._authority.update_tenant(tenant.tenant_id, change, caller=DEFAULT_TENANT).thing

    def create_key(self, key: ApiKey) -> tuple[ApiKey, str]:
        """See `Accounts.create_key`."""
        made = self._authority.create_key(replace(key, tenant=key.tenant or DEFAULT_TENANT), caller=DEFAULT_TENANT)
        return made.thing, made.secret

    def keys(self, tenant_id: str, *, include_inactive: bool) -> list[ApiKey]:
        """See `Accounts.keys`."""
        tenant_id = tenant_id or DEFAULT_TENANT
        found, token = self._authority.keys(tenant_id, include_inactive=include_inactive, size=_PAGE)
        while token:
            more, token = self._authority.keys(tenant_id, include_inactive=include_inactive, size=_PAGE, token=token)
            found += more
        return found

    def revoke_key(self, key_id: str) -> ApiKey:
        """See `Accounts.revoke_key`."""
        key = self._authority.find_key(key_id)
        if key is None:
            raise key_not_found(key_id)
        return self._authority.revoke_key(key, caller=DEFAULT_TENANT).thing

    def close(self) -> None:
        """See `Accounts.close`."""
        self._authority.stop()
        self._store.close()
