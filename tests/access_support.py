"""Credentials of every kind, and calls of any method with them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass

import grpc

from mnemic.engine.engine import Engine
from mnemic.model.access import AccessRole, ApiKey, Tenant
from mnemic.model.scope import Scope
from mnemic.v1 import admin_service_pb2, lifecycle_service_pb2, memory_service_pb2

TIMEOUT = 20.0
SECRET = "a secret of the tests, of no use to anyone"  # noqa: S105 (that is what it is)
METHODS = {
    f"/{service.full_name}/{method.name}": method
    for file in (memory_service_pb2, lifecycle_service_pb2, admin_service_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}


def call(channel: grpc.Channel, path: str, data: bytes, metadata=()) -> list[bytes]:
    """Calls a method with the bytes of one request; all of its answers."""
    method = METHODS[path]
    options = {"timeout": TIMEOUT, "metadata": metadata}
    if method.client_streaming:
        return list(channel.stream_stream(path)(iter([data]), **options))
    if method.server_streaming:
        return list(channel.unary_stream(path)(data, **options))
    return [channel.unary_unary(path)(data, **options)]


def bearer(credential: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {credential}"),)


def make_tenant(engine: Engine, tenant_id: str) -> None:
    engine.authority.create_tenant(Tenant(tenant_id), caller="default")


@dataclass(frozen=True)
class Key:
    """A key that was made for a test."""

    key_id: str
    secret: str

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return bearer(self.secret)


def make_key(engine: Engine, role: AccessRole, tenant: str = "default", scope: Scope = Scope(), **fields) -> Key:  # noqa: B008 (it is frozen)
    made = engine.authority.create_key(
        ApiKey(key_id="", tenant=tenant, role=role, scope=scope, **fields), caller="default"
    )
    return Key(made.thing.key_id, made.secret)


def revoke(engine: Engine, key: Key) -> None:
    found = engine.authority.find_key(key.key_id)
    assert found is not None
    engine.authority.revoke_key(found, caller="default")


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def token(secret: str = SECRET, *, algorithm: str = "HS256", **claims) -> str:
    """A token signed with HMAC, whatever it says of itself."""
    claims = {"sub": "someone", "exp": int(time.time()) + 60} | claims
    head = _part(json.dumps({"alg": algorithm, "typ": "JWT"}).encode())
    signed = f"{head}.{_part(json.dumps(claims).encode())}"
    return f"{signed}.{_part(hmac.digest(secret.encode(), signed.encode(), hashlib.sha256))}"
