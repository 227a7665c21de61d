"""Models that want questions and memories to begin with different words."""

import json
import threading
from http.server import BaseHTTPRequestHandler

import numpy as np
import pytest
from embedding_servers import serving
from pydantic import SecretStr

from mnemic.embedding.factory import native_embedder, open_provider
from mnemic.embedding.install import find_model
from mnemic.embedding.onnx_directory import OnnxDirectoryProvider
from mnemic.embedding.prefixes import embed_queries
from mnemic.embedding.settings import EmbeddingSettings, OnnxSettings, OpenAISettings
from mnemic.engine.engine import Engine
from mnemic.engine.settings import ServerSettings, load_settings
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.memory import MemoryInput
from mnemic.model.scope import Scope
from mnemic.model.search import SearchRequest
from mnemic.server.server import MnemicServer

E5 = {"query_prefix": "query: ", "document_prefix": "passage: "}
BGE = {"query_prefix": "Represent this sentence for searching relevant passages: "}


@pytest.fixture(scope="module")
def directory(models):
    """The default model's files, as a model of one's own."""
    return find_model("minilm", models_directory=models).directory


@pytest.fixture(scope="module")
def bare(directory):
    """The same model, which adds nothing."""
    return OnnxDirectoryProvider(OnnxSettings(directory=directory))


@pytest.fixture
def opened(directory):
    providers = []

    def make(cache_entries=100, **prefixes):
        onnx = OnnxSettings(directory=directory, **prefixes)
        providers.append(open_provider(EmbeddingSettings(provider="onnx", onnx=onnx, cache_entries=cache_entries)))
        return providers[-1]

    yield make
    for provider in providers:
        provider.close()


@pytest.mark.parametrize("cache_entries", [0, 100])
def test_memories_begin_with_one_prefix_and_questions_with_the_other(opened, bare, cache_entries):
    provider = opened(cache_entries, **E5)
    for _ in range(2):
        memories, questions = provider.embed(["tea", "bread"]), embed_queries(provider, ["tea"])
        assert np.allclose(memories, bare.embed(["passage: tea", "passage: bread"]), atol=1e-6)
        assert np.allclose(questions, bare.embed(["query: tea"]), atol=1e-6)


def test_a_question_s_vector_is_never_taken_for_a_memory_s(opened, bare):
    provider = opened(**BGE)
    # The memory says what the question becomes, and the question what the memory is.
    said = BGE["query_prefix"] + "tea"
    assert np.allclose(embed_queries(provider, ["tea"]), bare.embed([said]), atol=1e-6)
    assert np.allclose(provider.embed(["tea"]), bare.embed(["tea"]), atol=1e-6)
    assert np.allclose(embed_queries(provider, [said]), bare.embed([BGE["query_prefix"] + said]), atol=1e-6)
    assert np.allclose(provider.embed([said]), bare.embed([said]), atol=1e-6)


def test_without_prefixes_questions_and_memories_are_texts_alike(opened, bare):
    provider = opened()
    assert np.array_equal(embed_queries(provider, ["tea"]), provider.embed(["tea"]))
    assert provider.identity == bare.identity


def test_only_what_changes_the_memories_vectors_is_another_model(opened, bare):
    assert opened(**BGE).identity == bare.identity
    others = {opened(document_prefix=prefix).identity for prefix in ("passage: ", "passage:", "text: ")}
    assert len(others | {bare.identity}) == 4
    assert opened(**E5).identity == opened(document_prefix="passage: ").identity


def test_the_front_leaves_prefixed_questions_to_python_and_never_takes_a_memory_s_vector(opened):
    provider = opened(**BGE)
    provider.embed(["tea"])
    embed_queries(provider, ["coffee"])
    embedder = native_embedder(provider, queue=10)
    assert not embedder.runs_model
    assert embedder.cached("tea") is None
    assert embedder.cached("coffee") is None
    embedder.close()


def test_the_front_embeds_plain_questions_itself(opened, bare):
    provider = opened(document_prefix="passage: ")
    embedder = native_embedder(provider, queue=10)
    assert embedder.runs_model
    provider.embed(["tea"])
    assert embedder.cached("tea") is None
    assert np.allclose(np.frombuffer(embedder.embed("tea"), "<f4"), bare.embed(["tea"])[0], atol=1e-6)
    embedder.close()


def test_a_search_and_a_write_use_their_own(tmp_path, directory, bare):
    settings = load_settings(
        data_directory=tmp_path / "data",
        embedding={"provider": "onnx", "onnx": {"directory": directory} | E5},
    )
    with Engine.open(settings) as engine:
        added = engine.add("t", Scope(user_id="u"), [MemoryInput(body="she drinks tea", name="Ana")])
        memory = engine.get("t", added.memories[0].memory_id, with_vector=True)
        stored = np.frombuffer(memory.vector, "<f4")
        assert np.allclose(stored, bare.embed(["passage: Ana: she drinks tea"])[0], atol=1e-6)
        request = SearchRequest(scope=Scope(user_id="u"), query="who drinks tea?", profile="semantic", explain=True)
        (hit,) = engine.search("t", request).hits
        cosine = float(bare.embed(["query: who drinks tea?"])[0] @ stored)
        assert hit.score_parts["vector"].raw == pytest.approx(cosine, abs=1e-5)
    # Other words before the questions leave the store as it is, other words before the memories do not.
    onnx = settings.embedding.onnx
    for change, refused in ({"query_prefix": "ask: "}, False), ({"document_prefix": "text: "}, True):
        embedding = settings.embedding.model_copy(update={"onnx": onnx.model_copy(update=change)})
        changed = settings.model_copy(update={"embedding": embedding})
        if refused:
            with pytest.raises(MnemicError) as raised:
                Engine.open(changed)
            assert raised.value.reason is Reason.MODEL_MISMATCH
        else:
            Engine.open(changed).close()


@pytest.mark.parametrize("front", [True, False], ids=["front", "python"])
def test_over_the_wire_a_question_begins_with_its_prefix(tmp_path, directory, bare, front):
    from mnemic import MnemicClient

    settings = load_settings(
        data_directory=tmp_path / "data",
        embedding={"provider": "onnx", "onnx": {"directory": directory} | E5},
    )
    with (
        Engine.open(settings) as engine,
        MnemicServer(engine, ServerSettings(address="127.0.0.1:0", front=front)) as server,
        MnemicClient(server.address) as client,
    ):
        client.add("she drinks tea", user_id="u")
        expected = float(bare.embed(["query: who?"])[0] @ bare.embed(["passage: she drinks tea"])[0])
        for _ in range(3):
            (hit,) = client.search("who?", user_id="u", profile="semantic", explain=True)
            assert hit.score_parts["vector"].raw == pytest.approx(expected, abs=1e-5)


def test_a_service_is_sent_the_prefixed_texts():
    sent, lock = [], threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with lock:
                sent.extend(request["input"])
            data = [{"object": "embedding", "index": at, "embedding": [1.0, at]} for at in range(len(request["input"]))]
            usage = {"prompt_tokens": 1, "total_tokens": 1}
            content = json.dumps({"object": "list", "data": data, "model": "m", "usage": usage}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    with serving(Handler) as address:
        openai = OpenAISettings(base_url=f"{address}/v1", api_key=SecretStr("x"), model="m", dimensions=2, **E5)
        provider = open_provider(EmbeddingSettings(provider="openai", openai=openai))
        for _ in range(2):
            provider.embed(["tea", "bread"])
            embed_queries(provider, ["tea"])
        assert sent == ["passage: tea", "passage: bread", "query: tea"]
        assert provider.identity.startswith("openai:m@2+")
        provider.close()


def test_prefixes_come_from_the_environment_with_their_space(monkeypatch, tmp_path):
    monkeypatch.setenv("MNEMIC_EMBEDDING__ONNX__QUERY_PREFIX", "query: ")
    assert load_settings(data_directory=tmp_path).embedding.onnx.query_prefix == "query: "
