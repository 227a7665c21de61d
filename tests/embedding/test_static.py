"""The quick model."""

import numpy as np
from embedding_sentences import SENTENCES
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file
from tokenizers import Tokenizer


def test_a_vector_is_the_mean_of_the_token_rows_scaled_to_length_1(static, published_static):
    table = load_file(published_static / "l2_supercat_256.safetensors")["embedding.weight"].astype(np.float64)
    tokenizer = Tokenizer.from_file(str(published_static / "l2_supercat_tokenizer_config.json"))
    for text, vector in zip(SENTENCES, static.embed(SENTENCES), strict=True):
        mean = table[tokenizer.encode(text, add_special_tokens=False).ids].mean(axis=0)
        assert np.allclose(vector, mean / np.linalg.norm(mean), atol=1e-5)


def test_similar_texts_are_nearer_than_others(static):
    query, near, far = static.embed(["her favourite food", "she loves to eat pasta", "the server crashed"])
    assert query @ near > query @ far + 0.1


def test_the_empty_text_gets_the_first_basis_vector(static):
    vector = static.embed([""])[0]
    assert vector[0] == 1
    assert np.count_nonzero(vector) == 1


def test_no_texts_give_no_vectors(static):
    assert static.embed([]).shape == (0, 256)


def test_alone_and_in_a_batch_are_equal_and_the_order_is_kept(static):
    texts = SENTENCES * 5
    together = static.embed(texts)
    assert np.array_equal(together, np.concatenate([static.embed([text]) for text in texts]))


@settings(max_examples=100, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_gets_a_finite_vector_of_length_1(static, text):
    assert np.isclose(np.linalg.norm(static.embed([text])[0]), 1, atol=1e-5)
