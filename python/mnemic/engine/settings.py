"""All settings, from one model: defaults, a TOML file, environment variables and flags, each overriding the former.

Environment variables are `MNEMIC_` and the field's path joined by `__`, such as `MNEMIC_SERVER__ADDRESS`.
"""

from __future__ import annotations

import os
import shutil
import tomllib
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal, Self, get_args

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from mnemic.defence.settings import DefenceSettings
from mnemic.embedding.settings import EmbeddingSettings, ProviderName
from mnemic.engine.tokens import ESTIMATE, OPENAI_ENCODINGS
from mnemic.extraction.settings import ExtractionSettings
from mnemic.model.access import Quota
from mnemic.model.errors import FieldViolation, MnemicError, Reason
from mnemic.reranking.settings import RerankingSettings
from mnemic.store.sealing_settings import EncryptionSettings

CONFIG_VARIABLE = "MNEMIC_CONFIG"
# Tokenizers that no file can stand for: the estimate, encodings by name, and those of the embedding models.
RESERVED_TOKENIZERS = frozenset({ESTIMATE, *OPENAI_ENCODINGS, *get_args(ProviderName)})
# RFC 7518 §3.2: no shorter than the hash.
_LEAST_SECRET_BYTES = 32
# The file that `load_settings` is reading: pydantic-settings builds its sources in a class method.
_config_file: ContextVar[Path | None] = ContextVar("_config_file", default=None)


class _Section(BaseModel):
    # A misspelt setting is an error, not a default.
    model_config = ConfigDict(extra="forbid", frozen=True)


class Limits(_Section):
    """What the engine accepts; sizes in bytes of UTF-8."""

    body_bytes: int = Field(32 * 1024, ge=1, le=1024 * 1024, description="the longest text of a memory")
    query_bytes: int = Field(8 * 1024, ge=1, le=1024 * 1024, description="the longest query")
    memories_per_add: int = Field(1000, ge=1, le=10_000, description="memories in one AddMemories")
    metadata_bytes: int = Field(16 * 1024, ge=0, le=1024 * 1024, description="metadata of one memory, as JSON")
    metadata_keys: int = Field(64, ge=0, le=1024, description="keys in the metadata of one memory")
    searches_per_batch: int = Field(100, ge=1, le=1000, description="searches in one BatchSearchMemories")
    ids_per_batch: int = Field(1000, ge=1, le=10_000, description="ids in one BatchGetMemories")
    revision_wait_seconds: float = Field(5.0, ge=0, le=60, description="the longest wait for `min_revision`")
    request_id_hours: int = Field(24, ge=24, le=24 * 365, description="how long answers are kept for replay")
    index_bytes: int | None = Field(
        None, ge=1024 * 1024, description="memory for the index; unset: half of the machine's memory"
    )
    snapshot_bytes: int | None = Field(
        None, ge=0, description="disk for snapshots of the index, 0 for none; unset: a tenth of the disk"
    )
    tenant_memories: int | None = Field(
        None, ge=0, description="current memories of a tenant that sets no `max_memories`; unset: any number"
    )
    tenant_bytes: int | None = Field(
        None, ge=0, description="bytes of text of a tenant that sets no `max_bytes`; unset: any number"
    )
    embedding_queue: int = Field(64, ge=1, le=10_000, description="requests that may wait for the embedding model")

    def quota(self) -> Quota:
        """What a tenant may hold whose own settings say nothing."""
        return Quota(self.tenant_memories, self.tenant_bytes)

    def index_budget(self) -> int:
        """The memory for the index, in bytes."""
        if self.index_bytes is not None:
            return self.index_bytes
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2

    def snapshot_budget(self, directory: Path) -> int:
        """The disk for snapshots in a directory, in bytes."""
        if self.snapshot_bytes is not None:
            return self.snapshot_bytes
        return shutil.disk_usage(directory).total // 10


class SearchSettings(_Section):
    """How searches are answered that do not say."""

    profile: Literal["balanced", "fast", "precise", "semantic", "lexical"] | None = Field(
        None, description="of searches that name none; unset: fast with the static embedding, else balanced"
    )


class ComposingSettings(_Section):
    """How contexts are composed."""

    tokenizers: dict[str, Path] = Field(
        {}, description="further tokenizers to count by: a `tokenizer.json` for each name"
    )

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        taken = sorted(RESERVED_TOKENIZERS & self.tokenizers.keys())
        if taken:
            raise ValueError(f"{taken[0]} is the name of a tokenizer that is there already; give another")
        for name, path in self.tokenizers.items():
            if not path.is_file():
                raise ValueError(f"the tokenizer {name}: {path} is no file")
        return self


class RetentionSettings(_Section):
    """When memories are forgotten on purpose; which, the policies of each tenant say."""

    interval_hours: float = Field(
        24.0, ge=0, le=24 * 365, description="how often a server runs retention by itself, 0 for never"
    )
    count_recalls: bool = Field(
        default=True, description="keep count of what searches give: what `max_inactivity` and the retention score ask"
    )


class ServerSettings(_Section):
    """Where and how the server listens."""

    address: str = Field("127.0.0.1:50551", description="host:port; port 0 takes a free one")
    unix_socket: Path | None = Field(None, description="one more address, for callers of the same user; unset: none")
    front: bool = Field(default=True, description="the native front owns the address; else the Python server does")
    tls_certificate: Path | None = Field(None, description="PEM, with the chain; unset: no TLS on host:port")
    tls_key: Path | None = Field(None, description="PEM, the certificate's private key")
    tls_client_ca: Path | None = Field(None, description="PEM; only clients with a certificate of these may connect")
    max_connections: int = Field(1024, ge=1, le=100_000, description="connections to the front at once")
    idle_seconds: float = Field(600.0, ge=1, le=86_400, description="a connection without calls is ended after this")
    receive_seconds: float = Field(
        30.0, ge=1, le=3600, description="time for a message to arrive, and 1 s more for each 64 KiB of it"
    )
    send_seconds: float = Field(
        300.0, ge=1, le=86_400, description="time to take a piece of an answer, and 1 s more for each 64 KiB that wait"
    )
    max_workers: int = Field(8, ge=1, le=256, description="threads that serve calls")
    max_concurrent_streams: int = Field(4, ge=1, le=256, description="bulk streams served at once; below max_workers")
    max_watches: int = Field(64, ge=1, le=4096, description="WatchMemories streams served at once, each by a thread")
    max_pending_calls: int = Field(256, ge=1, le=100_000, description="calls that may wait for a thread")
    max_message_bytes: int = Field(16 * 1024 * 1024, ge=64 * 1024, le=256 * 1024 * 1024, description="one message")
    max_metadata_bytes: int = Field(16 * 1024, ge=1024, le=1024 * 1024, description="the metadata of one call")
    drain_seconds: float = Field(10.0, ge=0, le=600, description="time for calls in flight at a shutdown")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="debug, info, warning or error")
    log_format: Literal["console", "json"] = Field("console", description="console for people, json for programs")
    metrics_address: str | None = Field(None, description="host:port of the page for Prometheus; unset: none")
    tracing: bool = Field(default=False, description="export traces of calls by OTLP; needs mnemic[tracing]")
    trace_ratio: float = Field(0.01, ge=0, le=1, description="the share of calls without a trace that begin one")
    reflection: bool = Field(default=True, description="let clients ask for the contract")


class JwtSettings(_Section):
    """Which tokens (JWT) are taken and what their claims mean."""

    algorithms: tuple[Literal["HS256", "RS256", "ES256", "EdDSA"], ...] = Field(
        ("RS256", "ES256", "EdDSA"), min_length=1, description="how tokens may be signed: of HS256, RS256, ES256, EdDSA"
    )
    key_set: str | None = Field(
        None, description="the issuer's keys (JWKS): a file, or a URL that begins with https://"
    )
    secret: SecretStr | None = Field(
        None, description="the secret of HS256, 32 bytes or more; better in the environment"
    )
    refresh_seconds: float = Field(300.0, ge=10, le=86_400, description="how often the key set is read again")
    fetch_seconds: float = Field(5.0, gt=0, le=60, description="how long reading the key set may take")
    unknown_key_seconds: float = Field(
        30.0, ge=1, le=3600, description="how soon it is read again for a token whose key it does not have"
    )
    issuer: str | None = Field(None, description="what `iss` must be; unset: anything")
    audiences: tuple[str, ...] = Field((), description="one of them must be in `aud`; empty: tokens must have no `aud`")
    leeway_seconds: int = Field(30, ge=0, le=600, description="how far the issuer's clock may be from this one")
    tenant_claim: str = Field("tenant", min_length=1, description="the claim that holds the tenant")
    default_tenant: str | None = Field(None, description="the tenant of tokens without it; unset: they are refused")
    role_claim: str = Field("role", min_length=1, description="the claim that holds the role, or a list of them")
    roles: dict[str, Literal["read", "write", "admin", "operator"]] = Field(
        {}, description="what its values mean; empty: they are read, write, admin and operator"
    )
    default_role: Literal["read", "write", "admin", "operator"] | None = Field(
        None, description="the role of tokens without one; unset: they are refused"
    )
    user_claim: str | None = Field(None, description="a claim whose user_id memories must carry, such as `sub`")
    agent_claim: str | None = Field(None, description="a claim whose agent_id memories must carry")
    session_claim: str | None = Field(None, description="a claim whose session_id memories must carry")
    app_claim: str | None = Field(None, description="a claim whose app_id memories must carry")

    @model_validator(mode="after")
    def _check_sources(self) -> Self:
        if self.secret is not None and len(self.secret.get_secret_value().encode()) < _LEAST_SECRET_BYTES:
            raise ValueError(f"secret is shorter than {_LEAST_SECRET_BYTES} bytes")
        if self.secret is not None and "HS256" not in self.algorithms:
            raise ValueError("secret is given but HS256 is not among algorithms")
        return self


class AuthenticationSettings(_Section):
    """Who may call."""

    mode: Literal["none", "keys", "jwt", "keys+jwt"] = Field(
        "none", description="none: everyone may do everything; keys: API keys; jwt: tokens; keys+jwt: both"
    )
    requests_per_second: float | None = Field(
        None, gt=0, le=1e6, description="calls of a key or token that sets no rate; unset: any number"
    )
    request_burst: int | None = Field(
        None, ge=1, le=1_000_000, description="how many of them may come at once; unset: those of a second"
    )
    jwt: JwtSettings = Field(default_factory=JwtSettings)

    @property
    def takes_keys(self) -> bool:
        """Whether API keys are credentials."""
        return "keys" in self.mode

    @property
    def takes_tokens(self) -> bool:
        """Whether tokens are credentials."""
        return "jwt" in self.mode

    @model_validator(mode="after")
    def _check_tokens(self) -> Self:
        if self.takes_tokens and self.jwt.key_set is None and self.jwt.secret is None:
            raise ValueError("mode takes tokens; give jwt.key_set, or jwt.secret for HS256")
        return self


def default_data_directory() -> Path:
    """Where memories are kept unless said: the platform's place for a user's data."""
    return Path(platformdirs.user_data_dir("mnemic", appauthor=False))


class BackupSettings(_Section):
    """Where backups go."""

    directory: Path | None = Field(
        None, description="where the server keeps backups, better on another disk; unset: they are only streamed"
    )


class AuditSettings(_Section):
    """What the audit log has."""

    writes: bool | None = Field(
        None, description="enter writes, erasures and administration; unset: where callers are asked who they are"
    )
    reads: bool = Field(
        default=False, description="enter reads, too; then the front answers none of them itself, which is slower"
    )


class Settings(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(
        env_prefix="MNEMIC_", env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=True
    )

    data_directory: Path = Field(default_factory=default_data_directory, description="where memories are kept")
    embedding: EmbeddingSettings = Field(default_factory=EmbeddingSettings)
    next_embedding: EmbeddingSettings | None = Field(
        None, description="a model whose vectors are made meanwhile, for a start with it; unset: none"
    )
    reranking: RerankingSettings = Field(default_factory=RerankingSettings)
    search: SearchSettings = Field(default_factory=SearchSettings)
    composing: ComposingSettings = Field(default_factory=ComposingSettings)
    extraction: ExtractionSettings = Field(default_factory=ExtractionSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    defence: DefenceSettings = Field(default_factory=DefenceSettings)
    limits: Limits = Field(default_factory=Limits)
    server: ServerSettings = Field(default_factory=ServerSettings)
    authentication: AuthenticationSettings = Field(default_factory=AuthenticationSettings)
    backup: BackupSettings = Field(default_factory=BackupSettings)
    audit: AuditSettings = Field(default_factory=AuditSettings)
    encryption: EncryptionSettings = Field(default_factory=EncryptionSettings)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (the signature is pydantic-settings')
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (the same)
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags over environment over file."""
        path = _config_file.get()
        file = (TomlConfigSettingsSource(settings_cls, path),) if path else ()
        return (init_settings, env_settings, *file)


def load_settings(*, config: Path | None = None, **overrides: object) -> Settings:
    """Reads the settings.

    Args:
        config: A TOML file; unless given, the one that `MNEMIC_CONFIG` names, if any.
        **overrides: Values that win over file and environment; nested ones as dicts.

    Raises:
        MnemicError: INVALID_FIELD naming each setting at fault and where a file could not be read.
    """
    named = os.environ.get(CONFIG_VARIABLE)
    path = config or (Path(named) if named else None)
    if path is not None:
        _require_readable(path)
    token = _config_file.set(path)
    try:
        return _build(overrides)
    finally:
        _config_file.reset(token)


def _require_readable(path: Path) -> None:
    try:
        tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MnemicError(
            Reason.INVALID_FIELD,
            f"cannot read the configuration {path}: {error}",
            metadata={"path": str(path)},
        ) from error


def _build(values: dict[str, Any]) -> Settings:
    try:
        return Settings(**values)
    except ValidationError as error:
        violations = tuple(
            FieldViolation(".".join(str(part) for part in item["loc"]), item["msg"]) for item in error.errors()
        )
        words = "; ".join(f"{violation.field}: {violation.description}" for violation in violations)
        raise MnemicError(Reason.INVALID_FIELD, f"settings: {words}", violations=violations) from error
