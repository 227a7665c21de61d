"""The client of administrators: tenants and API keys."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc

from mnemic.client import decoding
from mnemic.client.audit import AdminAudit
from mnemic.client.backups import AdminBackups
from mnemic.client.channel import (
    DEFAULT_ADDRESS,
    DEFAULT_TIMEOUT_SECONDS,
    ChannelOptions,
    call_metadata,
    closed_error,
    open_channel,
)
from mnemic.client.encodable import encodable
from mnemic.client.failures import from_rpc_error
from mnemic.model.access import ApiKey, Tenant
from mnemic.model.operations import DeadLetter, DeadLetterPage, ReplayResult, WorkKind
from mnemic.model.reembedding import ReembedStatus
from mnemic.model.stats import NodeStats
from mnemic.v1 import admin_service_pb2 as pb
from mnemic.v1 import admin_service_pb2_grpc
from mnemic.wire.accounts import key_from_proto, key_to_proto, tenant_from_proto, tenant_to_proto
from mnemic.wire.reembedding import status_from_proto
from mnemic.wire.values import micros_from_timestamp

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A new API key.

    Attributes:
        key: The key.
        secret: What is sent as `authorization: Bearer …`; seen here and never again.
    """

    key: ApiKey
    secret: str


class MnemicAdminClient(AdminBackups, AdminAudit):
    """A server's tenants and keys. Safe to use from many threads; every method raises `MnemicError`.

    What takes `tenant` is about the credential's own unless it is given; another one takes an operator's credential.

    Attributes:
        address: The server's.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        timeout: float | None = DEFAULT_TIMEOUT_SECONDS,
        api_key: str | None = None,
        metadata: Sequence[tuple[str, str]] = (),
        credentials: grpc.ChannelCredentials | None = None,
        options: ChannelOptions = (),
    ) -> None:
        """Connects at the first call; the arguments are those of `MnemicClient`."""
        self.address = address
        self._timeout = timeout
        self._metadata = call_metadata(api_key, metadata)
        self._channel = open_channel(address, credentials, options)
        self._stub = admin_service_pb2_grpc.AdminServiceStub(self._channel)
        self._closed = False

    def create_tenant(self, tenant: Tenant) -> Tenant:
        """Creates a tenant of an id, a name and quotas."""
        request = pb.CreateTenantRequest(tenant=_asked_tenant(tenant), request_id=str(uuid.uuid4()))
        return tenant_from_proto(self._call(self._stub.CreateTenant, request).tenant)

    def tenant(self, tenant: str = "") -> Tenant:
        """One tenant."""
        with encodable():
            request = pb.GetTenantRequest(tenant_id=tenant)
        return tenant_from_proto(self._call(self._stub.GetTenant, request).tenant)

    def tenants(self, *, page_size: int = 0, page_token: str = "") -> tuple[list[Tenant], str]:
        """One page of all tenants by id, and the token of the next, empty after the last."""
        with encodable():
            request = pb.ListTenantsRequest(page_size=page_size, page_token=page_token)
        answer = self._call(self._stub.ListTenants, request)
        return [tenant_from_proto(item) for item in answer.tenants], answer.next_page_token

    def update_tenant(self, tenant: Tenant, fields: Sequence[str], *, expected_version: int = 0) -> Tenant:
        """Changes a tenant.

        Args:
            tenant: Its id and the new values.
            fields: Which of them count: `display_name`, `settings.max_memories`, `settings.max_bytes`,
                `settings.secret_action`, `settings.personal_data_action`, `settings.default_trust`,
                `settings.extraction` or a field within it, such as `settings.extraction.exclude_topics`.
            expected_version: VERSION_CONFLICT unless it is the current one; 0 for any.
        """
        request = pb.UpdateTenantRequest(
            tenant=_asked_tenant(tenant), expected_version=expected_version, request_id=str(uuid.uuid4())
        )
        request.update_mask.paths.extend(fields)
        return tenant_from_proto(self._call(self._stub.UpdateTenant, request).tenant)

    def delete_tenant(self, tenant: str, *, expected_version: int = 0) -> str:
        """Starts to erase a tenant with its keys and settings; the id of the erasure, which `MnemicClient.erasure`
        follows. Nobody of the tenant comes in any more.
        """
        with encodable():
            request = pb.DeleteTenantRequest(
                tenant_id=tenant, expected_version=expected_version, request_id=str(uuid.uuid4())
            )
        return str(self._call(self._stub.DeleteTenant, request).erasure_id)

    def stats(self, tenant: str = "") -> NodeStats:
        """What the server holds of one tenant; the embedding model is not told."""
        with encodable():
            request = pb.GetStatsRequest(tenant_id=tenant)
        return decoding.stats(self._call(self._stub.GetStats, request))

    def reembed_status(self) -> ReembedStatus:
        """How far a change of the embedding model is; for operators."""
        return status_from_proto(self._call(self._stub.GetReembedStatus, pb.GetReembedStatusRequest()))

    def create_key(self, key: ApiKey) -> CreatedKey:
        """Creates an API key; of `key` counts what the caller chooses: tenant, role, name, scope, expiry and rate."""
        with encodable(key):
            message = key_to_proto(key)
        for name in ("key_id", "tenant_id", "create_time"):
            message.ClearField(name)
        with encodable():
            request = pb.CreateApiKeyRequest(tenant_id=key.tenant, api_key=message, request_id=str(uuid.uuid4()))
        answer = self._call(self._stub.CreateApiKey, request)
        return CreatedKey(key_from_proto(answer.api_key), answer.secret)

    def keys(
        self, tenant: str = "", *, include_inactive: bool = False, page_size: int = 0, page_token: str = ""
    ) -> tuple[list[ApiKey], str]:
        """One page of a tenant's keys by creation, and the token of the next, empty after the last."""
        with encodable():
            request = pb.ListApiKeysRequest(
                tenant_id=tenant, include_inactive=include_inactive, page_size=page_size, page_token=page_token
            )
        answer = self._call(self._stub.ListApiKeys, request)
        return [key_from_proto(item) for item in answer.api_keys], answer.next_page_token

    def revoke_key(self, key_id: str) -> ApiKey:
        """Makes a key worthless at once and for ever."""
        with encodable():
            request = pb.RevokeApiKeyRequest(key_id=key_id, request_id=str(uuid.uuid4()))
        return key_from_proto(self._call(self._stub.RevokeApiKey, request).api_key)

    def dead_letters(
        self, tenant: str = "", *, kind: WorkKind | None = None, page_size: int = 0, page_token: str = ""
    ) -> DeadLetterPage:
        """One page of the background work that was given up, oldest first."""
        with encodable():
            request = pb.ListDeadLettersRequest(
                tenant_id=tenant, kind=_work_kind(kind), page_size=page_size, page_token=page_token
            )
        answer = self._call(self._stub.ListDeadLetters, request)
        return DeadLetterPage(tuple(map(_dead_letter, answer.dead_letters)), answer.next_page_token)

    def replay_dead_letters(
        self, operation_ids: Sequence[str] = (), tenant: str = "", *, kind: WorkKind | None = None
    ) -> ReplayResult:
        """Puts work that was given up back into the queue: that of the ids; without any, all, or all of a kind."""
        with encodable():
            request = pb.ReplayDeadLettersRequest(
                tenant_id=tenant,
                operation_ids=operation_ids,
                kind=_work_kind(kind),
                request_id=str(uuid.uuid4()),
            )
        answer = self._call(self._stub.ReplayDeadLetters, request)
        return ReplayResult(answer.requeued_count, tuple(answer.missing_ids), answer.replayed)

    def close(self) -> None:
        """Ends the connection."""
        self._closed = True
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, method: Callable[..., Answer], request: Any) -> Answer:  # noqa: ANN401 (a message of the method)
        self._require_open()
        try:
            return method(request, timeout=self._timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            raise from_rpc_error(error, self.address) from error

    def _require_open(self) -> None:
        if self._closed:
            raise closed_error("MnemicAdminClient")


def _asked_tenant(tenant: Tenant) -> pb.Tenant:
    with encodable(tenant):
        message = tenant_to_proto(tenant)
    for name in ("create_time", "update_time", "version"):
        message.ClearField(name)
    return message


def _work_kind(kind: WorkKind | None) -> pb.WorkKind.ValueType:
    return pb.WorkKind.ValueType(kind or 0)


def _dead_letter(message: pb.DeadLetter) -> DeadLetter:
    return DeadLetter(
        operation_id=message.operation_id,
        tenant=message.tenant_id,
        kind=WorkKind(message.kind),
        memory_ids=tuple(message.memory_ids),
        attempts=message.attempts,
        last_error=message.last_error,
        create_time_micros=micros_from_timestamp(message.create_time),
        fail_time_micros=micros_from_timestamp(message.fail_time) if message.HasField("fail_time") else None,
    )
