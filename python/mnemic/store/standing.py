"""How what is written relates to what is known."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a version relates to what is known already; `mnemic.store.settling` carries it out.

    Attributes:
        takes_slot: It is the one value of its slot from the moment on from which it holds. Without it a slot has
            values beside each other (a second pet), or a later version stands where the one before it stood.
        is_correction: The value that the slot has now never held: this one holds in its place.
        merges_equal_value: A fact of the slot that has the same value takes its sources; without it only one that has
            the same words does.
        supersedes: Memories that end when it begins to hold, whatever their slots.
    """

    takes_slot: bool = False
    is_correction: bool = False
    merges_equal_value: bool = False
    supersedes: tuple[str, ...] = ()


NO_STANDING = Standing()
