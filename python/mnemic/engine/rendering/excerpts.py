"""Hits with their neighbours, put together where they overlap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def merge(windows: Iterable[Sequence[str]]) -> list[list[str]]:
    """The excerpts that windows on conversations make together, each message once.

    Args:
        windows: Ids of messages that follow each other. Of the same conversation, ids ascend.

    Returns:
        The ids of each excerpt, ascending. No two excerpts share a message.
    """
    excerpts: list[set[str]] = []
    of: dict[str, set[str]] = {}
    for window in windows:
        members = set(window)
        for memory_id in window:
            other = of.get(memory_id)
            if other is not None and other is not members:
                members |= other
                other.clear()
        excerpts.append(members)
        of |= dict.fromkeys(members, members)
    return [sorted(members) for members in excerpts if members]
