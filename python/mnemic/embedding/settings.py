"""Which embedding model runs, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

ProviderName = Literal["minilm", "static", "openai", "onnx"]


class _Section(BaseModel):
    # A misspelt setting is an error, not a default.
    model_config = ConfigDict(extra="forbid", frozen=True)


class OpenAISettings(_Section):
    """A service that speaks OpenAI's `/v1/embeddings`."""

    base_url: str | None = Field(None, description="the service's address up to /v1; unset: OPENAI_BASE_URL or OpenAI")
    api_key: SecretStr | None = Field(None, description="unset: OPENAI_API_KEY")
    model: str = Field("text-embedding-3-small", min_length=1, description="the model's name at the service")
    dimensions: int | None = Field(
        None, ge=1, le=8192, description="asked of the service; unset: the model's own, learnt by one call at start"
    )
    batch_size: int = Field(128, ge=1, le=2048, description="texts in one request")
    max_retries: int = Field(2, ge=0, le=10, description="further tries after 408, 409, 429, 5xx or a lost connection")
    timeout_seconds: float = Field(30.0, gt=0, le=600, description="for one try")
    query_prefix: str | None = Field(
        None, max_length=1000, description="what a question begins with, as the model wants it"
    )
    document_prefix: str | None = Field(
        None, max_length=1000, description="what a memory begins with; changes its vectors"
    )


class OnnxSettings(_Section):
    """A model of your own: a directory with `model.onnx` and `tokenizer.json`."""

    directory: Path | None = Field(None, description="the directory; required for the provider `onnx`")
    pooling: Literal["mean", "cls"] = Field("mean", description="how token vectors become one, if the model does not")
    max_tokens: int = Field(256, ge=2, le=32_768, description="longer texts are cut here, the prefix counted")
    query_prefix: str | None = Field(
        None, max_length=1000, description="what a question begins with, as the model wants it"
    )
    document_prefix: str | None = Field(
        None, max_length=1000, description="what a memory begins with; changes its vectors"
    )


class EmbeddingSettings(_Section):
    """Which embedding model runs, and how."""

    provider: ProviderName = Field("minilm", description="minilm and static run locally and need no key")
    models_directory: Path | None = Field(
        None, description="where pulled models are kept; unset: MNEMIC_MODELS_DIRECTORY or the user's cache"
    )
    threads: int = Field(1, ge=1, le=64, description="threads of a local model for one call")
    cache_entries: int = Field(4096, ge=0, le=10_000_000, description="vectors of recent short calls kept in memory")
    openai: OpenAISettings = Field(default_factory=OpenAISettings)
    onnx: OnnxSettings = Field(default_factory=OnnxSettings)
