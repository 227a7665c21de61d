"""The shape of an answer, as JSON schema: what services with structured output hold the model to."""

from __future__ import annotations

from typing import Any

KINDS = ("fact", "instruction")

_FACT: dict[str, Any] = {
    "text": {"type": "string"},
    "sources": {"type": "array", "items": {"type": "integer"}},
    "kind": {"type": "string", "enum": list(KINDS)},
    "time": {"type": "string"},
    "slot": {"type": "string"},
    "value": {"type": "string"},
    "adds": {"type": "boolean"},
    "corrects": {"type": "boolean"},
    "entities": {"type": "array", "items": {"type": "string"}},
    "categories": {"type": "array", "items": {"type": "string"}},
    "confidence": {"type": "number"},
}

# All properties are required and no others allowed: what OpenAI's strict mode asks for.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "facts": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": _FACT,
                "required": list(_FACT),
                "additionalProperties": False,
            },
        }
    },
    "required": ["facts"],
    "additionalProperties": False,
}
