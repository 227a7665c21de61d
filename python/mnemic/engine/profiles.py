"""Named sets of signal weights."""

from __future__ import annotations

from dataclasses import replace

from mnemic import _core
from mnemic.model.errors import invalid_field
from mnemic.model.search import DEFAULT_PROFILE, SIGNALS, SearchRequest, SignalWeights

_NONE = SignalWeights(**dict.fromkeys(SIGNALS, 0.0))

# The default was measured on conversations (docs/retrieval.md): what was said around a message counts more than
# the message alone, a date that the query names more than who spoke, and names hardly more than a tie. Recency is off
# unless a caller asks for it.
PROFILES: dict[str, SignalWeights] = {
    DEFAULT_PROFILE: SignalWeights(
        vector=0.2, lexical=0.1, entity=0.02, time=0.3, actor=0.15, recency=0.0, context=0.4
    ),
    "semantic": replace(_NONE, vector=1.0),
    "lexical": replace(_NONE, lexical=1.0),
}


def resolve_weights(request: SearchRequest) -> _core.Weights:
    """The profile's weights with the request's own over them.

    Raises:
        MnemicError: INVALID_FIELD for an unknown profile, a weight outside 0 to 1 or weights that are all 0.
    """
    profile = PROFILES.get(request.profile or DEFAULT_PROFILE)
    if profile is None:
        raise invalid_field("profile", f"{request.profile[:64]!r} is unknown; there are {', '.join(sorted(PROFILES))}")
    weights = {name: _weight(request, profile, name) for name in SIGNALS}
    if not any(weights.values()):
        raise invalid_field("weights", "are all 0; give at least one of vector, lexical and entity a weight")
    return _core.Weights(**weights)


def _weight(request: SearchRequest, profile: SignalWeights, name: str) -> float:
    own: float | None = getattr(request.weights, name)
    value = own if own is not None else getattr(profile, name)
    if not 0.0 <= value <= 1.0:
        raise invalid_field(f"weights.{name}", f"is {value}; it must lie between 0 and 1")
    return float(value)


def wants_vector(request: SearchRequest) -> bool:
    """Whether the search would use an embedding of its query."""
    own = request.weights.vector
    weight = own if own is not None else PROFILES[request.profile or DEFAULT_PROFILE].vector
    return bool(weight)
