"""The bounded cache in front of a provider."""

import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemic.embedding.cache import CachedProvider
from mnemic.model.errors import MnemicError, Reason


class Counting:
    """Vectors that tell which text they are of, and a record of what was asked."""

    identity = "counting:1"
    dimension = 3
    is_local = True

    def __init__(self):
        self.asked = []
        self.closed = False
        self.lock = threading.Lock()

    def embed(self, texts, *, timeout_seconds=None):
        with self.lock:
            self.asked.extend(texts)
        return np.array([self.vector(text) for text in texts], np.float32).reshape(-1, 3)

    @staticmethod
    def vector(text):
        angle = float(sum(text.encode()) % 360)
        return np.array([np.cos(angle), np.sin(angle), 0.0], np.float32)

    def close(self):
        self.closed = True


def test_a_text_is_embedded_once():
    inner = Counting()
    cached = CachedProvider(inner, 10)
    first, second = cached.embed(["a"]), cached.embed(["a"])
    assert np.array_equal(first, second)
    assert inner.asked == ["a"]
    assert (cached.hits, cached.misses) == (1, 1)


def test_only_what_is_unknown_is_asked_and_the_order_is_kept():
    inner = Counting()
    cached = CachedProvider(inner, 10)
    cached.embed(["b"])
    vectors = cached.embed(["a", "b", "c"])
    assert inner.asked == ["b", "a", "c"]
    assert np.array_equal(vectors, [Counting.vector(text) for text in "abc"])


def test_a_caller_may_change_what_it_got():
    cached = CachedProvider(Counting(), 10)
    cached.embed(["a"])[:] = 7
    cached.embed(["a"])[:] = 7
    assert np.array_equal(cached.embed(["a"])[0], Counting.vector("a"))


def test_a_bulk_call_does_not_push_out_the_queries():
    inner = Counting()
    cached = CachedProvider(inner, 20)
    cached.embed(["query"])
    cached.embed([f"memory {number}" for number in range(100)])
    assert len(cached) == 1
    cached.embed(["query"])
    assert inner.asked.count("query") == 1


@given(calls=st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=5, unique=True)), entries=st.integers(1, 6))
def test_it_is_the_model_of_least_recently_used(calls, entries):
    inner = Counting()
    cached = CachedProvider(inner, entries)
    kept = OrderedDict()
    for texts in calls:
        inner.asked.clear()
        expected = [text for text in texts if text not in kept]
        vectors = cached.embed(texts)
        for text in texts:
            if text in kept:
                kept.move_to_end(text)
        for text in expected:
            kept[text] = True
        while len(kept) > entries:
            kept.popitem(last=False)
        assert inner.asked == expected
        assert np.array_equal(vectors, np.array([Counting.vector(text) for text in texts]).reshape(-1, 3))
        assert len(cached) == len(kept)


def test_many_threads_get_the_right_vectors_within_the_bound():
    cached = CachedProvider(Counting(), 16)
    texts = [f"text {number % 40}" for number in range(2000)]
    with ThreadPoolExecutor(8) as pool:
        vectors = list(pool.map(lambda text: cached.embed([text])[0], texts))
    assert np.array_equal(vectors, [Counting.vector(text) for text in texts])
    assert len(cached) <= 16
    assert cached.hits + cached.misses == 2000


def test_a_text_that_the_provider_refuses_is_refused_through_the_cache(minilm):
    with pytest.raises(MnemicError) as raised:
        CachedProvider(minilm, 10).embed(["\ud800"])
    assert raised.value.reason is Reason.INVALID_FIELD


def test_it_says_what_the_provider_says_and_closes_it():
    inner = Counting()
    cached = CachedProvider(inner, 1)
    assert (cached.identity, cached.dimension, cached.is_local) == ("counting:1", 3, True)
    cached.close()
    assert inner.closed


def test_a_cache_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        CachedProvider(Counting(), 0)
