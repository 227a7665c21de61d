"""How sure a search may be that the scope has an answer (docs/retrieval.md, "Abstention")."""

from __future__ import annotations

from mnemic.embedding.settings import ProviderName

# With a confidence below, an answer says that it abstains; the core's ABSTAIN_BELOW.
ABSTAIN_BELOW = 0.5
# The weights of the best cosine and of the best coverage of the query's words, and the bias: a logistic model fitted to
# questions of conversations and questions about other ones (`python -m bench.quality.abstaining`). What a cosine means
# differs from model to model; where it was not measured there is no confidence.
_CALIBRATIONS: dict[ProviderName, tuple[float, float, float]] = {
    "minilm": (7.6, 6.7, -3.70),
    "static": (7.0, 6.7, -2.87),
}


def calibration(provider: ProviderName) -> tuple[float, float, float] | None:
    """What makes a confidence of the support that a search finds, as `_core.Index.search` takes it."""
    return _CALIBRATIONS.get(provider)
