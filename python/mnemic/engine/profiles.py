"""Named sets of signal weights."""

from __future__ import annotations

from mnemic import _core
from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.model.search import DEFAULT_PROFILE, SearchRequest, SignalWeights

# Meaning and words count alike: of the plain weightings this is the one that the research measured best without
# tuning to one corpus. Names break ties; recency is off unless a caller asks for it.
PROFILES: dict[str, SignalWeights] = {
    DEFAULT_PROFILE: SignalWeights(vector=0.5, lexical=0.5, entity=0.1, recency=0.0),
    "semantic": SignalWeights(vector=1.0, lexical=0.0, entity=0.0, recency=0.0),
    "lexical": SignalWeights(vector=0.0, lexical=1.0, entity=0.0, recency=0.0),
}
_LATER = ("time", "actor", "context")


def resolve_weights(request: SearchRequest) -> _core.Weights:
    """The profile's weights with the request's own over them.

    Raises:
        MnemicError: INVALID_FIELD for an unknown profile, a weight outside 0 to 1 or weights that are all 0;
            NOT_IMPLEMENTED for a signal of a later version.
    """
    profile = PROFILES.get(request.profile or DEFAULT_PROFILE)
    if profile is None:
        raise invalid_field("profile", f"{request.profile[:64]!r} is unknown; there are {', '.join(sorted(PROFILES))}")
    for name in _LATER:
        if getattr(request.weights, name):
            raise MnemicError(
                Reason.NOT_IMPLEMENTED,
                f"weights.{name}: this version has no {name} signal; leave it out",
                metadata={"field": f"weights.{name}"},
            )
    weights = {name: _weight(request, profile, name) for name in ("vector", "lexical", "entity", "recency")}
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
