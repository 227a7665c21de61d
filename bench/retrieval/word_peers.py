"""The peers that search words: tantivy and bm25s. qdrant-edge has a module of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.retrieval.measuring import Contestant
from bench.retrieval.vectors import TOP

HEAP = 256_000_000


class TantivyIndex:
    """Texts with their users, in memory, stemmed; a query is parsed beforehand, only the search is timed.

    Raises:
        ImportError: It is not installed.
    """

    def __init__(self) -> None:
        import tantivy

        self.tantivy = tantivy
        builder = tantivy.SchemaBuilder()
        builder.add_text_field("body", tokenizer_name="en_stem")
        builder.add_text_field("user", tokenizer_name="raw", index_option="basic")
        self.schema = builder.build()
        self.index = tantivy.Index(self.schema)
        self.writer = self.index.writer(HEAP, 1)

    def add(self, texts: Sequence[str], users: Sequence[str]) -> None:
        """Visible when it returns."""
        for text, user in zip(texts, users, strict=True):
            self.writer.add_document(self.tantivy.Document(body=text, user=user))
        self.writer.commit()
        self.index.reload()

    def contestant(self, queries: Sequence[str], user: str | None, name: str = "tantivy") -> Contestant:
        self.writer.commit()
        self.index.reload()
        parsed = [self._query(text, user) for text in queries]
        searcher = self.index.searcher()
        return Contestant(name, lambda i: searcher.search(parsed[i], limit=TOP, count=False))

    def _query(self, text: str, user: str | None) -> Any:
        query = self.index.parse_query(text, ["body"])
        if user is None:
            return query
        must, tantivy = self.tantivy.Occur.Must, self.tantivy
        owner = tantivy.Query.const_score_query(tantivy.Query.term_query(self.schema, "user", user, "basic"), 0.0)
        return tantivy.Query.boolean_query([(must, query), (must, owner)])


class Bm25s:
    """Scores made when the index is built: no adds, no deletes; a query is split beforehand.

    Raises:
        ImportError: It or numba is not installed.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        import bm25s
        import numba  # noqa: F401 - without it the backend would be another one in silence

        self.bm25s = bm25s
        self.model = bm25s.BM25(backend="numba")
        self.model.index(bm25s.tokenize(list(texts), stopwords="en", show_progress=False), show_progress=False)

    def contestant(self, queries: Sequence[str]) -> Contestant:
        tokens = [
            self.bm25s.tokenize([text], stopwords="en", show_progress=False, return_ids=False) for text in queries
        ]

        def call(i: int) -> np.ndarray:
            return self.model.retrieve(tokens[i], k=TOP, show_progress=False, n_threads=0, return_as="documents")

        return Contestant("bm25s numba", call)
