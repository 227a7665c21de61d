"""From settings to a provider."""

from __future__ import annotations

import os
from pathlib import Path

from mnemic import _core
from mnemic.embedding.cache import CachedProvider
from mnemic.embedding.catalogue import STATIC
from mnemic.embedding.install import resolve_models_directory
from mnemic.embedding.local import LocalProvider
from mnemic.embedding.minilm import TOKENIZER_FILE, MiniLmProvider
from mnemic.embedding.onnx_directory import OnnxDirectoryProvider
from mnemic.embedding.prefixes import PrefixedProvider
from mnemic.embedding.provider import EmbeddingProvider
from mnemic.embedding.settings import EmbeddingSettings, OnnxSettings, OpenAISettings
from mnemic.embedding.sources import Progress
from mnemic.embedding.static import StaticProvider


def open_provider(settings: EmbeddingSettings, *, progress: Progress | None = None) -> EmbeddingProvider:
    """Opens the provider that the settings name, and never another one in its place.

    Args:
        settings: Which one.
        progress: Told (step, fraction of that step from 0 to 1) while it loads.

    Raises:
        MnemicError: MODEL_NOT_INSTALLED when a local model's files are missing (the message says what to run),
            CORRUPT_DATA when they are not what was installed, INVALID_FIELD for a setting that is missing or wrong,
            EMBEDDING_UNAVAILABLE when a remote service must tell its dimension and does not answer.
    """
    report = progress or (lambda _step, _fraction: None)
    step = f"Loading the embedding model {settings.provider}"
    report(step, 0.0)
    provider = _open(settings)
    report(step, 1.0)
    if settings.cache_entries:
        provider = CachedProvider(provider, settings.cache_entries)
    query, document = _prefixes(settings)
    return PrefixedProvider(provider, query=query, document=document) if query or document else provider


def native_embedder(provider: EmbeddingProvider, *, queue: int) -> _core.QueryEmbedder:
    """The provider for callers that do without Python: the same model and the same cached vectors.

    A remote provider's fresh texts are Python's to embed (`runs_model` is False); what it embedded before is known.
    Where questions begin with a prefix, all of them are Python's: what the cache knows under a question's bare text is
    no question's vector.

    Args:
        provider: From `open_provider`. Close the embedder before it.
        queue: Requests that may wait for the model beside those that run, one on each core.
    """
    inner, cache = provider, _core.VectorCache(provider.identity, provider.dimension, 0)
    if isinstance(inner, PrefixedProvider) and not inner.query:
        inner = inner.inner
    if isinstance(inner, CachedProvider):
        cache = inner.cache
        inner = inner.inner
    model = inner.model if isinstance(inner, LocalProvider) else None
    return _core.QueryEmbedder(cache, model, threads=os.cpu_count() or 1, queue=queue)


def forget_cached(provider: EmbeddingProvider) -> int:
    """Drops the vectors of recent texts that a provider keeps, if it keeps any; how many."""
    inner = provider.inner if isinstance(provider, PrefixedProvider) else provider
    if not isinstance(inner, CachedProvider):
        return 0
    count = len(inner)
    inner.cache.clear()
    return count


def tokenizer_file(settings: EmbeddingSettings) -> tuple[str, Path] | None:
    """The name of the model that the settings name, and the file of its tokenizer, if it has one here."""
    match settings.provider:
        case "minilm":
            path = resolve_models_directory(settings.models_directory) / "minilm" / TOKENIZER_FILE
        case "static":
            path = resolve_models_directory(settings.models_directory) / "static" / STATIC.files[1].name
        case "onnx" if settings.onnx.directory is not None:
            path = settings.onnx.directory / TOKENIZER_FILE
        case _:
            return None
    return (settings.provider, path) if path.is_file() else None


def _prefixes(settings: EmbeddingSettings) -> tuple[str, str]:
    """What questions and memories begin with."""
    match settings.provider:
        case "onnx":
            own: OnnxSettings | OpenAISettings = settings.onnx
        case "openai":
            own = settings.openai
        case _:
            return "", ""
    return own.query_prefix or "", own.document_prefix or ""


def _open(settings: EmbeddingSettings) -> EmbeddingProvider:
    match settings.provider:
        case "minilm":
            return MiniLmProvider(settings.models_directory, threads=settings.threads)
        case "static":
            return StaticProvider(settings.models_directory)
        case "onnx":
            return OnnxDirectoryProvider(settings.onnx, threads=settings.threads)
        case "openai":
            # The SDK takes most of a second to import, and the local models do without it.
            from mnemic.embedding.openai import OpenAIProvider  # noqa: PLC0415

            return OpenAIProvider(settings.openai)
