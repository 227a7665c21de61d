"""The OpenAI-compatible provider against a real server that speaks the protocol, well and badly."""

import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler

import numpy as np
import pytest
from embedding_servers import serving
from pydantic import SecretStr

from mnemic.embedding.factory import open_provider
from mnemic.embedding.openai import OpenAIProvider
from mnemic.embedding.settings import EmbeddingSettings, OpenAISettings
from mnemic.model.errors import MnemicError, Reason

KEY = "sk-right"


def vector_of(text, dimension):
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    return (np.random.default_rng(seed).standard_normal(dimension) * 3).tolist()


class Service:
    """What the server does: failures first, then answers."""

    def __init__(self):
        self.failures = []
        self.requests = []
        self.dimension = 8
        self.change = lambda data: data
        self.delay = 0.0
        self.lock = threading.Lock()

    def handler(service):  # noqa: N805 (the handler below has a self of its own)
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with service.lock:
                    service.requests.append(request)
                    failure = service.failures.pop(0) if service.failures else None
                time.sleep(service.delay)
                if self.path != "/v1/embeddings":
                    self.answer(404, {"error": {"message": f"no {self.path}"}})
                elif self.headers["authorization"] != f"Bearer {KEY}":
                    self.answer(401, {"error": {"message": "Incorrect API key provided"}})
                elif failure is not None:
                    status, headers = failure
                    self.answer(status, {"error": {"message": f"failure {status}"}}, headers)
                else:
                    dimension = request.get("dimensions") or service.dimension
                    data = [
                        {"object": "embedding", "index": index, "embedding": vector_of(text, dimension)}
                        for index, text in enumerate(request["input"])
                    ]
                    usage = {"prompt_tokens": 1, "total_tokens": 1}
                    answer = {"object": "list", "data": service.change(data), "model": "m", "usage": usage}
                    self.answer(200, answer)

            def answer(self, status, body, headers=()):
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                for name, value in headers:
                    self.send_header(name, value)
                self.end_headers()
                try:
                    self.wfile.write(content)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, *_):
                pass

        return Handler


@pytest.fixture
def service():
    return Service()


@pytest.fixture
def address(service):
    with serving(service.handler()) as address:
        yield f"{address}/v1"


@pytest.fixture
def provider(address):
    providers = []

    def make(**changes):
        values = {"base_url": address, "api_key": SecretStr(KEY), "model": "m", "dimensions": 8} | changes
        providers.append(OpenAIProvider(OpenAISettings(**values)))
        return providers[-1]

    yield make
    for made in providers:
        made.close()


def failure_of(call):
    with pytest.raises(MnemicError) as raised:
        call()
    return raised.value


def test_vectors_are_the_service_s_scaled_to_length_1_in_order(provider):
    texts = [f"text {number}" for number in range(10)]
    vectors = provider().embed(texts)
    for text, vector in zip(texts, vectors, strict=True):
        expected = np.array(vector_of(text, 8))
        assert np.allclose(vector, expected / np.linalg.norm(expected), atol=1e-6)


def test_texts_travel_in_batches(provider, service):
    vectors = provider(batch_size=4).embed([str(number) for number in range(10)])
    assert vectors.shape == (10, 8)
    assert [len(request["input"]) for request in service.requests] == [4, 4, 2]
    assert all(request["dimensions"] == 8 and request["model"] == "m" for request in service.requests)


def test_an_answer_out_of_order_is_put_in_order(provider, service):
    in_order = provider().embed(["a", "b", "c"])
    service.change = lambda data: data[::-1]
    assert np.array_equal(provider().embed(["a", "b", "c"]), in_order)


def test_no_texts_ask_nothing(provider, service):
    assert provider().embed([]).shape == (0, 8)
    assert service.requests == []


def test_the_dimension_is_learnt_by_one_call_when_it_is_not_set(provider, service):
    service.dimension = 5
    opened = provider(dimensions=None)
    assert opened.dimension == 5
    assert opened.identity == "openai:m@5"
    assert len(service.requests) == 1
    assert "dimensions" not in service.requests[0]
    assert opened.embed(["x"]).shape == (1, 5)


def test_identities_tell_models_and_dimensions_apart(provider):
    identities = {provider().identity, provider(model="n").identity, provider(dimensions=4).identity}
    assert len(identities) == 3


@pytest.mark.parametrize("status", [429, 500, 503, 408])
def test_a_passing_failure_is_retried(provider, service, status):
    service.failures = [(status, [("retry-after", "0.01")])] * 2
    assert provider(max_retries=2).embed(["x"]).shape == (1, 8)
    assert len(service.requests) == 3


@pytest.mark.parametrize("status", [429, 500])
def test_a_lasting_failure_is_unavailable_after_the_retries(provider, service, status):
    service.failures = [(status, [("retry-after", "0")])] * 9
    error = failure_of(lambda: provider(max_retries=1).embed(["x"]))
    assert error.reason is Reason.EMBEDDING_UNAVAILABLE
    assert error.metadata["status"] == str(status)
    assert f"failure {status}" in error.message
    assert len(service.requests) == 2


def test_a_refused_key_says_which_setting_and_is_not_retried(provider, service):
    error = failure_of(lambda: provider(api_key=SecretStr("sk-wrong-and-secret")).embed(["x"]))
    assert error.reason is Reason.EMBEDDING_UNAVAILABLE
    assert "embedding.openai.api_key" in error.message
    assert "sk-wrong-and-secret" not in str(error) + str(error.metadata)
    assert len(service.requests) == 1


def test_a_bad_request_is_not_retried_and_tells_what_the_service_said(provider, service):
    service.failures = [(400, [])]
    error = failure_of(lambda: provider().embed(["x"]))
    assert "answered 400: " in error.message
    assert "failure 400" in error.message
    assert len(service.requests) == 1


def test_a_wrong_address_says_so(provider, address):
    error = failure_of(lambda: provider(base_url=address + "/nowhere").embed(["x"]))
    assert "embedding.openai.base_url" in error.message


def test_nobody_at_the_address_is_unavailable(provider):
    error = failure_of(lambda: provider(base_url="http://127.0.0.1:9/v1", max_retries=0).embed(["x"]))
    assert error.reason is Reason.EMBEDDING_UNAVAILABLE
    assert "cannot be reached" in error.message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda data: [item | {"embedding": [1.0, 2.0]} for item in data],
            "vector of 2 dimensions where 8 are expected",
        ),
        (lambda data: data[:1], "1 vectors for 2 texts"),
        (lambda _: [], "0 vectors for 2 texts"),
        (lambda data: [item | {"embedding": [float("nan")] * 8} for item in data], "not finite"),
        (lambda data: [{"index": item["index"]} for item in data], "something else than embeddings"),
        (lambda data: [item | {"embedding": ["a"] * 8} for item in data], "something else than numbers"),
        (lambda _: "nonsense", "something else than embeddings"),
    ],
)
def test_an_answer_that_makes_no_sense_is_told(provider, service, change, words):
    service.change = change
    error = failure_of(lambda: provider().embed(["a", "b"]))
    assert error.reason is Reason.EMBEDDING_UNAVAILABLE
    assert words in error.message


def test_a_slow_service_ends_with_the_setting_s_timeout(provider, service):
    service.delay = 1.0
    started = time.monotonic()
    error = failure_of(lambda: provider(timeout_seconds=0.1, max_retries=0).embed(["x"]))
    assert error.reason is Reason.EMBEDDING_UNAVAILABLE
    assert "in time" in error.message
    assert time.monotonic() - started < 0.9


def test_the_caller_s_time_bounds_tries_and_waits(provider, service):
    service.failures = [(429, [("retry-after", "60")])] * 5
    started = time.monotonic()
    error = failure_of(lambda: provider(max_retries=5).embed(["x"], timeout_seconds=0.5))
    assert error.reason is Reason.EMBEDDING_UNAVAILABLE
    assert time.monotonic() - started < 0.5


def test_time_that_has_passed_is_a_deadline_error(provider):
    error = failure_of(lambda: provider().embed(["x"], timeout_seconds=0))
    assert error.reason is Reason.DEADLINE_EXCEEDED


def test_the_key_comes_from_the_environment_when_it_is_not_set(provider, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert provider(api_key=None).embed(["x"]).shape == (1, 8)


def test_without_a_key_and_an_address_the_setting_is_named(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    error = failure_of(lambda: OpenAIProvider(OpenAISettings()))
    assert error.reason is Reason.INVALID_FIELD
    assert error.violations[0].field == "embedding.openai.api_key"


def test_the_key_is_not_in_what_settings_print():
    assert KEY not in repr(OpenAISettings(api_key=SecretStr(KEY)))


def test_the_factory_opens_it_behind_the_cache(address, service):
    openai = OpenAISettings(base_url=address, api_key=SecretStr(KEY), model="m", dimensions=8)
    provider = open_provider(EmbeddingSettings(provider="openai", openai=openai))
    assert not provider.is_local
    provider.embed(["again"])
    provider.embed(["again"])
    assert len(service.requests) == 1
    provider.close()
