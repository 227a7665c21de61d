"""Named ways to weigh a search."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mnemic import _core
from mnemic.engine.settings import Settings
from mnemic.model.errors import invalid_field
from mnemic.model.search import NO_WEIGHTS, SIGNALS, SearchRequest, SignalWeights

BALANCED = "balanced"
FAST = "fast"
# The embedding provider whose vectors `fast` was tuned with.
_FAST_PROVIDER = "static"


@dataclass(frozen=True, slots=True)
class Profile:
    """What a name stands for.

    Attributes:
        weights: Of every signal.
        candidates: How many candidates each retriever gives at least; four for each hit asked for if that is more.
    """

    weights: SignalWeights
    candidates: int = 50


# They were measured on conversations (docs/retrieval.md): what was said around a message counts more than the message
# alone, a date that the query names more than who spoke, and names hardly more than a tie. Recency is off unless a
# caller asks for it.
_BALANCED = SignalWeights(vector=0.2, lexical=0.1, entity=0.02, time=0.3, actor=0.2, recency=0.0, context=0.5)
_NONE = SignalWeights(**dict.fromkeys(SIGNALS, 0.0))

PROFILES: dict[str, Profile] = {
    BALANCED: Profile(_BALANCED),
    # Found with the static model's vectors, which say less of a message.
    FAST: Profile(SignalWeights(vector=0.1, lexical=0.2, entity=0.06, time=0.4, actor=0.3, recency=0.0, context=0.4)),
    "precise": Profile(_BALANCED, candidates=80),
    "semantic": Profile(replace(_NONE, vector=1.0)),
    "lexical": Profile(replace(_NONE, lexical=1.0)),
}


def default_profile(settings: Settings) -> str:
    """The profile of searches that name none: that of the settings, else the one that suits the embedding model."""
    if settings.search.profile is not None:
        return settings.search.profile
    return FAST if settings.embedding.provider == _FAST_PROVIDER else BALANCED


@dataclass(frozen=True, slots=True)
class Weighing:
    """A profile with a request's own weights over it.

    Attributes:
        weights: As the core takes them.
        candidates: See `Profile`.
        wants_vector: Whether an embedding of the query would count.
    """

    weights: _core.Weights
    candidates: int
    wants_vector: bool


class Profiles:
    """The profiles of a node."""

    def __init__(self, default: str) -> None:
        self._default = default
        # Most searches bring no weights of their own.
        self._plain = {name: _weighing(profile, NO_WEIGHTS) for name, profile in PROFILES.items()}

    def weighing(self, request: SearchRequest) -> Weighing:
        """The profile's weights with the request's own over them.

        Raises:
            MnemicError: INVALID_FIELD for an unknown profile, a weight outside 0 to 1 or weights that are all 0.
        """
        name = request.profile or self._default
        plain = self._plain.get(name) if isinstance(name, str) else None
        if plain is None:
            shown = name[:64] if isinstance(name, str) else name
            raise invalid_field("profile", f"{shown!r} is unknown; there are {', '.join(sorted(PROFILES))}")
        return plain if request.weights == NO_WEIGHTS else _weighing(PROFILES[name], request.weights)


def _weighing(profile: Profile, own: SignalWeights) -> Weighing:
    weights = {name: _weight(profile.weights, own, name) for name in SIGNALS}
    if not any(weights.values()):
        raise invalid_field("weights", "are all 0; give at least one of vector, lexical and entity a weight")
    return Weighing(_core.Weights(**weights), profile.candidates, wants_vector=bool(weights["vector"]))


def _weight(profile: SignalWeights, own: SignalWeights, name: str) -> float:
    value = getattr(own, name)
    if value is None:
        value = getattr(profile, name)
    if not 0.0 <= value <= 1.0:
        raise invalid_field(f"weights.{name}", f"is {value}; it must lie between 0 and 1")
    return float(value)
