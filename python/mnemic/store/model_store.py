"""Embedding models and their vectors, as the engine sees them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from mnemic.model.memory import Memory


@dataclass(frozen=True, slots=True)
class Filling:
    """How a model's vectors are made for what was there before it.

    Attributes:
        start_micros: When that began.
        last_micros: When it last got further.
        last_error: Why it last did not, or empty.
    """

    start_micros: int
    last_micros: int
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class StoredModel:
    """An embedding model that the store knows.

    Attributes:
        identity: See `EmbeddingProvider.identity`.
        dimension: The length of its vectors.
        active: Whether searches use it; at most one is. A reembed fills an inactive one and then switches.
        filling: None for the first model of a store, and for one that is to be dropped.
    """

    identity: str
    dimension: int
    active: bool
    filling: Filling | None = None


class ModelStore(ABC):
    """The part of the store that knows models; raises as `mnemic.store.interface.Store` does."""

    @abstractmethod
    def models(self) -> list[StoredModel]:
        """The embedding models that the store knows."""

    @abstractmethod
    def register_model(self, identity: str, dimension: int, *, active: bool) -> None:
        """Makes a model known (again: no change). Making one active makes the others inactive,
        in one commit, and no filling of theirs is under way any more.
        """

    @abstractmethod
    def begin_filling(self, identity: str, dimension: int, now_micros: int) -> None:
        """Makes a model known that is not active and is to be: its vectors are made for what is there. Again: no
        change.
        """

    @abstractmethod
    def note_filling(self, identity: str, now_micros: int, error: str = "") -> None:
        """Notes when a filling got further, or why it did not."""

    @abstractmethod
    def put_vectors(self, identity: str, vectors: Sequence[tuple[str, int, bytes]]) -> int:
        """Stores vectors of (memory id, version) for a model, replacing older ones; commits. Returns the revision.
        Versions that are no longer there are passed over.
        """

    @abstractmethod
    def versions_without_vector(self, identity: str, *, limit: int) -> list[Memory]:
        """Versions of undeleted memories that have no vector of this model, oldest first: what a reembed, or a
        caught-up provider, has to do.
        """

    @abstractmethod
    def count_without_vector(self, identity: str) -> int:
        """How many `versions_without_vector` would give without a limit."""

    @abstractmethod
    def count_vectors(self, identity: str) -> int:
        """How many versions have a vector of this model."""

    @abstractmethod
    def drop_model(self, identity: str) -> None:
        """Removes an inactive model and its vectors."""
