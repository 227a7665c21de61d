"""A mapping in the order of use, for many threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from itertools import islice
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class RecencyMap(Generic[K, V]):
    """Values by key, the longest unused first.

    The lock is needed although an `OrderedDict` is written in C: while one thread iterates, Python may run (a key's
    hash, a collection of garbage), and with it another thread that moves a key.
    """

    def __init__(self) -> None:
        self._values: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: K) -> bool:
        return key in self._values

    def get(self, key: K) -> V | None:
        """The value of a key, which does not count as a use."""
        return self._values.get(key)

    def use(self, key: K) -> V | None:
        """The value of a key, which is the last used from now on."""
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def put(self, key: K, value: V) -> None:
        """Sets the value of a key; a new key is the last used."""
        with self._lock:
            self._values[key] = value

    def remove(self, key: K) -> V | None:
        """Takes a key out, and gives the value that it had."""
        with self._lock:
            return self._values.pop(key, None)

    def oldest(self, count: int) -> list[K]:
        """At most `count` keys, the longest unused first."""
        with self._lock:
            return list(islice(self._values, count))

    def items(self) -> list[tuple[K, V]]:
        """All keys with their values, as they are now."""
        with self._lock:
            return list(self._values.items())
