"""As much as fits into a budget of tokens, the most useful first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mnemic.engine.rendering.block import GAP, Entry, render
from mnemic.engine.rendering.excerpts import merge
from mnemic.model.memory import MemoryKind

# Tokens of a text.
Count = Callable[[str], int]

# What a line costs is counted by itself, which is near what it adds to the block. What the block then leaves of the
# budget is given away again, so often.
_ROUNDS = 3
# So many that do not fit one after another, and the budget counts as used.
_MOST_MISFITS = 16
# No line is shorter.
_LEAST_TOKENS = 4
# Longer texts are taken to be beyond the tokens left, without counting them.
CHARACTERS_FOR_A_TOKEN = 64


@dataclass(frozen=True, slots=True)
class Candidate:
    """A memory that is to be in the block.

    Attributes:
        entry: The memory.
        window: For a message: it with its neighbours, in their order.
    """

    entry: Entry
    window: tuple[Entry, ...] = ()

    @property
    def memory_id(self) -> str:
        """The memory's id."""
        return self.entry.memory.memory_id


@dataclass(frozen=True, slots=True)
class Fitted:
    """A block within its budget; without text if nothing fits."""

    text: str = ""
    token_count: int = 0
    memory_ids: tuple[str, ...] = ()


def fit(candidates: Sequence[Candidate], budget: int, count: Count) -> Fitted:
    """The block of the candidates that fit.

    One that does not fit makes room for the next ones. A message is taken with its neighbours, or without if they are
    too many.

    Args:
        candidates: The most useful first; no two of the same memory.
        budget: In tokens.
        count: Of a text; the block as a whole is counted by it.
    """
    taking = _Taking(count)
    chosen: list[tuple[Entry, ...]] = []
    best, waiting = Fitted(token_count=count(render((), ())[0])), list(candidates)
    for _ in range(_ROUNDS):
        taken, waiting = taking.take(waiting, budget - best.token_count)
        if not taken:
            break
        chosen += taken
        best = _block(chosen, count)
        while chosen and best.token_count > budget:
            taking.give_back(chosen.pop())
            best = _block(chosen, count)
    return best if chosen else Fitted()


def _block(chosen: Sequence[tuple[Entry, ...]], count: Count) -> Fitted:
    messages = {
        entry.memory.memory_id: entry
        for entries in chosen
        for entry in entries
        if entry.memory.kind is MemoryKind.MESSAGE
    }
    windows = merge([entry.memory.memory_id for entry in entries] for entries in chosen if _is_window(entries))
    text, ids = render(
        [entry for entries in chosen for entry in entries if not _is_window(entries)],
        [[messages[memory_id] for memory_id in window] for window in windows],
    )
    return Fitted(text, count(text), ids)


def _is_window(entries: Sequence[Entry]) -> bool:
    return entries[0].memory.kind is MemoryKind.MESSAGE


@dataclass(slots=True)
class _Taking:
    """What is taken and what it costs."""

    count: Count
    _shown: set[str] = field(default_factory=set)
    _titles: set[str] = field(default_factory=set)
    _moments: set[str] = field(default_factory=set)
    _costs: dict[tuple[str, bool], int] = field(default_factory=dict)

    def take(self, waiting: Sequence[Candidate], room: int) -> tuple[list[tuple[Entry, ...]], list[Candidate]]:
        """Those that fit into so many tokens, and those that wait on."""
        taken: list[tuple[Entry, ...]] = []
        left: list[Candidate] = []
        misfits = 0
        for position, candidate in enumerate(waiting):
            if room < _LEAST_TOKENS or misfits == _MOST_MISFITS:
                return taken, [*left, *waiting[position:]]
            for entries in (candidate.window, (candidate.entry,)):
                cost = self._cost(entries, room) if entries else None
                if cost is not None:
                    room -= cost
                    taken.append(entries)
                    self._shown |= {entry.memory.memory_id for entry in entries}
                    misfits = 0
                    break
            else:
                left.append(candidate)
                misfits += 1
        return taken, left

    def give_back(self, entries: Sequence[Entry]) -> None:
        """These did not fit after all."""
        self._shown -= {entry.memory.memory_id for entry in entries}

    def _cost(self, entries: Sequence[Entry], room: int) -> int | None:
        """The tokens that entries add to what is shown; None if they do not fit."""
        new = [entry for entry in entries if entry.memory.memory_id not in self._shown]
        if sum(len(entry.text) for entry in new) > room * CHARACTERS_FOR_A_TOKEN:
            return None
        cost = self._title_cost(entries[0].title)
        if len(entries) > 1:
            cost += self.count(f"{GAP}\n")
        moments = set(self._moments)
        for entry in new:
            cost += self._line_cost(entry, is_told=entry.moment in moments)
            if cost > room:
                return None
            moments.add(entry.moment)
        self._titles.add(entries[0].title)
        if _is_window(entries):
            self._moments = moments
        return cost

    def _title_cost(self, title: str) -> int:
        return 0 if title in self._titles else self.count(f"{title}\n")

    def _line_cost(self, entry: Entry, *, is_told: bool) -> int:
        """Of a line; messages of the same moment stand together, and only the first of them tells it."""
        key = (entry.memory.memory_id, is_told)
        cost = self._costs.get(key)
        if cost is None:
            cost = self._costs[key] = self.count(f"{entry.line(moment='' if is_told else None)}\n")
        return cost
