"""As much as fits into a budget of tokens, the most useful first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Protocol

from mnemic.engine.rendering.block import GAP, Entry, render
from mnemic.engine.rendering.excerpts import merge
from mnemic.model.memory import MemoryKind

# What a line costs is counted by itself, which is near what it adds to the block. If the block then leaves more than
# one part in so many of the budget, that is given away again, and so often at most.
_WORTH_A_ROUND = 20
_ROUNDS = 3
# So many that do not fit one after another, and the budget counts as used.
_MOST_MISFITS = 8
# No line of use is shorter.
_LEAST_TOKENS = 8
# Longer texts are taken to be beyond the tokens left, without counting them.
_CHARACTERS_FOR_A_TOKEN = 64


class Counter(Protocol):
    """Counts the tokens of texts."""

    @property
    def exact(self) -> Callable[[str], int]:
        """The tokens of a text."""

    @property
    def nearly(self) -> Callable[[str], int]:
        """The same or nearly, quicker."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A memory that is to be in the block.

    Attributes:
        entry: The memory.
        window: For a message: it with its neighbours, in their order; empty for it alone.
    """

    entry: Entry
    window: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Fitted:
    """A block within its budget; without text if nothing fits."""

    text: str = ""
    token_count: int = 0
    memory_ids: tuple[str, ...] = ()


def fit(candidates: Iterable[Candidate], budget: int, counter: Counter) -> Fitted:
    """The block of the candidates that fit.

    One that does not fit makes room for the next ones. A message is taken with its neighbours, or without if they are
    too many.

    Args:
        candidates: The most useful first; no two of the same memory. They are asked for only while there is room.
        budget: In tokens.
        counter: Of texts; the block as a whole is counted exactly.
    """
    taking = _Taking(counter.nearly)
    chosen: list[tuple[Entry, ...]] = []
    text, ids = render((), ())
    used, waiting = counter.nearly(text), iter(candidates)
    for _ in range(_ROUNDS):
        taken, waiting = taking.take(waiting, budget - used)
        if not taken:
            break
        chosen += taken
        text, ids = _block(chosen)
        used = counter.nearly(text)
        if (budget - used) * _WORTH_A_ROUND <= budget:
            break
    if counter.exact is not counter.nearly:
        used = counter.exact(text)
    while chosen and used > budget:
        # By single lines it seemed less.
        excess = used - budget
        while chosen and excess > 0:
            excess -= sum(counter.nearly(entry.line()) for entry in chosen.pop())
        text, ids = _block(chosen)
        used = counter.exact(text)
    return Fitted(text, used, ids) if chosen else Fitted()


def _block(chosen: Sequence[tuple[Entry, ...]]) -> tuple[str, tuple[str, ...]]:
    messages = {entry.memory.memory_id: entry for entries in chosen if _is_said(entries) for entry in entries}
    windows = merge([entry.memory.memory_id for entry in entries] for entries in chosen if _is_said(entries))
    return render(
        [entries[0] for entries in chosen if not _is_said(entries)],
        [[messages[memory_id] for memory_id in window] for window in windows],
    )


def _is_said(entries: Sequence[Entry]) -> bool:
    return entries[0].memory.kind is MemoryKind.MESSAGE


@dataclass(slots=True)
class _Taking:
    """What is taken and what it costs."""

    count: Callable[[str], int]
    _shown: set[str] = field(default_factory=set)
    _titles: set[str] = field(default_factory=set)
    _moments: set[str] = field(default_factory=set)

    def take(self, waiting: Iterator[Candidate], room: int) -> tuple[list[tuple[Entry, ...]], Iterator[Candidate]]:
        """Those that fit into so many tokens, and those that wait on."""
        taken: list[tuple[Entry, ...]] = []
        left: list[Candidate] = []
        misfits = 0
        while room >= _LEAST_TOKENS and misfits < _MOST_MISFITS:
            candidate = next(waiting, None)
            if candidate is None:
                break
            for entries in (candidate.window, (candidate.entry,)):
                cost = self._cost(entries, room) if entries else None
                if cost is not None:
                    room -= cost
                    misfits = 0
                    taken.append(entries)
                    break
            else:
                left.append(candidate)
                misfits += 1
        return taken, chain(left, waiting)

    def _cost(self, entries: Sequence[Entry], room: int) -> int | None:
        """The tokens that entries add to what is shown, and shows them; None if they do not fit."""
        new = [entry for entry in entries if entry.memory.memory_id not in self._shown]
        if sum(len(entry.text) for entry in new) > room * _CHARACTERS_FOR_A_TOKEN:
            return None
        title, is_said = entries[0].title, _is_said(entries)
        cost = 0 if title in self._titles else self.count(f"{title}\n")
        if len(entries) > 1:
            cost += self.count(f"{GAP}\n")
        told: set[str] = set()
        for entry in new:
            # Messages of the same moment stand together, and only the first of them tells it.
            is_told = is_said and (entry.moment in told or entry.moment in self._moments)
            cost += self.count(f"{entry.line(moment='' if is_told else None)}\n")
            if cost > room:
                return None
            told.add(entry.moment)
        self._titles.add(title)
        self._shown |= {entry.memory.memory_id for entry in new}
        if is_said:
            self._moments |= told
        return cost
