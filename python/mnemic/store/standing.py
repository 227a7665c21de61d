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
        reads_value: The slot's value was read from words, so that it may be told in others: a fact of the slot that has
            the same value takes the sources, and one that denies it (`not Oslo` of `Oslo`) ends. Without it only a fact
            that has the same words takes sources.
        replaces: With `reads_value`: further values of the slot that end with this one, as they were told. Of a
            correction they never held.
        supersedes: Memories that end when it begins to hold, whatever their slots.
        reason: Why those end, in words.
    """

    takes_slot: bool = False
    is_correction: bool = False
    reads_value: bool = False
    replaces: tuple[str, ...] = ()
    supersedes: tuple[str, ...] = ()
    reason: str = "the caller said that it is superseded"


NO_STANDING = Standing()
