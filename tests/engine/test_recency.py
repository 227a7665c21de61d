"""Values come in the order of use, whatever other threads do."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass

from mnemic.engine.recency import RecencyMap


@dataclass(frozen=True)
class Key:
    """Its hash is computed by Python: a thread may be stopped in it."""

    number: int


def test_the_longest_unused_come_first():
    map_: RecencyMap[str, int] = RecencyMap()
    for number, name in enumerate("abc"):
        map_.put(name, number)
    assert map_.use("a") == 0
    assert map_.get("b") == 1
    map_.put("c", 3)
    assert map_.oldest(2) == ["b", "c"]
    assert map_.items() == [("b", 1), ("c", 3), ("a", 0)]
    assert map_.use("x") is None
    assert map_.remove("b") == 1
    assert map_.remove("b") is None
    assert len(map_) == 2
    assert "b" not in map_


def test_it_is_read_while_others_use_it():
    map_: RecencyMap[Key, int] = RecencyMap()
    for number in range(50):
        map_.put(Key(number), number)
    stop = threading.Event()

    def use() -> None:
        while not stop.is_set():
            for number in range(50):
                map_.use(Key(number))

    users = [threading.Thread(target=use) for _ in range(3)]
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    for user in users:
        user.start()
    try:
        for _ in range(300):
            assert len(set(map_.oldest(50))) == 50
            assert len(map_.items()) == 50
    finally:
        sys.setswitchinterval(usual)
        stop.set()
        for user in users:
            user.join()
