"""Embeddings kept on disk by the model's identity and the text, so that a second run embeds nothing it knows."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.harness import RESULTS, console
from mnemic.embedding.factory import open_provider
from mnemic.embedding.install import pull_model
from mnemic.embedding.settings import EmbeddingSettings, ProviderName

CACHE = RESULTS / "cache"
_CHUNK = 256
_SAVE_SECONDS = 30.0
Vectors = NDArray[np.float32]


class KnownVectors:
    """The vectors of texts by one local model, from files of `directory` where they are known."""

    def __init__(self, model: ProviderName, directory: Path = CACHE) -> None:
        pull_model(model)
        settings = EmbeddingSettings(provider=model, threads=os.cpu_count() or 1, cache_entries=0)
        self._provider = open_provider(settings)
        self.identity = self._provider.identity
        self.dimension = self._provider.dimension
        name = hashlib.sha256(self.identity.encode()).hexdigest()[:16]
        self._path = directory / f"quality-{model}-{name}.npz"
        self._rows: dict[bytes, Vectors] = {}
        self._unsaved, self._saved = False, time.perf_counter()
        if self._path.exists():
            with np.load(self._path) as kept:
                self._rows = dict(zip((key.tobytes() for key in kept["keys"]), kept["rows"], strict=True))

    def of(self, texts: Sequence[str]) -> list[bytes]:
        """Little-endian float32 for each text."""
        keys = [hashlib.sha256(text.encode()).digest() for text in texts]
        unknown = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._rows}
        if unknown:
            self._embed(unknown)
        return [self._rows[key].astype("<f4", copy=False).tobytes() for key in keys]

    def close(self) -> None:
        if self._unsaved:
            self._save()
        self._provider.close()

    def _embed(self, unknown: dict[bytes, str]) -> None:
        begin = time.perf_counter()
        items = list(unknown.items())
        for start in range(0, len(items), _CHUNK):
            chunk = items[start : start + _CHUNK]
            rows = self._provider.embed([text for _, text in chunk])
            self._rows |= {key: row for (key, _), row in zip(chunk, rows, strict=True)}
            self._unsaved = True
            if time.perf_counter() - self._saved > _SAVE_SECONDS:
                self._save()
        if len(items) >= _CHUNK:
            console.print(f"embedded {len(items):,} texts in {time.perf_counter() - begin:.0f} s", style="dim")

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".partial.npz")
        keys = np.frombuffer(b"".join(self._rows), np.uint8).reshape(-1, hashlib.sha256().digest_size)
        np.savez(partial, keys=keys, rows=np.stack(list(self._rows.values())))
        partial.replace(self._path)
        self._unsaved, self._saved = False, time.perf_counter()
