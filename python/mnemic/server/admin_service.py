"""AdminService: the part of it that works, the figures."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from mnemic import __version__
from mnemic.engine.engine import Engine
from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.model.stats import NodeStats
from mnemic.server.calls import Call
from mnemic.v1 import admin_service_pb2 as pb


class AdminService:
    """The RPCs that work; `bind_service` answers UNIMPLEMENTED for the others."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._started = Timestamp()
        self._started.GetCurrentTime()

    def get_stats(self, request: pb.GetStatsRequest, call: Call) -> pb.GetStatsResponse:
        """What the store and this node hold. Without authentication, every caller is an operator."""
        if request.all_tenants and request.tenant_id:
            raise invalid_field("tenant_id", "cannot be given together with all_tenants; give one of them")
        if request.tenant_id not in ("", call.tenant):
            raise MnemicError(
                Reason.RESOURCE_NOT_FOUND,
                f"tenant_id: there is no tenant {request.tenant_id[:64]!r}",
                metadata={"tenant_id": request.tenant_id},
            )
        stats = self._engine.stats(None if request.all_tenants else call.tenant)
        return pb.GetStatsResponse(
            store=_store(stats), index=_index(stats), server=self._server(stats) if request.all_tenants else None
        )

    def _server(self, stats: NodeStats) -> pb.ServerStats:
        return pb.ServerStats(
            version=__version__,
            start_time=self._started,
            embedding_model=stats.model,
            embedding_dimension=stats.dimension,
        )


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
        disk_bytes=store.bytes_on_disk,
        revision=store.revision,
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
