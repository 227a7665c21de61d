"""Tenants and API keys between the domain and the contract, both ways."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from mnemic.model.access import AccessRole, ApiKey, Quota, Tenant
from mnemic.model.defence import ContentAction, DefenceRules
from mnemic.model.extraction_rules import NO_RULES, CategoryDefinition, ExtractionRules, ExtractionStats, ModelUsage
from mnemic.model.memory import TrustLevel
from mnemic.model.requests import AddMode
from mnemic.v1 import admin_service_pb2 as pb
from mnemic.v1 import memory_service_pb2, resources_pb2
from mnemic.wire.values import micros_from_timestamp, scope_from_proto, scope_to_proto, timestamp_from_micros


def tenant_to_proto(tenant: Tenant) -> pb.Tenant:
    """The message of a tenant."""
    return pb.Tenant(
        tenant_id=tenant.tenant_id,
        display_name=tenant.display_name,
        settings=pb.TenantSettings(
            max_memories=tenant.quota.max_memories,
            max_bytes=tenant.quota.max_bytes,
            extraction=None if tenant.extraction == NO_RULES else rules_to_proto(tenant.extraction),
            secret_action=pb.ContentAction.ValueType(tenant.defence.secret_action or 0),
            personal_data_action=pb.ContentAction.ValueType(tenant.defence.personal_data_action or 0),
            default_trust=resources_pb2.TrustLevel.ValueType(tenant.defence.default_trust or 0),
        ),
        create_time=timestamp_from_micros(tenant.create_time_micros),
        update_time=timestamp_from_micros(tenant.update_time_micros),
        version=tenant.version,
    )


def tenant_from_proto(message: pb.Tenant) -> Tenant:
    """The tenant of a message."""
    return Tenant(
        tenant_id=message.tenant_id,
        display_name=message.display_name,
        quota=quota_from_proto(message.settings),
        create_time_micros=micros_from_timestamp(message.create_time),
        update_time_micros=micros_from_timestamp(message.update_time),
        version=message.version,
        extraction=rules_from_proto(message.settings.extraction),
        defence=defence_from_proto(message.settings),
    )


def defence_from_proto(settings: pb.TenantSettings) -> DefenceRules:
    """What a tenant's settings say of secrets, personal data and trust.

    Raises:
        ValueError: One of them is none that this version knows.
    """
    secret, personal, trust = settings.secret_action, settings.personal_data_action, settings.default_trust
    return DefenceRules(
        secret_action=ContentAction(secret) if secret else None,
        personal_data_action=ContentAction(personal) if personal else None,
        default_trust=TrustLevel(trust) if trust else None,
    )


def quota_from_proto(settings: pb.TenantSettings) -> Quota:
    """The quotas of a tenant's settings."""
    return Quota(
        max_memories=settings.max_memories if settings.HasField("max_memories") else None,
        max_bytes=settings.max_bytes if settings.HasField("max_bytes") else None,
    )


def rules_to_proto(rules: ExtractionRules) -> pb.ExtractionSettings:
    """The message of extraction rules."""
    return pb.ExtractionSettings(
        instructions=rules.instructions,
        include_topics=rules.include_topics,
        exclude_topics=rules.exclude_topics,
        categories=[pb.CategoryDefinition(name=item.name, description=item.description) for item in rules.categories],
        monthly_budget_micros=rules.monthly_budget_micros,
        time_zone=rules.time_zone,
        default_mode=memory_service_pb2.AddMode.ValueType(rules.default_mode or 0),
        summarize_after_seconds=rules.summarize_after_seconds,
    )


def rules_from_proto(message: pb.ExtractionSettings) -> ExtractionRules:
    """The extraction rules of a message.

    Raises:
        ValueError: Its default mode is none that this version knows.
    """
    return ExtractionRules(
        instructions=message.instructions,
        include_topics=tuple(message.include_topics),
        exclude_topics=tuple(message.exclude_topics),
        categories=tuple(CategoryDefinition(item.name, item.description) for item in message.categories),
        monthly_budget_micros=message.monthly_budget_micros if message.HasField("monthly_budget_micros") else None,
        time_zone=message.time_zone,
        default_mode=AddMode(message.default_mode) if message.default_mode else None,
        summarize_after_seconds=(
            message.summarize_after_seconds if message.HasField("summarize_after_seconds") else None
        ),
    )


def extraction_to_proto(stats: ExtractionStats) -> pb.ExtractionStats:
    """The message of what extraction has before it and what it cost."""
    return pb.ExtractionStats(
        pending_count=stats.pending,
        held_count=stats.held,
        oldest_pending_time=_timestamp(stats.oldest_create_time_micros),
        month=pb.LanguageModelUsage(
            batch_count=stats.month.batches,
            prompt_token_count=stats.month.prompt_tokens,
            completion_token_count=stats.month.completion_tokens,
            cost_micros=stats.month.cost_micros,
            duration_micros=stats.month.duration_micros,
        ),
        monthly_budget_micros=stats.monthly_budget_micros,
    )


def extraction_from_proto(message: pb.ExtractionStats) -> ExtractionStats:
    """What a message says of extraction."""
    oldest = micros_from_timestamp(message.oldest_pending_time) if message.HasField("oldest_pending_time") else None
    return ExtractionStats(
        pending=message.pending_count,
        held=message.held_count,
        oldest_create_time_micros=oldest,
        month=ModelUsage(
            batches=message.month.batch_count,
            prompt_tokens=message.month.prompt_token_count,
            completion_tokens=message.month.completion_token_count,
            cost_micros=message.month.cost_micros,
            duration_micros=message.month.duration_micros,
        ),
        monthly_budget_micros=message.monthly_budget_micros if message.HasField("monthly_budget_micros") else None,
    )


def key_to_proto(key: ApiKey) -> pb.ApiKey:
    """The message of an API key."""
    return pb.ApiKey(
        key_id=key.key_id,
        tenant_id=key.tenant,
        display_name=key.display_name,
        role=pb.AccessRole.ValueType(int(key.role)),
        scope=None if key.scope.is_empty else scope_to_proto(key.scope),
        prefix=key.prefix,
        create_time=timestamp_from_micros(key.create_time_micros),
        expire_time=_timestamp(key.expire_time_micros),
        revoke_time=_timestamp(key.revoke_time_micros),
        last_use_time=_timestamp(key.last_use_time_micros),
        requests_per_second=key.requests_per_second,
        request_burst=key.request_burst,
    )


def key_from_proto(message: pb.ApiKey) -> ApiKey:
    """The API key of a message."""
    return ApiKey(
        key_id=message.key_id,
        tenant=message.tenant_id,
        role=AccessRole(message.role),
        display_name=message.display_name,
        scope=scope_from_proto(message.scope),
        prefix=message.prefix,
        create_time_micros=micros_from_timestamp(message.create_time),
        expire_time_micros=micros_from_timestamp(message.expire_time) if message.HasField("expire_time") else None,
        revoke_time_micros=micros_from_timestamp(message.revoke_time) if message.HasField("revoke_time") else None,
        last_use_time_micros=(
            micros_from_timestamp(message.last_use_time) if message.HasField("last_use_time") else None
        ),
        requests_per_second=message.requests_per_second if message.HasField("requests_per_second") else None,
        request_burst=message.request_burst if message.HasField("request_burst") else None,
    )


def _timestamp(micros: int | None) -> Timestamp | None:
    return None if micros is None else timestamp_from_micros(micros)
