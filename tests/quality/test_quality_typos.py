"""Questions with slips: the same ones each time, one edit in one word of the kind."""

import random

import pytest

from bench.quality.corpora import Conversation, Corpus, Question, Turn
from bench.quality.remembering import Remembered
from bench.quality.typos import BM25, NAME, WORD, Typos, misspelt, slip, typos_of
from mnemic import Memory
from mnemic.engine.settings import load_settings

QUESTION = Question("q", "Where was Caroline's violin?", "single-hop", frozenset({"t1"}))


@pytest.mark.parametrize("word", ["violin", "Anna", "aaaa"])
def test_a_slip_is_one_edit_behind_the_first_letter(word):
    for seed in range(50):
        slipped = slip(word, random.Random(seed))
        assert slipped != word
        assert slipped[0] == word[0]
        assert abs(len(slipped) - len(word)) <= 1


def test_the_kind_says_which_word_is_misspelt_and_every_run_misspells_it_alike():
    for kind, kept in ((NAME, "violin"), (WORD, "Caroline")):
        one = misspelt(QUESTION, kind)
        assert one == misspelt(QUESTION, kind)
        assert one is not None
        assert one.text != QUESTION.text
        assert kept in one.text
    assert misspelt(Question("q", "Who is he?", "", frozenset()), NAME) is None


def test_misspelt_questions_are_asked_of_the_memory_and_of_bm25(tmp_path):
    turns = [Turn("t1", 0, "The violin is in Oslo."), Turn("t2", 0, "Tulips need water.")]
    corpus = Corpus("tiny", [Conversation("c", turns, [QUESTION])])
    settings = load_settings(data_directory=tmp_path, embedding={"provider": "static"})
    with Memory(settings=settings) as memory:
        remembered = Remembered(memory, corpus, {"c": "u"})
        ids = memory.add([turn.body for turn in turns], user_id="u").memory_ids
        remembered.turn_of = dict(zip(ids, ["t1", "t2"], strict=True))
        found = typos_of(remembered, "balanced")
    by_mode = {(one.kind, one.mode): one for one in found}
    assert by_mode[WORD, "balanced"] == Typos("tiny", WORD, "balanced", 1, (1.0, 1.0), (1.0, 1.0))
    assert by_mode[WORD, BM25] == Typos("tiny", WORD, BM25, 1, (1.0, 1.0), (0.0, 0.0))
