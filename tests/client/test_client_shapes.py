"""Results in Mem0's shape, and `from_config` for those who come with a Mem0 configuration."""

import pytest

from mnemic.client.mem0_config import settings_from_config
from mnemic.client.results import AddResult, History, MemoryPage, SearchResult, memory_to_dict
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.memory import AddedMemory, ChangeKind, Memory, MemoryInput, MemoryKind, MemoryRevision, Role
from mnemic.model.scope import Scope
from mnemic.model.search import SearchHit, SignalScore

MAY_FIRST = 1_777_593_600_000_000
TEA = Memory(
    memory_id="m1",
    scope=Scope(user_id="u1", session_id="s1"),
    kind=MemoryKind.MESSAGE,
    body="tea",
    role=Role.USER,
    name="Ana",
    create_time_micros=MAY_FIRST,
    update_time_micros=MAY_FIRST,
    valid_from_micros=MAY_FIRST,
    metadata={"tags": ("a", "b")},
    categories=("food",),
)
TEA_AS_DICT = {
    "id": "m1",
    "memory": "tea",
    "metadata": {"tags": ["a", "b"]},
    "categories": ["food"],
    "created_at": "2026-05-01T00:00:00+00:00",
    "updated_at": "2026-05-01T00:00:00+00:00",
    "user_id": "u1",
    "run_id": "s1",
    "role": "user",
    "actor_id": "Ana",
}


def test_a_memory_in_mem0s_shape():
    assert memory_to_dict(TEA) == TEA_AS_DICT


def test_a_search_in_mem0s_shape():
    plain = SearchResult(hits=(SearchHit(TEA, 0.5),), revision=3)
    assert plain.to_dict() == {"results": [TEA_AS_DICT | {"score": 0.5}]}
    explained = SearchResult(hits=(SearchHit(TEA, 0.5, {"vector": SignalScore(0.4, 1.0, 0.5, 1)}),), revision=3)
    assert explained.to_dict()["results"][0]["score_details"] == {
        "vector": {"raw": 0.4, "normalized": 1.0, "weight": 0.5, "rank": 1}
    }


def test_a_result_is_a_sequence_of_hits():
    hit = SearchHit(TEA, 0.5)
    result = SearchResult(hits=(hit, hit), revision=3)
    assert (list(result), len(result), result[0], result[-1:]) == ([hit, hit], 2, hit, (hit,))
    assert not SearchResult(hits=(), revision=3)


def test_an_add_and_a_page_in_mem0s_shape():
    added = AddResult((AddedMemory("m1"),), 1, inputs=(MemoryInput(body="tea"),))
    assert added.to_dict() == {"results": [{"id": "m1", "memory": "tea", "event": "ADD"}]}
    assert added.memory_ids == ("m1",)
    assert MemoryPage((TEA,), "", 1).to_dict() == {"results": [TEA_AS_DICT]}


def test_a_history_in_mem0s_shape():
    changes = (ChangeKind.ADDED, ChangeKind.UPDATED, ChangeKind.DELETED)
    entries = History(MemoryRevision(change, TEA, MAY_FIRST, 1) for change in changes).to_dict()["results"]
    assert [(entry["event"], entry["old_memory"], entry["new_memory"], entry["is_deleted"]) for entry in entries] == [
        ("ADD", None, "tea", False),
        ("UPDATE", "tea", "tea", False),
        ("DELETE", "tea", None, True),
    ]


def test_our_settings_as_a_dict(tmp_path):
    settings = settings_from_config({"data_directory": str(tmp_path), "embedding": {"provider": "static"}})
    assert (settings.data_directory, settings.embedding.provider) == (tmp_path, "static")


@pytest.mark.parametrize(
    ("embedder", "expected"),
    [
        (
            {"provider": "openai", "config": {"model": "m", "api_key": "k", "embedding_dims": 8}},
            {"model": "m", "dimensions": 8, "base_url": None},
        ),
        (
            {"provider": "openai", "config": {"openai_base_url": "http://localhost:1/v1", "api_key": "k"}},
            {"model": "text-embedding-3-small", "base_url": "http://localhost:1/v1"},
        ),
        (
            {"provider": "ollama", "config": {"model": "bge-m3", "ollama_base_url": "http://host:11434/"}},
            {"model": "bge-m3", "base_url": "http://host:11434/v1", "dimensions": None},
        ),
        (
            {"provider": "ollama", "config": {"embedding_dims": 768}},
            {"model": "nomic-embed-text", "base_url": "http://localhost:11434/v1", "dimensions": None},
        ),
        (
            {"provider": "lmstudio", "config": {"model": "m"}},
            {"model": "m", "base_url": "http://localhost:1234/v1"},
        ),
    ],
)
def test_mem0s_remote_embedders_map_to_ours(embedder, expected):
    embedding = settings_from_config({"embedder": embedder}).embedding
    assert embedding.provider == "openai"
    assert {name: getattr(embedding.openai, name) for name in expected} == expected


def test_mem0s_local_embedder_maps_to_ours():
    embedder = {"provider": "huggingface", "config": {"model": "sentence-transformers/all-MiniLM-L6-v2"}}
    assert settings_from_config({"embedder": embedder}).embedding.provider == "minilm"


@pytest.mark.parametrize(
    ("config", "field", "words"),
    [
        ({"vector_store": {"provider": "qdrant"}}, "config.vector_store", "data_directory"),
        ({"llm": {"provider": "openai"}}, "config.llm", "word for word"),
        ({"graph_store": {}}, "config.graph_store", "inside the index"),
        ({"reranker": {}}, "config.reranker", "reranking"),
        ({"history_db_path": "x"}, "config.history_db_path", "data_directory"),
        ({"version": "v1.1"}, "config.version", "to_dict"),
        ({"embedder": {}, "embedding": {}}, "config.embedder", "give one of them"),
        ({"embedder": "openai"}, "config.embedder", "give a dict"),
        ({"embedder": {"name": "openai"}}, "config.embedder.name", "provider and config"),
        ({"embedder": {"provider": "gemini"}}, "config.embedder.provider", "minilm, static or onnx"),
        ({"embedder": {"provider": "openai", "config": {"modle": "m"}}}, "config.embedder.config.modle", "is unknown"),
        (
            {"embedder": {"provider": "huggingface", "config": {"model": "BAAI/bge-m3"}}},
            "config.embedder.config.model",
            "provider onnx",
        ),
        ({"colour": "red"}, "colour", ""),
        ({"embedding": {"provider": "magic"}}, "embedding.provider", ""),
    ],
    ids=str,
)
def test_a_section_that_means_nothing_here_is_refused_and_says_what_there_is(config, field, words):
    with pytest.raises(MnemicError) as refused:
        settings_from_config(config)
    assert refused.value.reason is Reason.INVALID_FIELD
    assert refused.value.violations[0].field == field
    assert words in refused.value.violations[0].description
