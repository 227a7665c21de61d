"""qdrant-edge: one shard with a keyword index over the user, vectors and BM25's sparse vectors."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import Any

from bench.retrieval.measuring import Contestant
from bench.retrieval.vectors import TOP, Vectors

NAME = "qdrant-edge"
UPSERT = 1000
PREFETCH = 50
RRF_K = 60
AVERAGE_WORDS = 16.0


class QdrantShard:
    """Points under row numbers; `vectors` or `texts` may be left out.

    Raises:
        ImportError: It is not installed.
    """

    def __init__(self, dimension: int | None, *, words: bool) -> None:
        import qdrant_edge

        self.edge = qdrant_edge
        self.directory = tempfile.TemporaryDirectory(prefix="mnemic-bench-qdrant-")
        dense = {}
        if dimension:
            parameters = qdrant_edge.EdgeVectorParams(size=dimension, distance=qdrant_edge.Distance.Dot)
            dense["dense"] = parameters
        sparse = {}
        if words:
            sparse["words"] = qdrant_edge.EdgeSparseVectorParams(modifier=qdrant_edge.Modifier.Idf)
        config = qdrant_edge.EdgeConfig(
            vectors=dense,
            sparse_vectors=sparse,
            # Its scoped searches compare points one by one below 6,667 vectors anyway; a graph over all takes minutes.
            optimizers=qdrant_edge.EdgeOptimizersConfig(indexing_threshold=1_000_000_000, default_segment_number=1),
            max_search_threads=1,
            wal_enabled=False,
        )
        self.shard = qdrant_edge.EdgeShard.create(self.directory.name, config)
        self.bm25 = qdrant_edge.Bm25(qdrant_edge.Bm25Config(avg_len=AVERAGE_WORDS, language="english"))
        keyword = qdrant_edge.KeywordIndexParams(is_tenant=True)
        self.shard.update(qdrant_edge.UpdateOperation.create_field_index("user", keyword))

    def add(
        self,
        numbers: Sequence[int],
        users: Sequence[str | list[str]],
        vectors: Vectors | None = None,
        texts: Sequence[str] | None = None,
    ) -> None:
        """Adds the rows of these numbers; `users`, `vectors` and `texts` are looked up by number."""
        for start in range(0, len(numbers), UPSERT):
            points = [self._point(number, users[number], vectors, texts) for number in numbers[start : start + UPSERT]]
            self.shard.update(self.edge.UpdateOperation.upsert_points(points))

    def _point(self, number: int, user: str | list[str], vectors: Vectors | None, texts: Sequence[str] | None) -> Any:
        named: dict[str, Any] = {}
        if vectors is not None:
            named["dense"] = vectors[number].tolist()
        if texts is not None:
            named["words"] = self.bm25.embed_document(texts[number])
        return self.edge.Point(number, named, {"user": user})

    def remove(self, number: int) -> None:
        self.shard.update(self.edge.UpdateOperation.delete_points([number]))

    def optimize(self) -> None:
        self.shard.optimize()

    def nearest(self, queries: Vectors, user: str | None, name: str = NAME) -> Contestant:
        requests = [
            self.edge.QueryRequest(limit=TOP, query=self._dense(query.tolist()), filter=self._of(user))
            for query in queries
        ]
        return self._contestant(name, requests)

    def words(self, texts: Sequence[str], user: str | None, name: str = NAME) -> Contestant:
        requests = [
            self.edge.QueryRequest(limit=TOP, query=self._sparse(text), filter=self._of(user)) for text in texts
        ]
        return self._contestant(name, requests)

    def hybrid(self, queries: Vectors, texts: Sequence[str], user: str, name: str = NAME) -> Contestant:
        """The best 50 by vector and by words, fused by reciprocal rank."""
        requests = []
        for query, text in zip(queries, texts, strict=True):
            prefetches = [
                self.edge.Prefetch(limit=PREFETCH, query=part, filter=self._of(user))
                for part in (self._dense(query.tolist()), self._sparse(text))
            ]
            fusion = self.edge.Fusion.Rrf(k=RRF_K)
            requests.append(self.edge.QueryRequest(limit=TOP, prefetches=prefetches, query=fusion))
        return self._contestant(name, requests)

    def _dense(self, query: list[float]) -> Any:
        return self.edge.Query.Nearest(query, using="dense")

    def _sparse(self, text: str) -> Any:
        return self.edge.Query.Nearest(self.bm25.embed_query(text), using="words")

    def _of(self, user: str | None) -> Any:
        if user is None:
            return None
        match = self.edge.MatchValue(user)
        return self.edge.Filter(must=[self.edge.FieldCondition("user", match=match)])

    def _contestant(self, name: str, requests: list[Any]) -> Contestant:
        """The requests are made beforehand: only the search is timed."""
        return Contestant(
            name, lambda i: self.shard.query(requests[i]), lambda points: [int(point.id) for point in points]
        )
