"""Embedding models and their vectors on a relational database."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from mnemic.model.memory import Memory
from mnemic.store import models, reading, writing
from mnemic.store.database import Database
from mnemic.store.model_store import ModelStore, StoredModel
from mnemic.store.tables import store_state

_DROPPED_AT_ONCE = 20_000


class SqlModels(ModelStore):
    """Implements `ModelStore`, which says what each method does."""

    _database: Database

    def models(self) -> list[StoredModel]:
        """See `ModelStore.models`."""
        with self._database.reading() as connection:
            return models.stored_models(connection)

    def register_model(self, identity: str, dimension: int, *, active: bool) -> None:
        """See `ModelStore.register_model`."""
        with self._database.writing() as connection:
            if models.register_model(connection, identity, dimension, active=active):
                writing.require_rebuild(connection)

    def begin_filling(self, identity: str, dimension: int, now_micros: int) -> None:
        """See `ModelStore.begin_filling`."""
        with self._database.writing() as connection:
            models.begin_filling(connection, identity, dimension, now_micros)

    def note_filling(self, identity: str, now_micros: int, error: str = "") -> None:
        """See `ModelStore.note_filling`."""
        with self._database.writing() as connection:
            models.note_filling(connection, identity, now_micros, error)

    def put_vectors(self, identity: str, vectors: Sequence[tuple[str, int, bytes]]) -> int:
        """See `ModelStore.put_vectors`; when nothing is stored, nothing is committed and the revision stays."""
        with self._database.writing() as connection:
            stored = models.store_vectors(connection, identity, vectors)
            if stored is None:
                return reading.read_revision(connection)
            revision, _ = writing.advance(connection)
            writing.note_vectors(connection, stored, revision)
            return revision

    def versions_without_vector(self, identity: str, *, limit: int) -> list[Memory]:
        """See `ModelStore.versions_without_vector`."""
        with self._database.reading() as connection:
            return models.versions_without_vector(connection, identity, max(limit, 0))

    def count_without_vector(self, identity: str) -> int:
        """See `ModelStore.count_without_vector`."""
        with self._database.reading() as connection:
            return models.count_without_vector(connection, identity)

    def count_vectors(self, identity: str) -> int:
        """See `ModelStore.count_vectors`."""
        with self._database.reading() as connection:
            return models.count_vectors(connection, identity)

    def drop_model(self, identity: str) -> None:
        """See `ModelStore.drop_model`. In several commits, so that other writes need not wait for all of it; what was
        interrupted is finished by another call.
        """
        after = 0
        while True:
            with self._database.writing() as connection:
                model = models.find_inactive(connection, identity)
                if model is None:
                    return
                last = connection.execute(select(store_state.c.last_version_id)).scalar_one()
                models.drop_vectors(connection, model, after, after + _DROPPED_AT_ONCE)
                after += _DROPPED_AT_ONCE
                if after >= last:
                    models.forget_model(connection, model)
                    return
