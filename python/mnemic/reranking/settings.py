"""Whether searches can be reranked, by what, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class _Section(BaseModel):
    # A misspelt setting is an error, not a default.
    model_config = ConfigDict(extra="forbid", frozen=True)


class OnnxRerankerSettings(_Section):
    """A cross-encoder of your own: a directory with `model.onnx` and `tokenizer.json`."""

    directory: Path | None = Field(None, description="the directory; required for the provider `onnx`")
    max_tokens: int = Field(512, ge=8, le=32_768, description="query and text together; the longer of them is cut")
    batch_size: int = Field(16, ge=1, le=1024, description="pairs in one run of the model")
    threads: int = Field(1, ge=1, le=64, description="threads of one run")


class HttpRerankerSettings(_Section):
    """A service with a rerank endpoint."""

    shape: Literal["cohere", "tei"] = Field(
        "cohere", description="cohere: of Cohere, Jina, vLLM and others; tei: of text-embeddings-inference"
    )
    base_url: str | None = Field(None, description="the service's address up to /rerank; unset: Cohere's, for `cohere`")
    api_key: SecretStr | None = Field(None, description="unset: CO_API_KEY for Cohere's own address, else none")
    model: str = Field("rerank-v3.5", min_length=1, description="the model's name at the service, for `cohere`")
    batch_size: int | None = Field(
        None, ge=1, le=1000, description="texts in one request; unset: 32 for `tei`, as many as it takes, else all"
    )
    scores: Literal["probability", "logit"] = Field(
        "probability", description="what the service answers: 0 to 1, or any number, of which the logistic is taken"
    )
    max_retries: int = Field(1, ge=0, le=10, description="further tries after 408, 429, 5xx or a lost connection")


class RerankingSettings(_Section):
    """Whether searches can be reranked, by what, and how."""

    provider: Literal["none", "onnx", "http"] = Field(
        "none", description="what reranks the searches that ask for it: none, onnx or http"
    )
    candidates: int = Field(50, ge=1, le=1000, description="how many of the first hits are reranked")
    timeout_seconds: float = Field(0.5, gt=0, le=60, description="after this the order before reranking stands")
    weight: float = Field(
        1.0, gt=0, le=1, description="of the reranker's score in a hit's score; 1 leaves nothing of the other signals"
    )
    queue: int = Field(16, ge=0, le=10_000, description="searches that may wait for the reranker")
    onnx: OnnxRerankerSettings = Field(default_factory=OnnxRerankerSettings)
    http: HttpRerankerSettings = Field(default_factory=HttpRerankerSettings)
