"""The peers that search vectors.

Each is imported where it is built; one that is not installed is skipped with the reason.
"""

from __future__ import annotations

import os
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from bench.retrieval.measuring import Contestant, Run
from bench.retrieval.vectors import TOP, Vectors

CONNECTIVITY = 16
CONSTRUCTION = 200
EXPANSIONS = (32, 64, 128, 256)
# Of hnswlib, beside which our graph stands at equal recall.
FINE_EXPANSIONS = (32, 64, 96, 128, 192, 256, 384, 512)
THREADS = os.cpu_count() or 1


class VectorPeer(ABC):
    """An index of vectors under row numbers. Built with all cores, searched with one."""

    name: ClassVar[str]

    @abstractmethod
    def __init__(self, dimension: int, capacity: int) -> None:
        """An empty index; ImportError says that the peer is not installed."""

    @abstractmethod
    def add(self, numbers: Sequence[int], vectors: Vectors, *, threads: int = 1) -> None: ...

    @abstractmethod
    def contestants(self, queries: Vectors) -> list[Contestant]: ...

    def remove(self, number: int) -> None:
        raise NotImplementedError(f"{type(self).__name__} cannot remove; only peers that can are asked in the turnover")


class Hnswlib(VectorPeer):
    name = "hnswlib"

    def __init__(self, dimension: int, capacity: int, *, replace_deleted: bool = False) -> None:
        import hnswlib

        self.index = hnswlib.Index(space="ip", dim=dimension)
        self.replace_deleted = replace_deleted
        self.index.init_index(
            max_elements=capacity, M=CONNECTIVITY, ef_construction=CONSTRUCTION, allow_replace_deleted=replace_deleted
        )
        self.index.set_num_threads(1)

    def add(self, numbers: Sequence[int], vectors: Vectors, *, threads: int = 1) -> None:
        full = self.index.get_current_count() == self.index.get_max_elements()
        replace = self.replace_deleted and full
        self.index.add_items(vectors, list(numbers), num_threads=threads, replace_deleted=replace)

    def remove(self, number: int) -> None:
        self.index.mark_deleted(number)

    def contestants(self, queries: Vectors) -> list[Contestant]:
        def of(expansion: int) -> Contestant:
            return Contestant(
                f"hnswlib ef{expansion}",
                lambda i: self.index.knn_query(queries[i], k=TOP),
                lambda answer: answer[0][0].tolist(),
                lambda: self.index.set_ef(expansion),
            )

        return [of(expansion) for expansion in FINE_EXPANSIONS]

    def filtered(self, queries: Vectors, allowed: set[int], expansion: int) -> Contestant:
        """With a Python function as the filter: its only kind."""

        def call(i: int) -> Any:
            return self.index.knn_query(queries[i], k=TOP, filter=allowed.__contains__)

        prepare = lambda: self.index.set_ef(expansion)  # noqa: E731 - one line for one setting
        return Contestant(f"hnswlib ef{expansion}, filter", call, lambda answer: answer[0][0].tolist(), prepare)


class Usearch(VectorPeer):
    name = "usearch"
    precision = "bf16"

    def __init__(self, dimension: int, capacity: int) -> None:  # noqa: ARG002 - it grows by itself
        from usearch.index import Index

        self.index = Index(
            ndim=dimension,
            metric="ip",
            dtype=self.precision,
            connectivity=CONNECTIVITY,
            expansion_add=CONSTRUCTION,
        )

    def add(self, numbers: Sequence[int], vectors: Vectors, *, threads: int = 1) -> None:
        self.index.add(np.asarray(numbers, dtype=np.uint64), vectors, threads=threads)

    def remove(self, number: int) -> None:
        self.index.remove(number)

    def contestants(self, queries: Vectors) -> list[Contestant]:
        def set_to(expansion: int) -> None:
            self.index.expansion_search = expansion

        def of(expansion: int) -> Contestant:
            return Contestant(
                f"{self.name} {self.precision} ef{expansion}",
                lambda i: self.index.search(queries[i], TOP, threads=1),
                lambda matches: matches.keys.tolist(),
                lambda: set_to(expansion),
            )

        return [of(expansion) for expansion in EXPANSIONS[1:]]


class UsearchFloat(Usearch):
    precision = "f32"


class FaissFlat(VectorPeer):
    name = "faiss Flat"

    def __init__(self, dimension: int, capacity: int) -> None:  # noqa: ARG002 - it grows by itself
        self.index = self._made(dimension)

    @staticmethod
    def _made(dimension: int) -> Any:
        import faiss

        return faiss.IndexFlatIP(dimension)

    def add(self, numbers: Sequence[int], vectors: Vectors, *, threads: int = 1) -> None:
        import faiss

        if list(numbers) != list(range(self.index.ntotal, self.index.ntotal + len(numbers))):
            raise ValueError("faiss numbers rows by their order")
        faiss.omp_set_num_threads(threads)
        self.index.add(vectors)
        faiss.omp_set_num_threads(1)

    def contestants(self, queries: Vectors) -> list[Contestant]:
        return [self._contestant(self.name, queries, None, None)]

    def _contestant(
        self, name: str, queries: Vectors, parameters: Any, prepare: Callable[[], object] | None
    ) -> Contestant:
        rows = [queries[i : i + 1] for i in range(len(queries))]
        call = lambda i: self.index.search(rows[i], TOP, params=parameters)  # noqa: E731 - what is timed, on one line
        return Contestant(name, call, lambda answer: answer[1][0].tolist(), prepare)

    def filtered(self, queries: Vectors, allowed: Sequence[int]) -> Contestant:
        """With a bitmap as the filter."""
        import faiss

        bits = np.zeros(self.index.ntotal, dtype=bool)
        bits[np.asarray(allowed)] = True
        self._bitmap = np.packbits(bits, bitorder="little")
        selector = faiss.IDSelectorBitmap(self._bitmap)
        return self._contestant(f"{self.name}, bitmap", queries, self._parameters(selector), None)

    @staticmethod
    def _parameters(selector: Any) -> Any:
        import faiss

        return faiss.SearchParameters(sel=selector)


class FaissHnsw(FaissFlat):
    name = "faiss HNSW16"

    @staticmethod
    def _made(dimension: int) -> Any:
        import faiss

        index = faiss.IndexHNSWFlat(dimension, CONNECTIVITY, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = CONSTRUCTION
        return index

    def contestants(self, queries: Vectors) -> list[Contestant]:
        def set_to(expansion: int) -> None:
            self.index.hnsw.efSearch = expansion

        def of(expansion: int) -> Contestant:
            return self._contestant(f"{self.name} ef{expansion}", queries, None, lambda: set_to(expansion))

        return [of(expansion) for expansion in EXPANSIONS[1:]]

    @staticmethod
    def _parameters(selector: Any) -> Any:
        import faiss

        return faiss.SearchParametersHNSW(sel=selector, efSearch=EXPANSIONS[1])


class Turbovec(VectorPeer):
    name = "turbovec 4 bit"

    def __init__(self, dimension: int, capacity: int) -> None:  # noqa: ARG002 - it grows by itself
        from turbovec import IdMapIndex

        self.index = IdMapIndex(dimension, 4)

    def add(self, numbers: Sequence[int], vectors: Vectors, *, threads: int = 1) -> None:  # noqa: ARG002 - has none
        self.index.add_with_ids(vectors, np.asarray(numbers, dtype=np.uint64))

    def remove(self, number: int) -> None:
        self.index.remove(number)

    def contestants(self, queries: Vectors) -> list[Contestant]:
        return [self._contestant(self.name, queries, None)]

    def filtered(self, queries: Vectors, allowed: Sequence[int]) -> Contestant:
        """With a list of ids as the filter."""
        return self._contestant(f"{self.name}, allowlist", queries, np.asarray(allowed, dtype=np.uint64))

    def _contestant(self, name: str, queries: Vectors, allowed: Any) -> Contestant:
        self.index.prepare()
        rows = [queries[i : i + 1] for i in range(len(queries))]
        call = lambda i: self.index.search(rows[i], TOP, allowlist=allowed)  # noqa: E731 - what is timed, on one line
        return Contestant(name, call, lambda answer: answer[1][0].tolist(), self.index.prepare)


class Lancedb(VectorPeer):
    """A table without a vector index: an exact scan behind a filter."""

    name = "lancedb flat"

    def __init__(self, dimension: int, capacity: int) -> None:  # noqa: ARG002 - it grows by itself
        import lancedb

        self.directory = tempfile.TemporaryDirectory(prefix="mnemic-bench-lancedb-")
        self.database = lancedb.connect(self.directory.name)
        self.dimension = dimension
        self.table: Any = None

    def add(
        self,
        numbers: Sequence[int],
        vectors: Vectors,
        *,
        threads: int = 1,  # noqa: ARG002 - it has its own
        users: Sequence[str] | None = None,
    ) -> None:
        import pyarrow

        flat = pyarrow.array(np.ascontiguousarray(vectors).reshape(-1))
        data = pyarrow.table(
            {
                "number": pyarrow.array(numbers, pyarrow.int64()),
                "vector": pyarrow.FixedSizeListArray.from_arrays(flat, self.dimension),
                "user": pyarrow.array(users or [""] * len(numbers)),
            }
        )
        if self.table is None:
            self.table = self.database.create_table("rows", data)
        else:
            self.table.add(data)

    def remove(self, number: int) -> None:
        self.table.delete(f"number = {number}")

    def contestants(self, queries: Vectors) -> list[Contestant]:
        return [self._contestant(self.name, queries, None)]

    def filtered(self, queries: Vectors, user: str) -> Contestant:
        """With a bitmap index over the column of the filter."""
        self.table.create_scalar_index("user", index_type="BITMAP", replace=True)
        return self._contestant(f"{self.name}, bitmap", queries, f"user = '{user}'")

    def _contestant(self, name: str, queries: Vectors, condition: str | None) -> Contestant:
        def call(i: int) -> Any:
            query = self.table.search(queries[i]).distance_type("dot").limit(TOP).select(["number", "_distance"])
            return (query.where(condition, prefilter=True) if condition else query).to_arrow()

        return Contestant(name, call, lambda answer: answer["number"].to_pylist())


def raced(
    run: Run, case: str, kinds: Sequence[type[VectorPeer]], vectors: Vectors, queries: Vectors
) -> list[Contestant]:
    """The contestants of peers filled with `vectors`; one that is not installed is reported and left out."""
    contestants = []
    for kind in kinds:
        begin = time.perf_counter()
        try:
            peer = kind(vectors.shape[1], len(vectors))
        except ImportError as error:
            run.note(case, kind.name, f"skipped: {error}")
            continue
        peer.add(range(len(vectors)), vectors, threads=THREADS)
        rate = len(vectors) / (time.perf_counter() - begin)
        first, *others = peer.contestants(queries)
        contestants += [replace(first, note=f"built at {rate:,.0f}/s with {THREADS} threads"), *others]
    return contestants
