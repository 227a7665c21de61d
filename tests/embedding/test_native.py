"""The models of the core give the vectors that the libraries' Python interfaces give, and the front shares them."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from embedding_reference import PythonOnnx, PythonStatic
from embedding_sentences import ODD_TEXTS, SENTENCES, conversation
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemic import _core
from mnemic.embedding.cache import CachedProvider
from mnemic.embedding.catalogue import STATIC
from mnemic.embedding.factory import native_embedder
from mnemic.embedding.install import find_model
from mnemic.embedding.minilm import MiniLmProvider
from mnemic.model.errors import MnemicError, Reason

TEXTS = [*SENTENCES, *conversation(), *ODD_TEXTS]
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@pytest.fixture(scope="session")
def python_minilm(models):
    directory = find_model("minilm", models_directory=models).directory
    return PythonOnnx(directory / "model.onnx", directory / "tokenizer.json", max_tokens=256)


@pytest.fixture(scope="session")
def python_static(models):
    directory = find_model("static", models_directory=models).directory
    return PythonStatic(*(directory / file.name for file in STATIC.files))


def difference(left, right):
    return np.abs(left - right).max()


def test_minilm_gives_what_onnxruntime_s_python_module_gives(minilm, python_minilm):
    expected = python_minilm.embed(TEXTS)
    assert difference(np.concatenate([minilm.embed([text]) for text in TEXTS]), expected) < 1e-3
    assert difference(minilm.embed(TEXTS), expected) < 1e-3


def test_static_gives_what_numpy_gives(static, python_static):
    assert difference(static.embed(TEXTS), python_static.embed(TEXTS)) < 1e-5


@settings(max_examples=60, deadline=None)
@given(text=ANY_TEXT)
def test_so_it_is_for_any_text(minilm, static, python_minilm, python_static, text):
    assert difference(minilm.embed([text]), python_minilm.embed([text])) < 1e-3
    assert difference(static.embed([text]), python_static.embed([text])) < 1e-5


@pytest.fixture
def embedder(static):
    made = native_embedder(CachedProvider(static, 100), queue=10)
    yield made
    made.close()


def row(vector):
    return np.frombuffer(vector, "<f4")


def test_what_python_embedded_is_known_to_the_front_and_the_other_way_round(static):
    provider = CachedProvider(static, 100)
    embedder = native_embedder(provider, queue=10)
    assert embedder.cached("tea") is None
    expected = provider.embed(["tea"])[0]
    assert np.array_equal(row(embedder.cached("tea")), expected)

    fresh = row(embedder.embed("coffee"))
    assert np.array_equal(fresh, static.embed(["coffee"])[0])
    misses = provider.misses
    assert np.array_equal(provider.embed(["coffee"])[0], fresh)
    assert provider.misses == misses
    embedder.close()


def test_a_remote_provider_s_vectors_are_known_and_its_fresh_texts_are_not():
    class Remote:
        identity, dimension, is_local = "remote:1", 2, False

        def embed(self, texts, *, timeout_seconds=None):
            return np.array([[0.0, 1.0]] * len(texts), np.float32)

    provider = CachedProvider(Remote(), 100)
    embedder = native_embedder(provider, queue=10)
    assert not embedder.runs_model
    provider.embed(["tea"])
    assert np.array_equal(row(embedder.cached("tea")), [0, 1])
    with pytest.raises(_core.CoreError) as raised:
        embedder.embed("coffee")
    assert raised.value.args[0] == Reason.EMBEDDING_UNAVAILABLE


def test_without_a_cache_fresh_texts_are_embedded_all_the_same(static):
    embedder = native_embedder(static, queue=10)
    assert np.array_equal(row(embedder.embed("tea")), static.embed(["tea"])[0])
    assert embedder.cached("tea") is None
    embedder.close()


def test_a_deadline_that_passed_is_told(embedder):
    with pytest.raises(_core.CoreError) as raised:
        embedder.embed("tea", timeout_seconds=0.0)
    assert raised.value.args[0] == Reason.DEADLINE_EXCEEDED


def test_a_closed_embedder_takes_no_more(embedder):
    embedder.close()
    with pytest.raises(_core.CoreError) as raised:
        embedder.embed("tea")
    assert raised.value.args[0] == Reason.SHUTTING_DOWN


def test_callers_beside_a_thread_that_holds_the_interpreter(embedder, static):
    busy = threading.Event()

    def hold():
        while not busy.is_set():
            sum(range(1000))

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda text: row(embedder.embed(text, 30.0)), SENTENCES))
    finally:
        busy.set()
        holder.join()
    assert difference(np.stack(found), static.embed(SENTENCES)) < 1e-6


@pytest.fixture
def home(tmp_path, models):
    """The variables of a process that has another home, and the models."""
    places = {name: str(tmp_path) for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")}
    inherited = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    return inherited | places | {"MNEMIC_MODELS_DIRECTORY": str(models)}


def test_running_a_model_leaves_nothing_behind_to_be_sent_to_anyone(home, tmp_path):
    program = "from mnemic.embedding.minilm import MiniLmProvider\nprint(MiniLmProvider().embed(['hello']).shape)\n"
    finished = subprocess.run([sys.executable, "-c", program], env=home, capture_output=True, text=True, check=True)
    assert finished.stdout == "(1, 384)\n"
    assert list(tmp_path.iterdir()) == []


def test_without_onnxruntime_the_error_says_what_to_install(models, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(MnemicError, match="pip install onnxruntime") as raised:
        MiniLmProvider(models)
    assert raised.value.reason is Reason.EMBEDDING_UNAVAILABLE


def test_a_process_that_ends_without_closing_ends_well(models):
    program = (
        "from mnemic.embedding.factory import native_embedder, open_provider\n"
        "from mnemic.embedding.settings import EmbeddingSettings\n"
        "embedder = native_embedder(open_provider(EmbeddingSettings(provider='minilm')), queue=4)\n"
        "embedder.embed('hello')\n"
        "print('done')\n"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (finished.stdout, finished.stderr) == ("done\n", "")
