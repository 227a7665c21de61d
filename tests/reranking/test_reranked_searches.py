"""Searches that ask to rerank: the new order, its bounds, and what is said when the old one stands."""

import asyncio
import os
import threading
import time
from contextlib import contextmanager

import pytest
from reranking_models import expected, write_model, write_tokenizer

from mnemic import AsyncMnemicClient, Memory, MnemicClient
from mnemic.embedding.factory import open_provider
from mnemic.engine.engine import Engine
from mnemic.engine.settings import ServerSettings, load_settings
from mnemic.model.deadline import Deadline
from mnemic.model.errors import Code, MnemicError, Reason
from mnemic.model.memory import MemoryInput
from mnemic.model.scope import Scope
from mnemic.model.search import SearchRequest
from mnemic.reranking.reranker import RerankerUnavailableError
from mnemic.server.server import MnemicServer
from mnemic.store.sqlite import open_sqlite

USER = Scope(user_id="u")
QUERY = "where she lives"
TEXTS = ["she lives in paris", "she eats apples", "the dog likes bread", "she likes tea", "he lives in rome", "a cat"]


class Scripted:
    """A reranker of one's own, as `Engine` takes one: `scores` says what it answers."""

    is_local = True

    def __init__(self, scores):
        self.scores = scores
        self.asked = []
        self.closed = False

    def rerank(self, query, texts, *, timeout_seconds):
        self.asked.append((query, list(texts), timeout_seconds))
        return self.scores(texts)

    def close(self):
        self.closed = True


def last_first(texts):
    """Scores that turn an order around."""
    return [position / len(texts) for position in range(len(texts))]


def unavailable(_texts):
    raise RerankerUnavailableError("it is away")


@contextmanager
def engine_with(tmp_path, reranker, **reranking):
    settings = load_settings(
        data_directory=tmp_path / "data",
        embedding={"provider": "static"},
        reranking={"timeout_seconds": 20} | reranking,
    )
    with Engine(settings, open_sqlite(settings.data_directory), open_provider(settings.embedding), reranker) as engine:
        engine.add("t", USER, [MemoryInput(body=text) for text in TEXTS])
        yield engine


def search(engine, deadline=None, **values):
    request = SearchRequest(**{"scope": USER, "query": QUERY} | values)
    return engine.search("t", request, deadline=Deadline.after(deadline))


def ids(result):
    return [hit.memory_id for hit in result.hits]


def test_the_first_candidates_are_ordered_anew_and_the_others_follow_in_their_order(tmp_path):
    reranker = Scripted(last_first)
    with engine_with(tmp_path, reranker, candidates=4) as engine:
        fused, reranked = search(engine), search(engine, rerank=True)
    assert ids(reranked) == ids(fused)[3::-1] + ids(fused)[4:]
    assert reranker.asked[0][:2] == (QUERY, [hit.body for hit in fused.hits[:4]])
    assert [hit.score for hit in reranked.hits] == [0.75, 0.5, 0.25, 0.0, 0.0, 0.0]
    assert not reranked.rerank_skipped


def test_what_top_k_would_have_cut_off_can_become_the_first(tmp_path):
    with engine_with(tmp_path, Scripted(last_first)) as engine:
        fused, reranked = search(engine), search(engine, rerank=True, top_k=2)
    assert ids(reranked) == ids(fused)[:-3:-1]


def test_the_weight_mixes_the_reranker_s_score_with_that_before(tmp_path):
    with engine_with(tmp_path, Scripted(last_first), weight=0.25, candidates=4) as engine:
        fused, reranked = search(engine), search(engine, rerank=True)
    scores = [0.0, 0.25, 0.5, 0.75, 0.0, 0.0]
    mixed = {hit.memory_id: 0.75 * hit.score + 0.25 * score for hit, score in zip(fused.hits, scores, strict=True)}
    assert {hit.memory_id: hit.score for hit in reranked.hits} == pytest.approx(mixed)
    assert ids(reranked) == sorted(ids(fused), key=lambda memory_id: -mixed[memory_id])


@pytest.mark.parametrize("weight", [0.3, 1.0])
def test_the_parts_still_add_up_to_the_score(tmp_path, weight):
    with engine_with(tmp_path, Scripted(last_first), weight=weight, candidates=4) as engine:
        result = search(engine, rerank=True, explain=True)
    for hit in result.hits:
        total = sum(part.weight * part.normalized for part in hit.score_parts.values())
        assert hit.score == pytest.approx(total, abs=1e-6)
    parts = [hit.score_parts.get("rerank") for hit in result.hits]
    assert sorted(part.rank for part in parts if part is not None) == [1, 2, 3, 4]
    assert all(part.raw == part.normalized and part.weight == weight for part in parts if part is not None)


def test_the_reranker_reads_who_said_it(tmp_path):
    reranker = Scripted(last_first)
    with engine_with(tmp_path, reranker) as engine:
        engine.add("t", Scope(user_id="v"), [MemoryInput(body="I eat apples", name="Ana")])
        search(engine, rerank=True, scope=Scope(user_id="v"))
    assert reranker.asked[0][1] == ["Ana: I eat apples"]


def test_equal_scores_keep_their_order(tmp_path):
    with engine_with(tmp_path, Scripted(lambda texts: [0.0] * len(texts)), candidates=3) as engine:
        assert ids(search(engine, rerank=True)) == ids(search(engine))


def test_min_score_is_about_the_score_before_reranking(tmp_path):
    with engine_with(tmp_path, Scripted(lambda texts: [0.001] * len(texts))) as engine:
        fused = search(engine)
        least = fused.hits[2].score
        reranked = search(engine, rerank=True, min_score=least)
    assert ids(reranked) == [hit.memory_id for hit in fused.hits if hit.score >= least]
    assert all(hit.score == pytest.approx(0.001) for hit in reranked.hits)


def test_nothing_found_asks_nobody(tmp_path):
    reranker = Scripted(unavailable)
    with engine_with(tmp_path, reranker) as engine:
        result = search(engine, rerank=True, scope=Scope(user_id="somebody else"))
    assert (result.hits, result.rerank_skipped, reranker.asked) == ((), False, [])


def test_without_the_wish_nothing_is_reranked(tmp_path):
    reranker = Scripted(last_first)
    with engine_with(tmp_path, reranker) as engine:
        assert search(engine).timings.rerank == 0
    assert reranker.asked == []
    assert reranker.closed


def test_without_a_reranker_the_wish_is_refused_with_what_to_do(engine):
    with pytest.raises(MnemicError, match=r"reranking\.provider") as raised:
        search(engine, rerank=True)
    assert raised.value.reason is Reason.RERANKER_NOT_CONFIGURED
    assert raised.value.code is Code.FAILED_PRECONDITION


def test_a_vector_alone_cannot_be_reranked(tmp_path):
    with engine_with(tmp_path, Scripted(last_first)) as engine:
        dimension = engine.stats().dimension
        with pytest.raises(MnemicError) as raised:
            search(engine, rerank=True, query=" ", vector=(b"\0\0\x80\x3f" + bytes(4 * dimension - 4)))
    assert raised.value.violations[0].field == "rerank"


def test_a_failure_leaves_the_order_and_says_so(tmp_path):
    with engine_with(tmp_path, Scripted(unavailable)) as engine:
        fused, reranked = search(engine, top_k=3), search(engine, rerank=True, top_k=3, explain=True)
    assert ids(reranked) == ids(fused)
    assert [hit.score for hit in reranked.hits] == pytest.approx([hit.score for hit in fused.hits], abs=1e-6)
    assert reranked.rerank_skipped
    assert "rerank" not in reranked.hits[0].score_parts


@pytest.fixture
def held():
    """A reranker that does not look at the clock: it answers when the test lets it."""
    release = threading.Event()

    def wait(texts):
        release.wait(60)
        return last_first(texts)

    reranker = Scripted(wait)
    reranker.release = release
    yield reranker
    release.set()


def test_a_reranker_that_keeps_no_time_does_not_hold_the_search(tmp_path, held):
    with engine_with(tmp_path, held, timeout_seconds=0.2) as engine:
        fused, started = search(engine), time.monotonic()
        reranked = search(engine, rerank=True)
        assert 0.2 <= time.monotonic() - started < 20
        assert (ids(reranked), reranked.rerank_skipped) == (ids(fused), True)
        assert reranked.timings.rerank >= 200_000
        assert reranked.timings.total >= reranked.timings.rerank
        held.release.set()


def test_the_caller_s_deadline_comes_first_and_leaves_time_for_the_answer(tmp_path, held):
    with engine_with(tmp_path, held, timeout_seconds=60) as engine:
        reranked = search(engine, rerank=True, deadline=2.0)
        assert reranked.rerank_skipped
        assert held.asked[0][2] < 2.0 * 0.9
        held.release.set()


def test_a_full_queue_leaves_the_order_at_once(tmp_path, held):
    running = os.cpu_count() or 1
    with engine_with(tmp_path, held, queue=1) as engine:
        found = []
        waiting = [
            threading.Thread(target=lambda: found.append(search(engine, rerank=True))) for _ in range(running + 1)
        ]
        for thread in waiting:
            thread.start()
        while engine._reranking._places._value:
            time.sleep(0.005)
        reranked = search(engine, rerank=True)
        assert reranked.rerank_skipped
        held.release.set()
        for thread in waiting:
            thread.join()
        assert [result.rerank_skipped for result in found] == [False] * len(waiting)
        # The places are free again.
        assert not search(engine, rerank=True).rerank_skipped


def test_one_failure_in_a_batch_is_not_waited_for_again(tmp_path, held):
    with engine_with(tmp_path, held, timeout_seconds=0.2) as engine:
        plain, wish = (SearchRequest(scope=USER, query=QUERY, rerank=rerank) for rerank in (False, True))
        results = engine.batch_search("t", [plain, wish, plain, wish, wish])
        assert [result.rerank_skipped for result in results] == [False, True, False, True, True]
        assert len({tuple(ids(result)) for result in results}) == 1
        assert len(held.asked) == 1
        held.release.set()


def test_a_batch_reranks_each_search_that_asks(tmp_path):
    with engine_with(tmp_path, Scripted(last_first)) as engine:
        plain, wish = (SearchRequest(scope=USER, query=QUERY, rerank=rerank) for rerank in (False, True))
        one, other = engine.batch_search("t", [plain, wish])
    assert ids(other) == ids(one)[::-1]


@pytest.fixture
def directory(tmp_path):
    write_tokenizer(tmp_path)
    write_model(tmp_path)
    return tmp_path


@pytest.fixture
def cross_encoder_settings(tmp_path, directory):
    return load_settings(
        data_directory=tmp_path / "data",
        embedding={"provider": "static"},
        reranking={"provider": "onnx", "onnx": {"directory": directory}, "timeout_seconds": 20},
    )


def best_first():
    return sorted(TEXTS, key=lambda text: -expected(QUERY, text))


def test_in_process_with_a_cross_encoder(cross_encoder_settings):
    with Memory(settings=cross_encoder_settings) as memory:
        memory.add(TEXTS, user_id="u")
        result = memory.search(QUERY, user_id="u", rerank=True)
        assert {hit.body: hit.score for hit in result} == pytest.approx(
            {text: expected(QUERY, text) for text in TEXTS}, abs=1e-6
        )
        assert result[0].body == best_first()[0]
        assert [hit.score for hit in result] == sorted((hit.score for hit in result), reverse=True)
        assert result.timings.rerank > 0
        (batched,) = memory.batch_search([{"query": QUERY, "user_id": "u", "rerank": True}])
        assert [hit.body for hit in batched] == [hit.body for hit in result]


@pytest.mark.parametrize("front", [True, False], ids=["front", "python"])
def test_over_the_wire_with_a_cross_encoder(cross_encoder_settings, front):
    with (
        Engine.open(cross_encoder_settings, pull_missing_model=True) as engine,
        MnemicServer(engine, ServerSettings(address="127.0.0.1:0", front=front)) as server,
        MnemicClient(server.address) as client,
    ):
        client.add(TEXTS, user_id="u")
        # The partition is in memory now: what the front could answer itself, it does.
        client.search(QUERY, user_id="u")
        result = client.search(QUERY, user_id="u", rerank=True, explain=True)
        assert result[0].body == best_first()[0]
        assert result[0].score == pytest.approx(expected(QUERY, result[0].body), abs=1e-6)
        assert result[0].score_parts["rerank"].weight == 1.0
        assert result.timings.rerank > 0
        assert not result.rerank_skipped
        (batched,) = client.batch_search([{"query": QUERY, "user_id": "u", "rerank": True}])
        assert [hit.body for hit in batched] == [hit.body for hit in result]

        async def ask():
            async with AsyncMnemicClient(server.address) as asking:
                return await asking.search(QUERY, user_id="u", rerank=True)

        assert [hit.body for hit in asyncio.run(ask())] == [hit.body for hit in result]


@pytest.mark.parametrize("front", [True, False], ids=["front", "python"])
def test_over_the_wire_with_a_service_that_comes_and_goes(tmp_path, service, address, front):
    http = {"base_url": address, "shape": "tei", "max_retries": 0}
    settings = load_settings(
        data_directory=tmp_path / "data",
        embedding={"provider": "static"},
        reranking={"provider": "http", "http": http, "timeout_seconds": 20},
    )
    with (
        Engine.open(settings, pull_missing_model=True) as engine,
        MnemicServer(engine, ServerSettings(address="127.0.0.1:0", front=front)) as server,
        MnemicClient(server.address) as client,
    ):
        client.add(TEXTS, user_id="u")
        fused = client.search(QUERY, user_id="u")
        assert client.search(QUERY, user_id="u", rerank=True)[0].score == pytest.approx(0.5)
        service.failures = [(503, [])]
        skipped = client.search(QUERY, user_id="u", rerank=True)
        assert skipped.rerank_skipped
        assert [hit.body for hit in skipped] == [hit.body for hit in fused]
        assert not client.search(QUERY, user_id="u", rerank=True).rerank_skipped


@pytest.mark.parametrize("front", [True, False], ids=["front", "python"])
def test_over_the_wire_without_a_reranker(engine, front):
    with (
        MnemicServer(engine, ServerSettings(address="127.0.0.1:0", front=front)) as server,
        MnemicClient(server.address) as client,
    ):
        for ask in (
            lambda: client.search(QUERY, user_id="u", rerank=True),
            lambda: client.batch_search([{"query": QUERY, "user_id": "u", "rerank": True}]),
        ):
            with pytest.raises(MnemicError) as raised:
                ask()
            assert raised.value.reason is Reason.RERANKER_NOT_CONFIGURED
            assert raised.value.code is Code.FAILED_PRECONDITION
