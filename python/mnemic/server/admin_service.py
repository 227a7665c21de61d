"""AdminService: what the contract says of it, over the engine."""

from __future__ import annotations

import resource
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from google.protobuf.timestamp_pb2 import Timestamp

from mnemic import __version__, _core
from mnemic.engine.authority import key_not_found
from mnemic.engine.engine import Engine
from mnemic.model.access import AccessRole
from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.model.stats import NodeStats
from mnemic.server import accounts, to_proto
from mnemic.server.audit_calls import AuditCalls
from mnemic.server.backup_calls import BackupCalls
from mnemic.server.calls import Call
from mnemic.v1 import admin_service_pb2 as pb
from mnemic.wire.accounts import extraction_to_proto, key_to_proto, tenant_to_proto
from mnemic.wire.reembedding import status_to_proto


class ServerFigures(Protocol):
    """What the service asks of the server's own figures."""

    @property
    def address(self) -> str:
        """Where the page for Prometheus is; empty for none."""

    @property
    def has_front(self) -> bool:
        """Whether the native front owns the address."""

    def call_counts(self) -> dict[tuple[str, int], int]:
        """How often each method ended in each google.rpc.Code."""

    def front_figures(self) -> Iterable[tuple[str, int, int | None]]:
        """What the front holds or dropped: name, value and what bounds it."""


class AdminService(BackupCalls, AuditCalls):
    """All of its RPCs.

    Args:
        engine: What it administers.
        figures: Those of its server.
    """

    def __init__(self, engine: Engine, figures: ServerFigures) -> None:
        self._engine = engine
        self._authority = engine.authority
        self._figures = figures
        self._started = Timestamp()
        self._started.GetCurrentTime()

    def create_tenant(self, request: pb.CreateTenantRequest, call: Call) -> pb.CreateTenantResponse:
        """Creates a tenant."""
        made = self._authority.create_tenant(
            accounts.new_tenant(request.tenant), caller=call.tenant, request_id=request.request_id
        )
        return pb.CreateTenantResponse(tenant=tenant_to_proto(made.thing), replayed=made.replayed)

    def get_tenant(self, request: pb.GetTenantRequest, call: Call) -> pb.GetTenantResponse:
        """One tenant."""
        tenant = self._authority.tenant(accounts.own_or_any(request.tenant_id, call))
        return pb.GetTenantResponse(tenant=tenant_to_proto(tenant))

    def list_tenants(self, request: pb.ListTenantsRequest, _call: Call) -> pb.ListTenantsResponse:
        """One page of all tenants."""
        tenants, token = self._authority.tenants(size=request.page_size, token=request.page_token)
        return pb.ListTenantsResponse(tenants=[tenant_to_proto(tenant) for tenant in tenants], next_page_token=token)

    def update_tenant(self, request: pb.UpdateTenantRequest, call: Call) -> pb.UpdateTenantResponse:
        """Changes a tenant."""
        if request.expected_version < 0:
            raise invalid_field("expected_version", "is negative; give a version that was read, or 0 for any")
        made = self._authority.update_tenant(
            accounts.own_or_any(request.tenant.tenant_id, call),
            accounts.tenant_change(request, call),
            caller=call.tenant,
            expected_version=request.expected_version,
            request_id=request.request_id,
            asked=(request.tenant.SerializeToString(deterministic=True), tuple(request.update_mask.paths)),
        )
        return pb.UpdateTenantResponse(tenant=tenant_to_proto(made.thing), replayed=made.replayed)

    def delete_tenant(self, request: pb.DeleteTenantRequest, call: Call) -> pb.DeleteTenantResponse:
        """Starts to erase a tenant."""
        if not request.tenant_id:
            raise invalid_field("tenant_id", "is empty; give the id of a tenant")
        erasure_id, replayed = self._engine.erasure.delete_tenant(
            request.tenant_id,
            self._authority,
            caller=call.tenant,
            expected_version=request.expected_version,
            requested_by=call.caller.subject,
            request_id=request.request_id,
        )
        return pb.DeleteTenantResponse(erasure_id=erasure_id, replayed=replayed)

    def create_api_key(self, request: pb.CreateApiKeyRequest, call: Call) -> pb.CreateApiKeyResponse:
        """Creates an API key."""
        tenant_id = accounts.own_or_any(request.tenant_id, call)
        made = self._authority.create_key(
            accounts.new_key(request.api_key, tenant_id, call), caller=call.tenant, request_id=request.request_id
        )
        return pb.CreateApiKeyResponse(api_key=key_to_proto(made.thing), secret=made.secret, replayed=made.replayed)

    def list_api_keys(self, request: pb.ListApiKeysRequest, call: Call) -> pb.ListApiKeysResponse:
        """One page of a tenant's API keys."""
        keys, token = self._authority.keys(
            accounts.own_or_any(request.tenant_id, call),
            include_inactive=request.include_inactive,
            size=request.page_size,
            token=request.page_token,
        )
        return pb.ListApiKeysResponse(api_keys=[key_to_proto(key) for key in keys], next_page_token=token)

    def revoke_api_key(self, request: pb.RevokeApiKeyRequest, call: Call) -> pb.RevokeApiKeyResponse:
        """Makes an API key worthless at once."""
        key = self._authority.find_key(request.key_id)
        is_operator = call.caller.role >= AccessRole.OPERATOR
        if key is None or (key.tenant != call.tenant and not is_operator):
            raise key_not_found(request.key_id)
        if key.role > call.caller.role:
            raise MnemicError(
                Reason.PERMISSION_DENIED,
                f"key_id: a key of the role {key.role.name} is revoked by no lesser role",
                metadata={"field": "key_id", "role": key.role.name},
            )
        made = self._authority.revoke_key(key, caller=call.tenant, request_id=request.request_id)
        return pb.RevokeApiKeyResponse(api_key=key_to_proto(made.thing), replayed=made.replayed)

    def list_dead_letters(self, request: pb.ListDeadLettersRequest, call: Call) -> pb.ListDeadLettersResponse:
        """One page of the work that was given up."""
        page = self._engine.dead_letters(
            self._authority.tenant(accounts.own_or_any(request.tenant_id, call)).tenant_id,
            accounts.work_kind(request.kind),
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListDeadLettersResponse(
            dead_letters=[to_proto.dead_letter(item) for item in page.dead_letters],
            next_page_token=page.next_page_token,
        )

    def replay_dead_letters(self, request: pb.ReplayDeadLettersRequest, call: Call) -> pb.ReplayDeadLettersResponse:
        """Puts work that was given up back into the queue."""
        result = self._engine.replay_dead_letters(
            self._authority.tenant(accounts.own_or_any(request.tenant_id, call)).tenant_id,
            list(request.operation_ids),
            accounts.work_kind(request.kind),
            caller=call.tenant,
            request_id=request.request_id,
        )
        return pb.ReplayDeadLettersResponse(
            requeued_count=result.requeued, missing_ids=result.missing_ids, replayed=result.replayed
        )

    def get_reembed_status(self, _request: pb.GetReembedStatusRequest, _call: Call) -> pb.GetReembedStatusResponse:
        """How far a change of the embedding model is."""
        return status_to_proto(self._engine.reembedding.status())

    def get_stats(self, request: pb.GetStatsRequest, call: Call) -> pb.GetStatsResponse:
        """What the store and this node hold."""
        if request.all_tenants and request.tenant_id:
            raise invalid_field("tenant_id", "cannot be given together with all_tenants; give one of them")
        if request.all_tenants and call.caller.role < AccessRole.OPERATOR:
            raise MnemicError(
                Reason.PERMISSION_DENIED,
                "all_tenants: the figures of all tenants are for operators; leave it out for your own",
                metadata={"field": "all_tenants"},
            )
        tenant_id = None if request.all_tenants else accounts.own_or_any(request.tenant_id, call)
        if tenant_id is not None:
            self._authority.tenant(tenant_id)
        stats = self._engine.stats(tenant_id)
        return pb.GetStatsResponse(
            store=_store(stats),
            index=_index(stats),
            server=self._server(stats) if request.all_tenants else None,
            caller=pb.CallerInfo(
                subject=call.caller.subject, tenant_id=call.tenant, role=pb.AccessRole.ValueType(int(call.caller.role))
            ),
            extraction=extraction_to_proto(stats.extraction),
        )

    def _server(self, stats: NodeStats) -> pb.ServerStats:
        now = Timestamp()
        now.GetCurrentTime()
        disk = shutil.disk_usage(self._engine.settings.data_directory.expanduser())
        return pb.ServerStats(
            version=__version__,
            start_time=self._started,
            embedding_model=stats.model,
            embedding_dimension=stats.dimension,
            simd=_core.build_info()["simd"],
            resident_bytes=_resident_bytes(),
            calls=[
                pb.CallCount(method=method, code=code, count=count)
                for (method, code), count in sorted(self._figures.call_counts().items())
            ],
            front=self._figures.has_front,
            time=now,
            metrics_address=self._figures.address,
            disk_free_bytes=disk.free,
            disk_total_bytes=disk.total,
            figures=[
                pb.ServerFigure(name=name, value=value, limit=limit)
                for name, value, limit in self._figures.front_figures()
            ],
            tokenizers=self._engine.tokenizers(),
        )


def _resident_bytes() -> int:
    """What the process holds in memory; where the system does not say it, the most that it has held."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
    return pages * resource.getpagesize()


def _store(stats: NodeStats) -> pb.StoreStats:
    store = stats.store
    return pb.StoreStats(
        tenant_count=store.tenants,
        scope_count=store.scopes,
        memory_count=store.memories,
        version_count=store.versions,
        vector_count=store.vectors,
        pending_work_count=store.outbox_pending,
        dead_letter_count=store.outbox_failed,
        body_bytes=store.body_bytes,
        disk_bytes=store.bytes_on_disk,
        revision=store.revision,
        added_last_day_count=store.added,
        archived_count=store.archived,
        removed_last_day_count=store.removed,
    )


def _index(stats: NodeStats) -> pb.IndexStats:
    index = stats.index
    return pb.IndexStats(
        partition_count=index.partitions,
        row_count=index.rows,
        current_row_count=index.current,
        vector_count=index.vectors,
        memory_bytes=index.bytes,
    )
