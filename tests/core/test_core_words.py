"""Words are scored by Lucene's BM25 over the memories that hold, names by how rare they are."""

import math
import random
from collections import Counter

import numpy as np
import pytest
from core_support import HYBRID, KEY, NAMES_ONLY, WORDS_ONLY, found, id_of, memory, random_vectors, search

from mnemic import _core
from mnemic.model.memory import Memory, embedding_text
from mnemic.model.scope import OwnerKind, PartitionKey

NAMES_OF_BOOKS = ["J.K. Rowling", "Lord of the Rings", "Mel", "Nintendo"]
K1, B = 0.9, 0.4
WORDS = [
    "garden",
    "violin",
    "market",
    "painting",
    "river",
    "ORD-12345",
    "running",
    "Mel's",
    "café",
    "3.14",
    "the",
    "and",
    "not",
    "quickly",
    "house",
    "houses",
]


def bm25(query: str, memories: list[Memory]) -> dict[str, float]:
    """Lucene's formula, written down anew: only the division of texts into terms is the core's.

    A term with marks inside is worth the idf of its parts on top.
    """
    documents = {one.memory_id: _core.tokenize(embedding_text(one.name, one.body)) for one in memories}
    average = sum(map(len, documents.values())) / len(documents)
    scores = dict.fromkeys(documents, 0.0)

    def idf(term: str) -> float:
        frequency = sum(term in terms for terms in documents.values())
        return math.log(1 + (len(documents) - frequency + 0.5) / (frequency + 0.5))

    for term in set(_core.tokenize(query)):
        lift = sum(idf(part) for part in set(_core.tokenize(term)) - {term})
        for memory_id, terms in documents.items():
            if count := Counter(terms)[term]:
                saturation = count / (count + K1 * (1 - B + B * len(terms) / average))
                scores[memory_id] += idf(term) * saturation + lift
    return {memory_id: score for memory_id, score in scores.items() if score > 0}


def assert_scores(index: _core.Index, query: str, memories: list[Memory], partitions: list[PartitionKey]) -> None:
    outcome = search(index, partitions=partitions, weights=WORDS_ONLY, text=query, top_k=1000, explain=True)
    # Names that many memories share are no words of the query.
    expected = bm25(index.understand(partitions, query).text, memories)
    assert {hit.memory_id: hit.parts["lexical"].raw for hit in outcome.hits} == pytest.approx(
        expected, rel=1e-4, abs=1e-4
    )
    best = max(expected.values(), default=0)
    assert [hit.score for hit in outcome.hits] == pytest.approx(
        [score / best for score in sorted(expected.values(), reverse=True)], abs=1e-5
    )


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_those_of_lucene_through_every_change(seed):
    choose = random.Random(seed)
    index = _core.Index(4)
    keys = [KEY, PartitionKey("tenant", OwnerKind.AGENT, "a")]
    held: dict[PartitionKey, dict[int, Memory]] = {key: {} for key in keys}
    number = 0
    for _ in range(40):
        key = choose.choice(keys)
        rows, closes = [], []
        for _ in range(choose.randint(0, 12)):
            number += 1
            body = " ".join(choose.choices(WORDS, k=choose.randint(1, 30)))
            rows.append((memory(number, body, name=choose.choice(["", "Mel"])), None))
        ended = choose.sample(sorted(held[key]), k=min(len(held[key]), choose.randint(0, 3)))
        closes += [_core.Close(id_of(old), 1, choose.choice([None, 1])) for old in ended]
        index.apply(key, rows, closes)
        for old in ended:
            del held[key][old]
        held[key] |= {int(row.memory_id[-12:], 16): row for row, _ in rows}
        query = " ".join(choose.choices(WORDS, k=choose.randint(1, 5)))
        for partitions in ([KEY], keys):
            memories = [one for key in partitions for one in held[key].values()]
            if memories:
                assert_scores(index, query, memories, partitions)


def test_a_long_text_counts_with_its_full_length():
    index = _core.Index(4)
    memories = [memory(1, "violin"), memory(2, "violin " + "garden " * 5000), memory(3, "violin " * 300 + "river")]
    index.load(KEY, [(one, None) for one in memories])
    assert_scores(index, "violin violin garden", memories, [KEY])


def test_words_that_nobody_wrote_find_nothing():
    index = _core.Index(4)
    index.load(KEY, [(memory(1, "violin"), None)])
    assert found(search(index, text="trombone")) == []
    assert found(search(index, text="the of and")) == []
    assert found(search(index, text="")) == []
    assert search(index, text="trombone").considered == 1


def test_recency_alone_finds_nothing():
    index = _core.Index(4)
    index.load(KEY, [(memory(1, "violin"), None)])
    recency = {"vector": 0.0, "lexical": 0.0, "entity": 0.0, "recency": 1.0}
    assert found(search(index, text="violin", weights=recency)) == []


def test_each_signal_finds_what_the_others_miss_and_every_hit_gets_every_signal():
    index = _core.Index(4)
    axis = np.eye(4, dtype=np.float32)
    rows = [(memory(1, "nothing of that"), axis[0].tobytes()), (memory(2, "a violin"), axis[1].tobytes())]
    rows += [(memory(3, "somewhere else", entities=("Berlin",)), None), (memory(4, "unrelated"), None)]
    index.load(KEY, rows)
    outcome = search(index, text="violin in berlin", vector=axis[0].tobytes(), explain=True)
    parts = {int(hit.memory_id[-12:], 16): hit.parts for hit in outcome.hits}
    assert sorted(parts) == [1, 2, 3]
    assert outcome.considered == 4
    raw = {number: {name: part.raw > 0 for name, part in of.items()} for number, of in parts.items()}
    assert raw[1] == {"vector": True, "lexical": False, "entity": False, "recency": True}
    assert raw[2] == {"vector": False, "lexical": True, "entity": False, "recency": True}
    assert raw[3] == {"vector": False, "lexical": False, "entity": True, "recency": True}
    for hit in outcome.hits:
        assert hit.score == pytest.approx(sum(part.weight * part.normalized for part in hit.parts.values()))
        assert sum(part.weight for part in hit.parts.values()) == pytest.approx(1)
        assert all((part.rank > 0) == (part.raw != 0) for part in hit.parts.values())


def test_parts_are_there_only_when_asked_for():
    index = _core.Index(4)
    index.load(KEY, [(memory(1, "violin"), None)])
    assert search(index, text="violin").hits[0].parts == {}
    assert set(search(index, text="violin", explain=True).hits[0].parts) == {"lexical", "recency"}


def test_min_score_cuts_off():
    index = _core.Index(4)
    index.load(KEY, [(memory(number, "violin " * number + "river " * (9 - number)), None) for number in range(1, 9)])
    every = search(index, text="violin", weights=WORDS_ONLY).hits
    some = search(index, text="violin", weights=WORDS_ONLY, min_score=every[3].score).hits
    assert [hit.memory_id for hit in some] == [hit.memory_id for hit in every[:4]]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Caroline moved to New York.", ["Caroline", "New York"]),
        ("Yesterday Caroline met Mel's sister.", ["Caroline", "Mel"]),
        ("Hey Mel! Thanks. Wow, great.", ["Mel"]),
        ('We read "Charlotte\'s Web" and “Dune” twice.', ["Charlotte's Web", "Dune"]),
        ("She works at the Bank of America in the Hague", ["Bank of America", "Hague"]),
        ("Set max_tokens for GPT-4o, see #42 and @mel", ["max_tokens", "GPT-4o", "#42", "@mel"]),
        ("At 3pm on the 20th I ran 5km in 2023", []),
        ("I think I'm happy. It is what it is.", []),
        ("STOP SHOUTING AT ME NOW", []),
        ("NASA and the UN agreed", ["NASA", "UN"]),
        ("Painting helps me. Seeing you would've been fun. How've you been?", []),
        ("She reads J.K. Rowling and the Lord of the Rings, then Mel the Nintendo.", NAMES_OF_BOOKS),
        ("Dr. Who lives with Mr. Smith", ["Dr. Who", "Mr. Smith"]),
        ("Élodie a vu Zoë à Köln", ["Élodie", "Zoë", "Köln"]),
        ("", []),
    ],
)
def test_names_are_found_in_texts(text, names):
    assert _core.find_entities(text) == names


@pytest.mark.parametrize("query", ["new york", "NEW  YORK?", "Is new york's mayor tall?", "“New York”"])
def test_a_name_is_linked_however_it_is_written(query):
    index = _core.Index(4)
    bodies = ["We flew to New York today", "a new house in old Leeds", "nothing"]
    index.load(KEY, [(memory(number, body), None) for number, body in enumerate(bodies, 1)])
    assert found(search(index, text=query, weights=NAMES_ONLY)) == [1]


def test_a_leading_article_makes_no_other_name_and_the_speaker_is_a_name():
    index = _core.Index(4)
    rows = [memory(1, "music", entities=("The Beatles",)), memory(2, "hello", name="Jo Ann"), memory(3, "other")]
    index.load(KEY, [(row, None) for row in rows])
    assert found(search(index, text="who like beatles", weights=NAMES_ONLY)) == [1]
    assert found(search(index, text="what did jo ann say", weights=NAMES_ONLY)) == [2]


def test_rare_names_count_more_and_a_name_in_every_memory_not_at_all():
    index = _core.Index(4)
    bodies = ["with Ann and Zoe", "with Ann and Bob", "with Ann and Bob", "with Ann"]
    index.load(KEY, [(memory(number, body), None) for number, body in enumerate(bodies, 1)])
    outcome = search(index, text="zoe bob ann", weights=NAMES_ONLY, explain=True)
    assert found(outcome) == [1, 3, 2]
    raw = [hit.parts["entity"].raw for hit in outcome.hits]
    expected = [1 - math.log(1 + count) / math.log(1 + 4) for count in (1, 2, 2)]
    assert raw == pytest.approx(expected, abs=1e-6)


def test_an_index_built_anew_answers_the_same():
    choose = random.Random(7)
    vectors = random_vectors(8, 300, 16)
    live, anew = _core.Index(16), _core.Index(16)
    rows = [(memory(n, " ".join(choose.choices(WORDS, k=9))), vectors[n].tobytes()) for n in range(1, 300)]
    for row, vector in rows:
        live.apply(KEY, [(row, None)], [])
        live.apply(KEY, [(row, vector)], [])
    anew.load(KEY, rows)
    assert sorted(live.versions(KEY)) == sorted(anew.versions(KEY))
    for query in random_vectors(9, 20, 16):
        text = " ".join(choose.choices(WORDS, k=3))
        first, second = (search(i, text=text, vector=query.tobytes(), weights=HYBRID).hits for i in (live, anew))
        assert [(hit.memory_id, hit.score) for hit in first] == [(hit.memory_id, hit.score) for hit in second]
