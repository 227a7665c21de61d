"""The embedding model of an engine, and that it is the one of its store."""

from __future__ import annotations

from collections.abc import Callable

from mnemic.embedding.factory import open_provider
from mnemic.embedding.install import pull_model
from mnemic.embedding.provider import EmbeddingProvider
from mnemic.engine.reembedding import switch_if_filled
from mnemic.engine.settings import Settings
from mnemic.model.errors import MnemicError, Reason
from mnemic.store.interface import Store

Progress = Callable[[str, float], None]


def open_model(settings: Settings, *, pull_missing: bool, progress: Progress | None) -> EmbeddingProvider:
    """The embedding model that the settings name.

    Raises:
        MnemicError: MODEL_NOT_INSTALLED when its files are missing and are not to be pulled.
    """
    try:
        return open_provider(settings.embedding)
    except MnemicError as error:
        if error.reason is not Reason.MODEL_NOT_INSTALLED or not pull_missing:
            raise
    pull_model(settings.embedding.provider, models_directory=settings.embedding.models_directory, progress=progress)
    return open_provider(settings.embedding)


def open_next_model(settings: Settings) -> Callable[[], EmbeddingProvider] | None:
    """What opens the model that is to come; None where the settings name none."""
    following = settings.next_embedding
    return None if following is None else lambda: open_provider(following)


def require_model(store: Store, provider: EmbeddingProvider) -> None:
    """Registers the model with a new store, or switches to one whose vectors were made meanwhile.

    Raises:
        MnemicError: MODEL_MISMATCH when the store has another one.
    """
    active = next((model for model in store.models() if model.active), None)
    if active is None:
        store.register_model(provider.identity, provider.dimension, active=True)
    elif active.identity != provider.identity and not switch_if_filled(store, provider):
        raise MnemicError(
            Reason.MODEL_MISMATCH,
            f"the store was embedded with {active.identity} ({active.dimension} dimensions) and the settings name "
            f"{provider.identity} ({provider.dimension}); run `mnemic reembed` to migrate, or set the model back "
            "(with this one as `next_embedding`, the server makes its vectors meanwhile)",
            metadata={"stored_model": active.identity, "configured_model": provider.identity},
        )
