"""PrecisionMemBench (tenurehq/precisionmembench, `fixtures`): whether a search gives what was asked for, and only that.

The published contract of a provider, kept through the public API: a belief is added with the text that the benchmark
makes of it, its aliases (as entities) and its scope (as metadata); a search is told the question, the user, the scope
and a limit. What the benchmark itself keeps apart (pinned beliefs, participants of a relation, the budget) is kept
apart here by the same rules. Precision and recall are its own: over the beliefs that are not pinned; where none is
expected, any belief makes the precision 0. Its persona prelude is a constant of its own and is not judged.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from bench.harness import Goal
from bench.quality.remembering import Backend
from mnemic.model.filters import Comparison, Operator
from mnemic.model.memory import MemoryInput, MemoryKind, Role
from mnemic.model.requests import AddMode, WaitFor
from mnemic.model.search import SearchHit

NAME = "PrecisionMemBench"
GOAL_PRECISION, GOAL_RECALL = 0.6, 0.85
MIN_SCORES = tuple(step / 20 for step in range(20))
_MOST_BELIEFS = 20
_SESSION_USER = "test-user"


@dataclass(frozen=True)
class Belief:
    """One belief of the fixtures."""

    belief_id: str
    user: str
    kind: str
    name: str
    aliases: tuple[str, ...]
    content: str
    why: str
    scopes: tuple[str, ...]
    is_pinned: bool
    is_superseded: bool
    is_resolved: bool
    participants: tuple[str, ...]

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Belief:
        return cls(
            belief_id=raw["_id"],
            user=raw["user_id"],
            kind=raw["type"],
            name=raw["canonical_name"],
            aliases=tuple(raw["aliases"]),
            content=raw["content"],
            why=raw["why_it_matters"],
            scopes=tuple(raw["scope"]),
            is_pinned=raw["pinned"],
            is_superseded=bool(raw["superseded_by"]),
            is_resolved=bool(raw["resolved_at"]),
            participants=tuple(raw.get("participants") or ()),
        )

    @property
    def text(self) -> str:
        return " ".join(part for part in (self.name, *self.aliases, self.content, self.why) if part)

    def is_in(self, user: str, scopes: Iterable[str]) -> bool:
        return self.user == user and not set(self.scopes).isdisjoint(scopes)


@dataclass(frozen=True)
class Case:
    """One question: of a single case, or one turn of a session."""

    name: str
    user: str
    scopes: tuple[str, ...]
    query: str
    budget: int
    expect: Mapping[str, Any]
    creates: Mapping[str, Any] | None = None
    adds_aliases: tuple[str, tuple[str, ...]] | None = None


@dataclass(frozen=True)
class Verdict:
    """How one question was answered; None where a figure does not apply."""

    precision: float | None
    recall: float | None
    is_passed: bool


@dataclass(frozen=True)
class Fixtures:
    beliefs: Sequence[Belief]
    cases: Sequence[Case]
    sessions: Sequence[Sequence[Case]]


@dataclass
class Believing:
    """The beliefs in a memory, under users of random names, and what the benchmark itself knows of them.

    Attributes:
        backend: The memory.
        mode: None adds a belief as a fact. With a mode it is said as a message, its scope being the app's (facts that
            are drawn from it have the app, but not its metadata), and what is found is the message or facts of it.
        beliefs: By their ids.
        users: The names of their users.
        memory_ids: The belief of each memory that was added.
        drawn: The facts that were found, by their ids.
    """

    backend: Backend
    mode: AddMode | None = None
    beliefs: dict[str, Belief] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)
    memory_ids: dict[str, str] = field(default_factory=dict)
    drawn: set[str] = field(default_factory=set)

    def add(self, belief: Belief) -> None:
        user = self.users.setdefault(belief.user, str(uuid.uuid4()))
        item = MemoryInput(
            body=belief.text,
            kind=MemoryKind.FACT,
            entities=belief.aliases,
            metadata={"scope": belief.scopes[0]},
        )
        if self.mode is None:
            (memory_id,) = self.backend.add([item], user_id=user).memory_ids
        else:
            said = replace(item, kind=MemoryKind.MESSAGE, role=Role.USER)
            app, wait = belief.scopes[0], WaitFor.EXTRACTED
            (memory_id,) = self.backend.add([said], user_id=user, app_id=app, mode=self.mode, wait_for=wait).memory_ids
        self.beliefs[belief.belief_id] = belief
        self.memory_ids[memory_id] = belief.belief_id

    def add_aliases(self, belief_id: str, aliases: Sequence[str]) -> None:
        old = self.beliefs[belief_id]
        added = [alias.strip().lower() for alias in aliases]
        new = replace(old, aliases=tuple(dict.fromkeys((*old.aliases, *added))))
        memory_id = next(memory_id for memory_id, known in self.memory_ids.items() if known == belief_id)
        self.backend.update(memory_id, new.text, entities=new.aliases)
        self.beliefs[belief_id] = new

    def answer(self, case: Case, min_score: float) -> tuple[list[str], list[str], list[str]]:
        """The beliefs that are given to a question: pinned ones, relevant ones, open questions."""
        here = [belief for belief in self.beliefs.values() if belief.is_in(case.user, case.scopes)]
        pinned = [
            belief.belief_id
            for belief in here
            if belief.is_pinned and belief.kind != "open_question" and not (belief.is_superseded or belief.is_resolved)
        ]
        questions = [
            belief.belief_id
            for belief in here
            if belief.is_pinned and belief.kind == "open_question" and not belief.is_resolved
        ]
        found = [belief for belief in self._search(case, min_score) if belief not in pinned]
        relevant = list(dict.fromkeys([*found, *self._participants(case, found, pinned)]))
        pinned = pinned[: case.budget]
        return pinned, relevant[: max(0, case.budget - len(pinned))], questions

    def _search(self, case: Case, min_score: float) -> list[str]:
        if not case.query.strip() or case.budget < 1:
            return []
        user = self.users.get(case.user, str(uuid.uuid4()))
        if self.mode is None:
            found = self.backend.search(
                case.query,
                user_id=user,
                top_k=case.budget,
                filters=Comparison("metadata.scope", Operator.EQUAL, (case.scopes[0],)),
                min_score=min_score,
            )
            return [self.memory_ids[hit.memory_id] for hit in found]
        found = self.backend.search(
            case.query, user_id=user, app_id=case.scopes[0], match="exact", top_k=case.budget, min_score=min_score
        )
        return list(dict.fromkeys(name for hit in found for name in self._of(hit)))

    def _of(self, hit: SearchHit) -> list[str]:
        """The beliefs that a hit tells: those of its message, or of the messages that it was drawn from."""
        if hit.memory_id in self.memory_ids:
            return [self.memory_ids[hit.memory_id]]
        self.drawn.add(hit.memory_id)
        return [self.memory_ids[source] for source in hit.memory.source_ids if source in self.memory_ids]

    def _participants(self, case: Case, found: Sequence[str], pinned: Sequence[str]) -> list[str]:
        """The benchmark's own step: what a relation is between comes with it."""
        relations = [self.beliefs[name] for name in found if self.beliefs[name].kind == "relation"]
        named = [name for relation in relations for name in relation.participants]
        return [
            name
            for name in named
            if name not in (*found, *pinned)
            and name in self.beliefs
            and self.beliefs[name].is_in(case.user, case.scopes)
        ]


def load(directory: Path) -> Fixtures:
    """Reads the three files of the fixtures."""
    beliefs, cases, sessions = (
        json.loads((directory / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("beliefs.seed", "retrieval.cases", "session-retrieval.cases")
    )
    return Fixtures(
        [Belief.of(raw) for raw in beliefs],
        [_case(raw) for raw in cases],
        [[_turn(raw["caseId"], turn) for turn in raw["turns"]] for raw in sessions],
    )


def _case(raw: Mapping[str, Any]) -> Case:
    budget = raw.get("budget", {}).get("maxBeliefs", _MOST_BELIEFS)
    user = raw.get("userId", _SESSION_USER)
    return Case(raw["caseId"], user, tuple(raw["scope"]), raw["query"], budget, raw["expect"])


def _turn(name: str, raw: Mapping[str, Any]) -> Case:
    changed = raw.get("updateBeliefAtTurn") or {}
    aliases = tuple(changed.get("addAliases", ()))
    return Case(
        f"{name}/{raw['turnIndex']}",
        _SESSION_USER,
        tuple(raw["scope"]),
        raw["userMessage"],
        _MOST_BELIEFS,
        raw["expect"],
        raw.get("createBeliefAtTurn"),
        (changed["beliefId"], aliases) if aliases else None,
    )


def seeded(backend: Backend, fixtures: Fixtures, mode: AddMode | None = None) -> Believing:
    believing = Believing(backend, mode)
    for belief in fixtures.beliefs:
        believing.add(belief)
    return believing


def judge(believing: Believing, case: Case, min_score: float, *, in_session: bool = False) -> Verdict:
    """By the rules of the benchmark; a session counts a pinned belief as found, and an empty answer not at all."""
    pinned, relevant, questions = believing.answer(case, min_score)
    wanted = case.expect.get("relevantBeliefs") or {}
    exactly = wanted.get("shouldOnlyInclude")
    musts = set(wanted.get("mustInclude", ()))
    if exactly is not None:
        expected = set(exactly)
    elif in_session:
        expected = musts
    else:
        expected = {name for name in musts if not _is_pinned(believing, name)}
    found = {*relevant, *pinned} if in_session else set(relevant)
    hits = len(expected & found)
    nothing = None if in_session or not expected else 0.0
    precision = hits / len(relevant) if relevant else nothing
    recall = hits / len(expected) if expected else None
    return Verdict(precision, recall, _passes(case.expect, pinned, relevant, questions))


def _is_pinned(believing: Believing, belief_id: str) -> bool:
    belief = believing.beliefs.get(belief_id)
    return belief is not None and belief.is_pinned and belief.user == _SESSION_USER


def _passes(
    expect: Mapping[str, Any], pinned: Sequence[str], relevant: Sequence[str], questions: Sequence[str]
) -> bool:
    """Whether every part that a case asks about is as it asks."""
    wanted = expect.get("relevantBeliefs") or {}
    exactly = wanted.get("shouldOnlyInclude")
    either = {*pinned, *relevant}
    order = {name: place for place, name in enumerate(relevant)}
    noise = set((expect.get("noiseCheck") or {}).get("mustNotSurface", ()))
    return (
        (exactly is None or set(exactly) == set(relevant))
        and either.issuperset({*wanted.get("mustInclude", ()), *wanted.get("shouldInclude", ())})
        and either.isdisjoint({*wanted.get("mustExclude", ()), *noise})
        and wanted.get("minCount", 0) <= len(relevant) <= wanted.get("maxCount", _MOST_BELIEFS)
        and all(a in order and b in order and order[a] < order[b] for a, b in wanted.get("orderedBefore", ()))
        and _holds(expect.get("pinnedFacts"), pinned)
        and _holds(expect.get("openQuestions"), questions)
    )


def _holds(wanted: Mapping[str, Any] | None, names: Sequence[str]) -> bool:
    wanted = wanted or {}
    return set(names).issuperset(wanted.get("mustInclude", ())) and set(names).isdisjoint(wanted.get("mustExclude", ()))


@dataclass(frozen=True)
class Precision:
    """What one threshold gave: a verdict for each case, and for each turn of the sessions."""

    min_score: float
    verdicts: tuple[Verdict, ...]
    turns: tuple[Verdict, ...]

    @property
    def precision(self) -> float:
        return mean(verdict.precision for verdict in self.verdicts)

    @property
    def recall(self) -> float:
        return mean(verdict.recall for verdict in self.verdicts)

    @property
    def balance(self) -> float:
        """The harmonic mean of the two."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def measure(backend: Backend, fixtures: Fixtures, min_scores: Sequence[float] = MIN_SCORES) -> list[Precision]:
    """Every case and session with each threshold."""
    believing = seeded(backend, fixtures)
    outcomes = []
    for min_score in min_scores:
        verdicts = [judge(believing, case, min_score) for case in fixtures.cases]
        turns = [
            verdict for session in fixtures.sessions for verdict in _session(backend, fixtures, session, min_score)
        ]
        outcomes.append(Precision(min_score, tuple(verdicts), tuple(turns)))
    return outcomes


def measure_as_messages(
    backend: Backend, fixtures: Fixtures, mode: AddMode, min_scores: Sequence[float] = MIN_SCORES
) -> tuple[list[Precision], int]:
    """Every case with each threshold, the beliefs being said as messages; and how many facts of them were found."""
    believing = seeded(backend, fixtures, mode)
    outcomes = [
        Precision(least, tuple(judge(believing, case, least) for case in fixtures.cases), ()) for least in min_scores
    ]
    return outcomes, len(believing.drawn)


def _session(backend: Backend, fixtures: Fixtures, turns: Sequence[Case], min_score: float) -> list[Verdict]:
    """The turns of one session, in which beliefs come and change, on beliefs of its own."""
    believing = seeded(backend, fixtures)
    verdicts = []
    for turn in turns:
        verdicts.append(judge(believing, turn, min_score, in_session=True))
        if turn.creates is not None:
            believing.add(Belief.of(turn.creates))
        if turn.adds_aliases is not None:
            believing.add_aliases(*turn.adds_aliases)
    return verdicts


def mean(values: Iterable[float | None]) -> float:
    """Of those that apply; 0 if none does."""
    return fmean([value for value in values if value is not None] or [0.0])


def best_of(outcomes: Sequence[Precision], *, without: int | None = None) -> Precision:
    """The threshold with the highest harmonic mean of precision and recall.

    Args:
        outcomes: By ascending threshold; the lower wins where two are as good.
        without: A case that has no say.
    """
    shown = outcomes
    if without is not None:
        shown = [replace(o, verdicts=o.verdicts[:without] + o.verdicts[without + 1 :]) for o in outcomes]
    return outcomes[max(range(len(shown)), key=lambda place: shown[place].balance)]


def goal_of(outcomes: Sequence[Precision]) -> Goal:
    """The figures of each case with the threshold that is best for all others: a threshold of the caller's choice, but
    not chosen in view of the case.
    """
    verdicts = [best_of(outcomes, without=case).verdicts[case] for case in range(len(outcomes[0].verdicts))]
    precision, recall = (mean(getattr(verdict, name) for verdict in verdicts) for name in ("precision", "recall"))
    best, plain = best_of(outcomes), outcomes[0]
    note = (
        f"recall {recall:.3f}, each case with the min_score that is best for the others; "
        f"min_score {best.min_score:g} for all: {best.precision:.3f} at recall {best.recall:.3f}; "
        f"{plain.min_score:g}: {plain.precision:.3f} at recall {plain.recall:.3f}"
    )
    met = precision >= GOAL_PRECISION and recall >= GOAL_RECALL
    return Goal(f"{NAME}, mean precision", precision, f"≥ {GOAL_PRECISION} at recall ≥ {GOAL_RECALL}", met, note)
