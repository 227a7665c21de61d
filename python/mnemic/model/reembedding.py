"""How far a change of the embedding model is."""

from __future__ import annotations

from dataclasses import dataclass

from mnemic.model.operations import OperationState


@dataclass(frozen=True, slots=True, kw_only=True)
class ReembedStatus:
    """The fields of `mnemic.v1.GetReembedStatusResponse`.

    Attributes:
        state: DONE when nothing is left to embed, RUNNING while somebody does it, PENDING while nobody does, FAILED
            when it ended with an error.
        active_model: The identity of the model that searches use; empty for a store that has none yet.
        target_model: The identity of the model that is being filled, or empty.
        done_count: How many versions have a vector of the target model; of the active one without a target.
        total_count: How many are to have one, those counted that have it.
        last_error: Why it last got no further, or empty.
        start_time_micros: When the target's (else the active model's) vectors began to be made for what was there;
            None for the first model of a store.
        update_time_micros: When that last got further; None likewise.
    """

    state: OperationState
    active_model: str
    target_model: str = ""
    done_count: int = 0
    total_count: int = 0
    last_error: str = ""
    start_time_micros: int | None = None
    update_time_micros: int | None = None
