"""Migrating a store to another embedding model: resumable, one batch per commit, searches switch at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mnemic.embedding.provider import EmbeddingProvider
from mnemic.model.memory import embedding_text
from mnemic.store.interface import Store

_BATCH = 256


@dataclass(frozen=True, slots=True)
class ReembedReport:
    """What a migration did.

    Attributes:
        model: The identity that is active now.
        dropped: The identities whose vectors were removed.
        embedded: How many versions were embedded in this run; those of an interrupted run are not counted again.
    """

    model: str
    dropped: tuple[str, ...]
    embedded: int


def reembed(
    store: Store, provider: EmbeddingProvider, progress: Callable[[int, int], None] = lambda _done, _total: None
) -> ReembedReport:
    """Embeds every version with the provider's model, makes it the active one and drops the others.

    An interruption loses nothing: the old model stays active until the last vector is there, and the next run goes on
    where this one ended.

    Args:
        store: The store; nothing else may write to it meanwhile.
        provider: The model to migrate to.
        progress: Told (done, total) after each batch.
    """
    store.register_model(provider.identity, provider.dimension, active=False)
    total = store.count_without_vector(provider.identity)
    done = 0
    progress(done, total)
    while batch := store.versions_without_vector(provider.identity, limit=_BATCH):
        vectors = provider.embed([embedding_text(memory.name, memory.body) for memory in batch])
        store.put_vectors(
            provider.identity,
            [
                (memory.memory_id, memory.version, vector.astype("<f4", copy=False).tobytes())
                for memory, vector in zip(batch, vectors, strict=True)
            ],
        )
        done += len(batch)
        progress(done, max(total, done))
    store.register_model(provider.identity, provider.dimension, active=True)
    others = tuple(model.identity for model in store.models() if model.identity != provider.identity)
    for identity in others:
        store.drop_model(identity)
    return ReembedReport(provider.identity, others, done)
