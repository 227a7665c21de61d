"""All settings, from one model: defaults, a TOML file, environment variables and flags, each overriding the former.

Environment variables are `MNEMIC_` and the field's path joined by `__`, such as `MNEMIC_SERVER__ADDRESS`.
"""

from __future__ import annotations

import os
import shutil
import tomllib
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from mnemic.embedding.settings import EmbeddingSettings
from mnemic.model.errors import FieldViolation, MnemicError, Reason

CONFIG_VARIABLE = "MNEMIC_CONFIG"
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
    embedding_queue: int = Field(64, ge=1, le=10_000, description="requests that may wait for the embedding model")

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


class ServerSettings(_Section):
    """Where and how the server listens."""

    address: str = Field("127.0.0.1:50551", description="host:port; port 0 takes a free one")
    max_workers: int = Field(8, ge=1, le=256, description="threads that serve calls")
    max_concurrent_streams: int = Field(4, ge=1, le=256, description="bulk streams served at once; below max_workers")
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


def default_data_directory() -> Path:
    """Where memories are kept unless said: the platform's place for a user's data."""
    return Path(platformdirs.user_data_dir("mnemic", appauthor=False))


class Settings(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(
        env_prefix="MNEMIC_", env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=True
    )

    data_directory: Path = Field(default_factory=default_data_directory, description="where memories are kept")
    embedding: EmbeddingSettings = Field(default_factory=EmbeddingSettings)
    limits: Limits = Field(default_factory=Limits)
    server: ServerSettings = Field(default_factory=ServerSettings)

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
