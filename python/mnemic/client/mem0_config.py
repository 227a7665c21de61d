"""`from_config`: our settings as a dict, and those parts of a Mem0 configuration that mean something here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mnemic.engine.settings import Settings, load_settings
from mnemic.model.errors import MnemicError, invalid_field

# What Mem0 has a section for and Mnemic has otherwise, or not yet.
_REFUSED = {
    "vector_store": "vectors live in Mnemic's own index, built from the store in `data_directory`; set that instead",
    "graph_store": "names are linked inside the index; there is nothing to configure",
    "llm": "this version draws no facts by a language model and keeps messages word for word",
    "reranker": "name it in the section `reranking` (provider onnx or http); `search(rerank=True)` then asks for it",
    "history_db_path": "history is kept with the memories, in `data_directory`",
    "custom_instructions": "they are for extraction, which this version does not do",
    "custom_fact_extraction_prompt": "it is for extraction, which this version does not do",
    "custom_update_memory_prompt": "nothing is overwritten here, so there is no such decision to prompt for",
    "version": "there is one form of results; `to_dict()` gives Mem0's",
}
_MINILM = "all-MiniLM-L6-v2"
_COMMON_KEYS = {"model": "model", "api_key": "api_key", "base_url": "base_url"}
# Services that speak OpenAI's protocol: what their configuration's keys are called here, and what they need set.
_COMPATIBLE: Mapping[str, tuple[Mapping[str, str], Mapping[str, str]]] = {
    "openai": ({"openai_base_url": "base_url", "embedding_dims": "dimensions"}, {}),
    # Both learn the dimension from the model, need no key, and the SDK insists on one.
    "ollama": (
        {"ollama_base_url": "base_url"},
        {"base_url": "http://localhost:11434/v1", "api_key": "ollama", "model": "nomic-embed-text"},
    ),
    "lmstudio": ({"lmstudio_base_url": "base_url"}, {"base_url": "http://localhost:1234/v1", "api_key": "lm-studio"}),
}


def settings_from_config(config: Mapping[str, Any]) -> Settings:
    """The settings of a dict.

    Args:
        config: The fields of `Settings`; instead of `embedding` also Mem0's `embedder`.

    Raises:
        MnemicError: INVALID_FIELD for a section that Mnemic does not have; says what it has instead.
    """
    values = dict(config)
    for name in values:
        if name in _REFUSED:
            raise invalid_field(f"config.{name}", f"{_REFUSED[name]}. Leave it out")
    if "embedder" in values:
        if "embedding" in values:
            raise invalid_field("config.embedder", "says the same as config.embedding; give one of them")
        values["embedding"] = _embedding(values.pop("embedder"))
    return load_settings(**values)


def _embedding(embedder: object) -> dict[str, Any]:
    if not isinstance(embedder, Mapping) or not isinstance(embedder.get("config", {}), Mapping):
        raise invalid_field("config.embedder", "give a dict with `provider` and `config`")
    unknown = sorted(set(embedder) - {"provider", "config"})
    if unknown:
        raise invalid_field(f"config.embedder.{unknown[0]}", "is unknown; there are provider and config")
    provider, config = embedder.get("provider", "openai"), embedder.get("config", {})
    if provider in _COMPATIBLE:
        return {"provider": "openai", "openai": _compatible(provider, config)}
    if provider in {"huggingface", "fastembed"}:
        return _local(provider, config)
    raise invalid_field(
        "config.embedder.provider",
        f"{provider!r} is not here; there are {', '.join(_COMPATIBLE)} (any service that speaks OpenAI's protocol, by "
        "base_url), or use `embedding` with provider minilm, static or onnx, which run offline",
    )


def _compatible(provider: str, config: Mapping[str, Any]) -> dict[str, Any]:
    keys, values = {**_COMMON_KEYS, **_COMPATIBLE[provider][0]}, dict(_COMPATIBLE[provider][1])
    for key, value in config.items():
        if key == "embedding_dims" and key not in keys:
            continue
        if key not in keys:
            raise _unknown_key(key, keys)
        values[keys[key]] = value
    if provider == "ollama" and not str(values["base_url"]).rstrip("/").endswith("/v1"):
        # Mem0 asks for the address without the path; OpenAI's protocol is below /v1 there.
        values["base_url"] = f"{str(values['base_url']).rstrip('/')}/v1"
    return values


def _local(provider: str, config: Mapping[str, Any]) -> dict[str, Any]:
    for key in config:
        if key not in {"model", "embedding_dims"}:
            raise _unknown_key(key, {"model": "", "embedding_dims": ""})
    model = str(config.get("model", _MINILM))
    if not model.endswith(_MINILM):
        raise invalid_field(
            "config.embedder.config.model",
            f"{model!r} is not here; {provider} maps to {_MINILM} only. For a model of your own use "
            "`embedding` with provider onnx and its directory",
        )
    return {"provider": "minilm"}


def _unknown_key(key: str, known: Mapping[str, str]) -> MnemicError:
    return invalid_field(f"config.embedder.config.{key}", f"is unknown; there are {', '.join(sorted(known))}")
