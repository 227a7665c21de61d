"""Tenants, their keys, and who may come in."""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Generic, TypeVar

import structlog

from mnemic import _core
from mnemic.engine.account_checks import check_budget, check_new_key, check_tenant
from mnemic.engine.identifiers import IdentifierSource
from mnemic.engine.key_sets import KeySetKeeper
from mnemic.engine.pages import decode_page_token, encode_page_token, malformed_page_token, request_digest
from mnemic.engine.replay import fingerprint_of, kept_answer, same_contents
from mnemic.engine.settings import AuthenticationSettings, JwtSettings
from mnemic.engine.tenant_rules import TenantRules
from mnemic.engine.validation import check_memory_id, check_request_id, page_size
from mnemic.model.access import AccessRole, ApiKey, Quota, Tenant
from mnemic.model.defence import DefenceRules
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.extraction_rules import ExtractionRules
from mnemic.model.scope import Scope
from mnemic.store.interface import Mutation, RequestIdTakenError, Store

_log = structlog.get_logger("mnemic.authentication")
SECRET_PREFIX = "mnk_"  # noqa: S105 (how secrets begin, none itself)
_SECRET_BYTES = 32
_SHOWN_CHARACTERS = 12
_PAGE = 100
_ALL_PAGE = 1000
_USES_SECONDS = 60.0
# Changes that name no version and meet another writer are tried again so often before they give up.
_CHANGE_TRIES = 5
Thing = TypeVar("Thing", Tenant, ApiKey)


@dataclass(frozen=True, slots=True)
class Made(Generic[Thing]):
    """What a mutation left, and what is said of it once.

    Attributes:
        thing: The tenant or key as it is now.
        secret: Of a new key; empty in a replay.
        replayed: Whether it is the answer to an earlier call.
    """

    thing: Thing
    secret: str = ""
    replayed: bool = False


class Authority:
    """Carries out what administrators ask, and keeps the authenticator of both servers in step with the store.

    Attributes:
        authenticator: Who may come in.
        rules: How facts are drawn from each tenant's messages, and what must not be in them.
        when_rules_change: Called after they were changed.
    """

    def __init__(self, store: Store, settings: AuthenticationSettings, *, is_priced: bool = False) -> None:
        """Admits all keys and tenants of the store.

        Args:
            store: Where they are.
            settings: Who may come in.
            is_priced: Whether language models have prices, so that budgets mean something.
        """
        self._store = store
        self._settings = settings
        self._is_priced = is_priced
        self.rules = TenantRules(store)
        self.when_rules_change: Callable[[], None] = lambda: None
        self._identifiers = IdentifierSource()
        self._stopping = threading.Event()
        self._started: list[threading.Thread] = []
        self.authenticator = _core.Authenticator(
            keys=settings.takes_keys,
            tokens=_token_rules(settings.jwt) if settings.takes_tokens else None,
            requests_per_second=settings.requests_per_second,
            request_burst=settings.request_burst,
        )
        self._key_set = KeySetKeeper(self.authenticator, settings.jwt)
        # A change reaches the store and the authenticator in one order.
        self._lock = threading.Lock()
        self._admit_all()

    def _admit_all(self) -> None:
        if self._settings.takes_keys:
            for key, secret_hash in self._store.all_keys(good_at_micros=_now()):
                self._admit(key, secret_hash)
        after = ""
        while self._settings.takes_tokens:
            found = self._store.tenants(limit=_ALL_PAGE, after=after)
            for tenant in found:
                self.authenticator.insert_tenant(tenant.tenant_id)
            if len(found) < _ALL_PAGE:
                return
            after = found[-1].tenant_id

    def _admit(self, key: ApiKey, secret_hash: bytes) -> None:
        self.authenticator.insert_key(
            key.key_id,
            secret_hash=secret_hash,
            tenant=key.tenant,
            role=int(key.role),
            scope=(key.scope.user_id, key.scope.agent_id, key.scope.session_id, key.scope.app_id),
            expire_micros=key.expire_time_micros,
            requests_per_second=key.requests_per_second,
            request_burst=key.request_burst,
        )

    def start(self) -> None:
        """Begins to serve callers: reads the key set of tokens and notes the uses of keys. A second call does nothing.

        Raises:
            MnemicError: INVALID_FIELD when the key set of the settings is unusable.
        """
        if self._started:
            return
        if self._settings.takes_tokens:
            self._key_set.start()
        if self._settings.takes_keys and not self.authenticator.key_count:
            _log.warning("there is no API key yet: `mnemic keys create --role operator` makes one while no server runs")
        thread = threading.Thread(target=self._note_uses_in_turn, name="mnemic-key-uses", daemon=True)
        self._started.append(thread)
        thread.start()

    def stop(self) -> None:
        """Ends the background work."""
        self._stopping.set()
        for thread in self._started:
            thread.join()
        self._key_set.stop()

    def _note_uses_in_turn(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._stopping.wait(_USES_SECONDS)
            try:
                self._store.note_uses(self.authenticator.take_uses())
            except MnemicError as error:
                _log.warning("key_uses_not_noted", error=str(error))

    def tenant(self, tenant_id: str) -> Tenant:
        """One tenant.

        Raises:
            MnemicError: RESOURCE_NOT_FOUND.
        """
        found = self._store.find_tenant(tenant_id)
        if found is None:
            raise tenant_not_found(tenant_id)
        return found

    def tenants(self, *, size: int = 0, token: str = "") -> tuple[list[Tenant], str]:
        """One page of the tenants by id, and the token of the next."""
        size = page_size(size, _PAGE)
        digest = request_digest("tenants")
        found = self._store.tenants(limit=size + 1, after=_after(token, digest))
        return found[:size], encode_page_token(digest, [found[size - 1].tenant_id]) if len(found) > size else ""

    def create_tenant(self, tenant: Tenant, *, caller: str, request_id: str = "") -> Made[Tenant]:
        """Makes a tenant."""
        fingerprint = self._fingerprint(request_id, "create_tenant", tenant)
        now = _now()
        new = replace(tenant, create_time_micros=now, update_time_micros=now, version=1)
        record = kept_answer("CreateTenant", request_id, fingerprint, asdict(new))

        def make() -> Made[Tenant]:
            check_tenant(tenant)
            check_budget(new, None, is_priced=self._is_priced)
            with self._lock:
                self._store.create_tenant(new, Mutation(caller=caller, request=record, now_micros=now))
                self.authenticator.insert_tenant(new.tenant_id)
            self.rules.forget(new.tenant_id)
            return Made(new)

        return self._once(caller, "CreateTenant", request_id, fingerprint, make, _tenant_of)

    def update_tenant(
        self,
        tenant_id: str,
        change: Callable[[Tenant], Tenant],
        *,
        caller: str,
        expected_version: int = 0,
        request_id: str = "",
        asked: object = None,
    ) -> Made[Tenant]:
        """Changes a tenant.

        Args:
            tenant_id: Which.
            change: Gives it as it should be; may raise.
            caller: The tenant in whose name the answer is kept.
            expected_version: VERSION_CONFLICT unless it is the current one; 0 for any.
            request_id: Makes a retry safe.
            asked: What is asked for: a retry must ask for the same.
        """
        fingerprint = self._fingerprint(request_id, "update_tenant", tenant_id, expected_version, asked)

        def make() -> Made[Tenant]:
            old = self.tenant(tenant_id)
            if expected_version and old.version != expected_version:
                raise MnemicError(
                    Reason.VERSION_CONFLICT,
                    f"expected_version: the tenant is at version {old.version}, not {expected_version}; read it again",
                    metadata={"current_version": str(old.version), "expected_version": str(expected_version)},
                )
            now = max(_now(), old.update_time_micros + 1)
            new = replace(change(old), update_time_micros=now, version=old.version + 1)
            check_tenant(new)
            check_budget(new, old, is_priced=self._is_priced)
            record = kept_answer("UpdateTenant", request_id, fingerprint, asdict(new))
            self._store.replace_tenant(new, Mutation(caller=caller, request=record, now_micros=now))
            if (new.extraction, new.defence) != (old.extraction, old.defence):
                self.rules.forget(tenant_id)
            if new.extraction != old.extraction:
                self.when_rules_change()
            return Made(new)

        def until_won() -> Made[Tenant]:
            for _ in range(_CHANGE_TRIES - 1):
                try:
                    return make()
                except MnemicError as error:
                    if error.reason is not Reason.VERSION_CONFLICT or expected_version:
                        raise
            return make()

        return self._once(caller, "UpdateTenant", request_id, fingerprint, until_won, _tenant_of)

    def close_tenant(self, tenant_id: str) -> None:
        """Lets nobody of a tenant in any more; the store has revoked its keys."""
        with self._lock:
            self.authenticator.remove_tenant(tenant_id)
            after = ""
            while found := self._store.keys(tenant_id, good_at_micros=None, limit=_ALL_PAGE, after=after):
                for key in found:
                    self.authenticator.remove_key(key.key_id)
                after = found[-1].key_id

    def create_key(self, key: ApiKey, *, caller: str, request_id: str = "") -> Made[ApiKey]:
        """Makes an API key; of `key` what the caller chooses counts, and its tenant must be there."""
        fingerprint = self._fingerprint(request_id, "create_key", key)
        now = _now()

        def make() -> Made[ApiKey]:
            check_new_key(key, now)
            self.tenant(key.tenant)
            secret = SECRET_PREFIX + base64.urlsafe_b64encode(secrets.token_bytes(_SECRET_BYTES)).decode().rstrip("=")
            new = replace(
                key,
                key_id=self._identifiers.next(),
                prefix=secret[:_SHOWN_CHARACTERS],
                create_time_micros=now,
                revoke_time_micros=None,
                last_use_time_micros=None,
            )
            secret_hash = _core.hash_secret(secret)
            record = kept_answer("CreateApiKey", request_id, fingerprint, asdict(new))
            with self._lock:
                self._store.create_key(new, secret_hash, Mutation(caller=caller, request=record, now_micros=now))
                self._admit(new, secret_hash)
            return Made(new, secret)

        return self._once(caller, "CreateApiKey", request_id, fingerprint, make, _key_of)

    def keys(
        self, tenant_id: str, *, include_inactive: bool = False, size: int = 0, token: str = ""
    ) -> tuple[list[ApiKey], str]:
        """One page of a tenant's keys by creation, and the token of the next."""
        size = page_size(size, _PAGE)
        self.tenant(tenant_id)
        digest = request_digest("keys", tenant_id, include_inactive)
        good_at = None if include_inactive else _now()
        found = self._store.keys(tenant_id, good_at_micros=good_at, limit=size + 1, after=_after(token, digest))
        return found[:size], encode_page_token(digest, [found[size - 1].key_id]) if len(found) > size else ""

    def find_key(self, key_id: str) -> ApiKey | None:
        """One key, of any tenant."""
        return self._store.find_key(check_memory_id(key_id, "key_id"))

    def revoke_key(self, key: ApiKey, *, caller: str, request_id: str = "") -> Made[ApiKey]:
        """Makes a key worthless: when this returns, no call gets in with it."""
        fingerprint = self._fingerprint(request_id, "revoke_key", key.key_id)
        now = _now()
        revoked = key if key.revoke_time_micros is not None else replace(key, revoke_time_micros=now)
        record = kept_answer("RevokeApiKey", request_id, fingerprint, asdict(revoked))

        def make() -> Made[ApiKey]:
            with self._lock:
                self._store.revoke_key(key.key_id, Mutation(caller=caller, request=record, now_micros=now))
                self.authenticator.remove_key(key.key_id)
            return Made(revoked)

        return self._once(caller, "RevokeApiKey", request_id, fingerprint, make, _key_of)

    def _fingerprint(self, request_id: str, *parts: object) -> str:
        check_request_id(request_id)
        return fingerprint_of(*parts) if request_id else ""

    def _once(
        self,
        caller: str,
        method: str,
        request_id: str,
        fingerprint: str,
        make: Callable[[], Made[Thing]],
        decode: Callable[[dict[str, Any]], Thing],
    ) -> Made[Thing]:
        """Makes it, or repeats what an earlier call with this request id was answered."""
        kept = self._store.find_request(caller, method, request_id) if request_id else None
        if kept is None:
            try:
                return make()
            except RequestIdTakenError as taken:
                kept = taken.record
        return Made(decode(json.loads(same_contents(kept, fingerprint).response)), replayed=True)


def tenant_not_found(tenant_id: str) -> MnemicError:
    """The one answer for an absent tenant and for a foreign one."""
    return MnemicError(
        Reason.RESOURCE_NOT_FOUND,
        f"tenant_id: there is no tenant {tenant_id[:64]!r}",
        metadata={"tenant_id": tenant_id[:64]},
    )


def key_not_found(key_id: str) -> MnemicError:
    """The one answer for an absent key and for a foreign one."""
    return MnemicError(
        Reason.RESOURCE_NOT_FOUND, f"key_id: there is no API key {key_id!r}", metadata={"key_id": key_id}
    )


def _tenant_of(values: dict[str, Any]) -> Tenant:
    rules = ExtractionRules.from_values(values.pop("extraction", {}))
    defence = DefenceRules.from_values(values.pop("defence", {}))
    return Tenant(quota=Quota(**values.pop("quota")), extraction=rules, defence=defence, **values)


def _key_of(values: dict[str, Any]) -> ApiKey:
    scope, role = Scope(**values.pop("scope")), AccessRole(values.pop("role"))
    return ApiKey(scope=scope, role=role, **values)


def _after(token: str, digest: str) -> str:
    if not token:
        return ""
    match decode_page_token(token, digest):
        case [str(position)]:
            return position
        case _:
            raise malformed_page_token()


def _token_rules(settings: JwtSettings) -> _core.TokenRules:
    claims = {
        "user_id": settings.user_claim,
        "agent_id": settings.agent_claim,
        "session_id": settings.session_claim,
        "app_id": settings.app_claim,
    }
    return _core.TokenRules(
        algorithms=list(settings.algorithms),
        issuer=settings.issuer,
        audiences=list(settings.audiences),
        leeway_seconds=settings.leeway_seconds,
        tenant_claim=settings.tenant_claim,
        default_tenant=settings.default_tenant,
        role_claim=settings.role_claim,
        roles=dict(settings.roles),
        default_role=settings.default_role,
        scope_claims={field: claim for field, claim in claims.items() if claim is not None},
    )


def _now() -> int:
    return time.time_ns() // 1000
