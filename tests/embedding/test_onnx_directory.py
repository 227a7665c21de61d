"""A model of the user's own."""

import shutil

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mnemic.embedding.factory import open_provider
from mnemic.embedding.install import find_model
from mnemic.embedding.onnx_directory import OnnxDirectoryProvider
from mnemic.embedding.settings import EmbeddingSettings, OnnxSettings
from mnemic.model.errors import MnemicError, Reason

HIDDEN = 6


@pytest.fixture
def directory(tmp_path, models):
    """A token-level model: a table of token vectors, no pooling; its tokenizer is the default model's."""
    installed = find_model("minilm", models_directory=models).directory
    shutil.copy(installed / "tokenizer.json", tmp_path / "tokenizer.json")
    write_model(tmp_path, seed=1)
    return tmp_path


def table(seed):
    return np.random.default_rng(seed).standard_normal((30522, HIDDEN)).astype(np.float32)


def write_model(directory, *, seed=1, inputs=("input_ids", "attention_mask", "token_type_ids")):
    node = helper.make_node("Gather", ["table", inputs[0]], ["last_hidden_state"], axis=0)
    graph = helper.make_graph(
        [node],
        "tokens",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in inputs],
        [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", "tokens", HIDDEN])],
        [numpy_helper.from_array(table(seed), "table")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, directory / "model.onnx")


def opened(directory, **changes):
    return OnnxDirectoryProvider(OnnxSettings(directory=directory, **changes))


def token_ids(directory, text):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.no_padding()
    return tokenizer.encode(text).ids


def test_token_vectors_are_averaged_over_the_text_and_not_its_padding(directory):
    texts = ["hello there", "a much longer sentence about nothing in particular", ""]
    for text, vector in zip(texts, opened(directory).embed(texts), strict=True):
        mean = table(1)[token_ids(directory, text)].mean(axis=0)
        assert np.allclose(vector, mean / np.linalg.norm(mean), atol=1e-5)


def test_or_the_first_token_s_is_taken(directory):
    vector = opened(directory, pooling="cls").embed(["hello there"])[0]
    first = table(1)[token_ids(directory, "hello")[0]]
    assert np.allclose(vector, first / np.linalg.norm(first), atol=1e-5)


def test_a_model_that_pools_itself_is_taken_as_it_is(tmp_path, models, minilm):
    shutil.copytree(find_model("minilm", models_directory=models).directory, tmp_path / "own")
    settings = EmbeddingSettings(provider="onnx", onnx=OnnxSettings(directory=tmp_path / "own"), cache_entries=0)
    own = open_provider(settings)
    assert np.allclose(own.embed(["hello", "bye"]), minilm.embed(["hello", "bye"]), atol=1e-6)
    assert own.identity.startswith("onnx:")
    assert own.identity != minilm.identity


def test_max_tokens_cuts(directory):
    assert np.array_equal(
        opened(directory, max_tokens=4).embed(["one two three four"]),
        opened(directory, max_tokens=4).embed(["one two"]),
    )


def test_another_model_or_another_pooling_has_another_identity(directory):
    identities = {opened(directory).identity, opened(directory, pooling="cls").identity}
    write_model(directory, seed=2)
    identities.add(opened(directory).identity)
    assert len(identities) == 3


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_missing_file_is_named(directory, name):
    (directory / name).unlink()
    with pytest.raises(MnemicError, match=f"has no {name}") as raised:
        opened(directory)
    assert raised.value.reason is Reason.INVALID_FIELD


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_file_that_cannot_be_read_is_named(directory, name):
    (directory / name).write_bytes(b"nonsense")
    with pytest.raises(MnemicError, match=name) as raised:
        opened(directory)
    assert raised.value.reason is Reason.CORRUPT_DATA


def test_inputs_that_are_not_a_text_model_s_are_told(directory):
    write_model(directory, inputs=("pixels",))
    with pytest.raises(MnemicError, match="takes pixels") as raised:
        opened(directory)
    assert raised.value.reason is Reason.INVALID_FIELD


def test_without_a_directory_the_setting_is_named():
    with pytest.raises(MnemicError, match=r"embedding\.onnx\.directory"):
        open_provider(EmbeddingSettings(provider="onnx"))
