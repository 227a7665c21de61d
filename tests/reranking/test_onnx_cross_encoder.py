"""A cross-encoder of the user's own, over real ONNX models."""

import threading
import time

import onnx
import pytest
from onnx import TensorProto
from reranking_models import INPUTS, expected, write_endless_model, write_model, write_tokenizer

from mnemic.model.errors import MnemicError, Reason
from mnemic.reranking.factory import open_reranker
from mnemic.reranking.onnx_cross_encoder import OnnxCrossEncoder
from mnemic.reranking.reranker import RerankerUnavailableError
from mnemic.reranking.settings import OnnxRerankerSettings, RerankingSettings

QUERY = "where does she eats apples"
TEXTS = ["she lives in rome", "she eats apples in paris", "the cat", "", "she she she likes the dog and the moon"]


@pytest.fixture
def directory(tmp_path):
    write_tokenizer(tmp_path)
    write_model(tmp_path)
    return tmp_path


def opened(directory, **changes):
    return OnnxCrossEncoder(OnnxRerankerSettings(directory=directory, **changes))


def scores(reranker, query=QUERY, texts=TEXTS, seconds=60.0):
    return reranker.rerank(query, texts, timeout_seconds=seconds)


def by_hand(query=QUERY, texts=TEXTS):
    return pytest.approx([expected(query, text) for text in texts], abs=1e-6)


def refusal(directory, **changes):
    with pytest.raises(MnemicError) as raised:
        opened(directory, **changes)
    return raised.value


def test_a_score_is_the_logistic_of_the_logit_of_query_and_text(directory):
    assert scores(opened(directory)) == by_hand()


@pytest.mark.parametrize("shape", ["flat", "two"])
def test_two_logits_or_a_flat_answer_mean_the_same(directory, shape):
    write_model(directory, shape=shape)
    assert scores(opened(directory)) == by_hand()


def test_a_model_in_half_precision_is_taken(directory):
    write_model(directory, kind=TensorProto.FLOAT16)
    assert scores(opened(directory)) == pytest.approx([expected(QUERY, text) for text in TEXTS], abs=1e-3)


def test_an_output_of_another_name_is_taken(directory):
    write_model(directory, output="relevance")
    assert scores(opened(directory)) == by_hand()


def test_a_score_does_not_depend_on_the_batch(directory):
    alone = [scores(opened(directory), texts=[text])[0] for text in TEXTS]
    for size in (1, 2, 3, 64):
        assert scores(opened(directory, batch_size=size)) == alone


def test_the_query_and_the_text_are_told_apart(directory):
    reranker = opened(directory)
    # A word twice in the query and once in the text makes two pairs, and so does the other way round; twice in one of
    # them alone makes none.
    assert scores(reranker, "apples apples", ["tea"]) == by_hand("apples apples", ["tea"])
    assert scores(reranker, "tea", ["apples apples"]) == by_hand("tea", ["apples apples"])


def test_a_model_without_types_gets_none(directory):
    write_model(directory, inputs=INPUTS[:2])
    # Everything is then a query, and nothing comes back in a text.
    assert scores(opened(directory), "apples", ["apples"]) == by_hand("apples", ["tea"])


def test_the_longer_of_both_is_cut_at_max_tokens(directory):
    reranker = opened(directory, max_tokens=8)
    # [CLS] q [SEP] t t t t [SEP]: the words beyond are not read.
    assert scores(reranker, "tea", ["a a a a tea"]) == by_hand("tea", ["a a a a"])
    assert scores(reranker, "tea", ["a a a tea"]) == by_hand("tea", ["a a a tea"])
    assert scores(reranker, "a a a a tea", ["tea"]) == by_hand("a a a a", ["tea"])


def test_a_logit_beyond_all_bounds_is_0_or_1(directory):
    write_model(directory, scale=10_000)
    assert scores(opened(directory), "tea", ["tea tea", "bread"]) == [1.0, 0.0]


def test_many_threads_get_the_same(directory):
    reranker, found = opened(directory, batch_size=2), []
    threads = [threading.Thread(target=lambda: found.append(scores(reranker))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(answer == by_hand() for answer in found)


def test_a_run_that_would_never_end_is_ended_in_time(directory):
    write_endless_model(directory)
    reranker = opened(directory)
    assert scores(reranker, "tea", ["tea"]) == by_hand("tea", ["tea"])
    started = time.monotonic()
    with pytest.raises(RerankerUnavailableError, match="ran out of time"):
        scores(reranker, "tea", ["tea " * 40], seconds=0.2)
    assert time.monotonic() - started >= 0.2
    # What was ended once is not ended for good.
    assert scores(reranker, "tea", ["tea"]) == by_hand("tea", ["tea"])


def test_no_time_at_all_is_not_enough(directory):
    with pytest.raises(RerankerUnavailableError):
        scores(opened(directory, batch_size=1), texts=TEXTS * 50, seconds=0.0)


@pytest.mark.parametrize("value", ["inf", "nan"])
def test_a_score_that_is_not_finite_is_refused_at_the_start(directory, value):
    write_model(directory, scale=float(value))
    refused = refusal(directory)
    assert refused.reason is Reason.INVALID_FIELD
    assert "not finite" in refused.message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shape": "three"}, "one or two logits"),
        ({"shape": "tokens"}, "one or two logits"),
        ({"kind": TensorProto.INT64}, "one or two logits"),
    ],
    ids=str,
)
def test_a_model_of_another_kind_is_refused_at_the_start(directory, changes, words):
    write_model(directory, **changes)
    refused = refusal(directory)
    assert refused.violations[0].field == "reranking.onnx.directory"
    assert words in refused.message


def test_a_model_with_other_inputs_is_refused(directory):
    model = onnx.load(directory / "model.onnx")
    model.graph.input.append(onnx.helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [1]))
    onnx.save(model, directory / "model.onnx")
    assert "pixels" in refusal(directory).message


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_missing_file_is_named(directory, name):
    (directory / name).unlink()
    refused = refusal(directory)
    assert refused.reason is Reason.INVALID_FIELD
    assert f"has no {name}" in refused.message


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_file_that_cannot_be_read_is_named(directory, name):
    (directory / name).write_bytes(b"nonsense")
    refused = refusal(directory)
    assert refused.reason is Reason.CORRUPT_DATA
    assert refused.metadata["path"] == str(directory / name)


def test_without_a_directory_the_setting_is_named():
    with pytest.raises(MnemicError) as raised:
        open_reranker(RerankingSettings(provider="onnx"))
    assert raised.value.violations[0].field == "reranking.onnx.directory"
