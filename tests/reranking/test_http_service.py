"""A rerank endpoint in both shapes, against a real server that speaks them, well and badly."""

import math
import socket
import threading
import time

import pytest
from pydantic import SecretStr
from reranking_servers import KEY, score_of

from mnemic.model.errors import MnemicError, Reason
from mnemic.reranking.factory import open_reranker
from mnemic.reranking.http_service import HttpReranker
from mnemic.reranking.reranker import RerankerUnavailableError
from mnemic.reranking.settings import HttpRerankerSettings, RerankingSettings

QUERY = "what does she eat"
TEXTS = ["the dog barks", "she does eat", "what a day she had", "eat"]
SCORES = pytest.approx([score_of(QUERY, text) for text in TEXTS])
# Long enough for a busy machine; what should end by it is given less.
PATIENT = 20.0
PATHS = {"cohere": "/v2", "tei": ""}


@pytest.fixture(params=["cohere", "tei"])
def shape(request):
    return request.param


@pytest.fixture
def reranker(address, shape):
    made = []

    def make(**changes):
        values = {"shape": shape, "base_url": address + PATHS[shape], "model": "m"} | changes
        made.append(HttpReranker(HttpRerankerSettings(**values)))
        return made[-1]

    yield make
    for opened in made:
        opened.close()


def rerank(opened, texts=TEXTS, seconds=PATIENT):
    return opened.rerank(QUERY, texts, timeout_seconds=seconds)


def failure_of(opened, **options):
    with pytest.raises(RerankerUnavailableError) as raised:
        rerank(opened, **options)
    return str(raised.value)


def test_scores_come_in_the_order_of_the_texts_whatever_the_order_of_the_answer(reranker):
    assert rerank(reranker()) == SCORES


def test_cohere_is_asked_as_cohere_documents_it(reranker, service, shape):
    rerank(reranker())
    (path, body), *more = service.requests
    assert not more
    if shape == "cohere":
        assert (path, body) == ("/v2/rerank", {"model": "m", "query": QUERY, "documents": TEXTS, "top_n": len(TEXTS)})
    else:
        assert (path, body) == (
            "/rerank",
            {"query": QUERY, "texts": TEXTS, "raw_scores": False, "truncate": True},
        )


def test_texts_travel_in_batches_where_the_service_takes_only_so_many(reranker, service, shape):
    service.most = 32
    texts = [f"{'eat ' * (number % 3)}x{number}" for number in range(70)]
    opened = reranker(batch_size=32) if shape == "cohere" else reranker()
    assert rerank(opened, texts) == pytest.approx([score_of(QUERY, text) for text in texts])
    assert [len(body.get("texts", body.get("documents"))) for _, body in service.requests] == [32, 32, 6]


def test_logits_become_scores_from_0_to_1(reranker, service, shape):
    name = "relevance_score" if shape == "cohere" else "score"
    logits = [12.5, -800.0, 0.0, 800.0]
    rows = [{"index": index, name: logit} for index, logit in enumerate(logits)]
    service.change = lambda _: {"results": rows} if shape == "cohere" else rows
    assert rerank(reranker(scores="logit")) == pytest.approx([1 / (1 + math.exp(-12.5)), 0.0, 0.5, 1.0])
    if shape == "tei":
        assert service.requests[0][1]["raw_scores"] is True
    assert "reranking.http.scores" in failure_of(reranker())


def test_connections_are_kept(reranker, service):
    opened = reranker()
    for _ in range(5):
        assert rerank(opened) == SCORES
    assert service.connections == 1


def test_a_kept_connection_that_was_closed_costs_no_try(reranker, service):
    opened = reranker(max_retries=0)
    service.closes = True
    for _ in range(3):
        # The service closes without saying so, as one does that is started anew.
        assert rerank(opened) == SCORES
    assert service.connections == 3


def test_many_threads_are_answered_at_once(reranker):
    opened, found = reranker(), []
    threads = [threading.Thread(target=lambda: found.append(rerank(opened))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 12
    assert all(scores == SCORES for scores in found)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_passing_failure_is_retried(reranker, service, status):
    service.failures = [(status, [("retry-after", "0.01")])] * 2
    assert rerank(reranker(max_retries=2)) == SCORES
    assert len(service.requests) == 3


@pytest.mark.parametrize("status", [429, 500])
def test_a_lasting_failure_is_told_after_the_retries(reranker, service, status):
    service.failures = [(status, [])] * 9
    assert f"failure {status}" in failure_of(reranker(max_retries=1))
    assert len(service.requests) == 2


@pytest.mark.parametrize("status", [400, 403, 422])
def test_what_would_fail_again_is_not_retried(reranker, service, status):
    service.failures = [(status, [])] * 9
    assert f"answered {status}" in failure_of(reranker(max_retries=5))
    assert len(service.requests) == 1


def test_a_wait_that_the_service_asks_for_beyond_the_time_is_not_begun(reranker, service):
    service.failures = [(429, [("retry-after", "60")])] * 5
    started = time.monotonic()
    assert "answered 429" in failure_of(reranker(max_retries=5))
    assert time.monotonic() - started < PATIENT
    assert len(service.requests) == 1


def test_a_redirect_is_not_followed(reranker, service):
    service.failures = [(307, [("location", "http://127.0.0.1:9/")])]
    assert "answered 307" in failure_of(reranker())


@pytest.mark.parametrize("way", ["silent", "trickle"])
@pytest.mark.parametrize("closes", [False, True], ids=["kept", "closed"])
def test_a_slow_service_ends_with_the_time(reranker, service, way, closes):
    service.write, service.closes = getattr(service, way), closes
    if way == "trickle":
        # Long enough to trickle for a minute.
        service.change = lambda _: b" " * 3000
    started = time.monotonic()
    assert "in time" in failure_of(reranker(max_retries=5), seconds=0.3)
    assert 0.3 <= time.monotonic() - started < PATIENT


def test_nobody_at_the_address_is_told(reranker):
    assert "cannot be reached" in failure_of(reranker(base_url="http://127.0.0.1:9", max_retries=0))


def test_somebody_who_speaks_something_else_is_told(reranker):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        talker = threading.Thread(target=lambda: _say(listener, b"SSH-2.0-OpenSSH\r\n"))
        talker.start()
        words = failure_of(reranker(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", max_retries=0))
        talker.join()
    assert "cannot be reached" in words


def _say(listener, words):
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(words)


def rows_of(answer):
    return answer["results"] if isinstance(answer, dict) else answer


def with_rows(answer, rows):
    return {"results": rows} if isinstance(answer, dict) else rows


def with_score(answer, score):
    return with_rows(
        answer, [{"index": row["index"], "relevance_score": score, "score": score} for row in rows_of(answer)]
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda answer: with_rows(answer, rows_of(answer)[:2]), "2 scores for 4 texts"),
        (lambda answer: with_rows(answer, []), "0 scores for 4 texts"),
        (lambda answer: with_rows(answer, rows_of(answer) + rows_of(answer)[:1]), "answered before"),
        (lambda answer: with_rows(answer, [row | {"index": row["index"] + 1} for row in rows_of(answer)]), "text 4"),
        (lambda answer: with_rows(answer, [row | {"index": -1} for row in rows_of(answer)]), "text -1"),
        (lambda answer: with_rows(answer, [row | {"index": "0"} for row in rows_of(answer)]), "text '0'"),
        (lambda answer: with_score(answer, math.nan), "no finite number"),
        (lambda answer: with_score(answer, math.inf), "no finite number"),
        (lambda answer: with_score(answer, None), "no finite number"),
        (lambda answer: with_score(answer, "0.5"), "no finite number"),
        (lambda answer: with_score(answer, True), "no finite number"),
        (lambda answer: with_score(answer, 1.5), "not from 0 to 1"),
        (lambda answer: with_rows(answer, [{"index": 0}]), "something else than scores"),
        (lambda _: "nonsense", "something else than scores"),
        (lambda _: 7, "something else than scores"),
        (lambda _: {"results": 7}, "something else than scores"),
        (lambda _: b"<html>", "something else than scores"),
        (lambda _: b"\xff\xfe", "something else than scores"),
        (lambda _: b"[" * 100_000, "something else than scores"),
        (lambda _: b" " * (2 << 20), "more than 1048576 bytes"),
    ],
)
def test_an_answer_that_makes_no_sense_is_told_and_not_retried(reranker, service, change, words):
    service.change = change
    assert words in failure_of(reranker(max_retries=5))
    assert len(service.requests) == 1


def test_a_score_that_is_only_rounded_beyond_1_is_1(reranker, service):
    service.change = lambda answer: with_score(answer, 1.0000001)
    assert rerank(reranker()) == [1.0] * 4


def test_the_key_travels_and_a_refused_one_names_the_setting_and_not_itself(reranker, service):
    service.key = KEY
    assert rerank(reranker(api_key=SecretStr(KEY))) == SCORES
    words = failure_of(reranker(api_key=SecretStr("key-wrong")))
    assert "reranking.http.api_key" in words
    assert "key-wrong" not in words
    assert KEY not in repr(HttpRerankerSettings(api_key=SecretStr(KEY)))


def test_cohere_s_key_of_the_environment_goes_to_cohere_only(reranker, service, monkeypatch):
    monkeypatch.setenv("CO_API_KEY", KEY)
    service.key = KEY
    assert "reranking.http.api_key" in failure_of(reranker())
    cohere = HttpReranker(HttpRerankerSettings())
    assert cohere._headers["authorization"] == f"Bearer {KEY}"
    cohere.close()


def test_proxies_of_the_environment_are_not_asked(reranker, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert rerank(reranker()) == SCORES


def test_an_answer_that_breaks_off_is_retried(reranker, service):
    def half(stream, content):
        stream.write(content[: len(content) // 2])
        service.write = lambda stream, content: stream.write(content)

    service.write, service.closes = half, True
    assert rerank(reranker(max_retries=1)) == SCORES
    assert len(service.requests) == 2


@pytest.mark.parametrize(
    "url", ["localhost:8080", "ftp://x", "http://", "http://x:port", "http://x/?a=b", "http://u:p@x"]
)
def test_an_address_that_is_none_is_refused_at_the_start(url):
    with pytest.raises(MnemicError) as raised:
        HttpReranker(HttpRerankerSettings(base_url=url))
    assert raised.value.reason is Reason.INVALID_FIELD
    assert raised.value.violations[0].field == "reranking.http.base_url"


def test_tei_has_no_address_of_its_own():
    with pytest.raises(MnemicError, match="must be set") as raised:
        open_reranker(RerankingSettings(provider="http", http=HttpRerankerSettings(shape="tei")))
    assert raised.value.violations[0].field == "reranking.http.base_url"
