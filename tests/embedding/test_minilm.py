"""The default model: what it computes, and that it computes it for every text alike."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from embedding_reference import ReferenceMiniLm
from embedding_sentences import SENTENCES
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemic.model.errors import MnemicError, Reason


@pytest.fixture(scope="session")
def reference(published):
    return ReferenceMiniLm(published)


def cosines(left, right):
    return np.sum(left * right, axis=1)


def test_vectors_equal_the_original_model_s_to_cosine_0_995(minilm, reference):
    found = cosines(minilm.embed(SENTENCES), reference.embed(SENTENCES))
    assert found.min() >= 0.995
    assert found.mean() >= 0.998


@pytest.mark.parametrize("text", ["no", "?", "东京", "x = 1; y = 2", "👍", "lorem " * 300, "Ελλάδα", "12/05/2023"])
def test_odd_texts_stay_close_to_the_original_model_s(minilm, reference, text):
    assert cosines(minilm.embed([text]), reference.embed([text]))[0] >= 0.99


def test_similar_texts_are_nearer_than_others(minilm):
    query, near, far = minilm.embed(["what does she eat?", "I'm vegetarian and love lentils", "The train was late"])
    assert query @ near > query @ far + 0.1


def test_a_text_has_the_same_vector_alone_and_in_a_batch(minilm):
    together = minilm.embed([*SENTENCES, "a", "lorem ipsum " * 400])
    alone = np.concatenate([minilm.embed([text]) for text in SENTENCES])
    assert np.abs(together[: len(SENTENCES)] - alone).max() < 1e-5


def test_the_order_of_the_texts_is_kept(minilm):
    texts = [f"{'word ' * (position * 7 % 40)}{position}" for position in range(100)]
    forward, backward = minilm.embed(texts), minilm.embed(texts[::-1])
    assert np.abs(forward - backward[::-1]).max() < 1e-5


def test_no_texts_give_no_vectors(minilm):
    vectors = minilm.embed([])
    assert vectors.shape == (0, 384)
    assert vectors.dtype == np.float32


def test_a_long_text_is_cut_after_256_tokens(minilm):
    # 254 words and the two marks at the ends.
    cut, longer = minilm.embed(["tree " * 254, "tree " * 254 + "ocean " * 300])
    assert cut @ longer > 0.99999
    assert cut @ minilm.embed(["tree " * 200 + "ocean " * 54])[0] < 0.999


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=80), max_size=5))
def test_any_text_gets_a_finite_vector_of_length_1(minilm, texts):
    vectors = minilm.embed(texts)
    assert vectors.shape == (len(texts), 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_text_that_is_no_unicode_is_named(minilm):
    with pytest.raises(MnemicError, match=r"texts\[1\].*no valid Unicode") as raised:
        minilm.embed(["fine", "bad \ud800"])
    assert raised.value.reason is Reason.INVALID_FIELD


def test_a_deadline_ends_a_large_batch(minilm):
    with pytest.raises(MnemicError, match="of 5000 texts") as raised:
        minilm.embed(["some words to embed"] * 5000, timeout_seconds=0.05)
    assert raised.value.reason is Reason.DEADLINE_EXCEEDED


def test_many_threads_get_what_one_gets(minilm):
    alone = minilm.embed(SENTENCES)
    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(lambda text: minilm.embed([text])[0], SENTENCES * 4))
    assert np.abs(np.stack(rows) - np.tile(alone, (4, 1))).max() < 1e-5


def test_neither_torch_nor_the_packages_that_carry_the_weights_are_imported(models):
    program = (
        "import sys\n"
        "from mnemic.embedding.factory import open_provider\n"
        "from mnemic.embedding.settings import EmbeddingSettings\n"
        "for name in ('minilm', 'static'):\n"
        "    open_provider(EmbeddingSettings(provider=name)).embed(['hello'])\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'wordllama', 'openai', 'onnx'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "[]"
