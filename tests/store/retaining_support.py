"""What retention is, said once more and without SQL: the definition that the store's statements must equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mnemic.model.memory import Memory
from mnemic.model.retention import DAY_MICROS, RetentionCause, RetentionPolicy
from mnemic.model.scope import Scope, ScopeMatch

HALF_LIFE = 30 * DAY_MICROS


@dataclass
class Known:
    """A memory as its latest version, and what retention knows of it besides."""

    memory: Memory
    superseded_at: int | None = None
    recalls: tuple[int, int] | None = None

    def age(self, moment: int, now: int) -> int:
        return max(now - moment, 0)


@dataclass
class Reference:
    """Judges memories one by one, as docs/retention.md says."""

    memories: Sequence[Known]
    policies: Sequence[RetentionPolicy]
    now: int
    holds: Sequence[Scope] = ()
    takes_expired: bool = True
    # By memory id: what goes and why, and what would but is protected.
    gone: dict[str, tuple[RetentionCause, str]] = field(default_factory=dict)
    pinned: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)

    def judge(self) -> Reference:
        by_time = {known.memory.memory_id: self._time_reasons(known) for known in self.memories}
        reasons: dict[str, list[tuple[RetentionCause, str]]] = {key: list(value) for key, value in by_time.items()}
        for policy in self.policies:
            for memory_id, cause in self._over_budget(policy, by_time):
                reasons[memory_id].append((cause, policy.policy_id))
        for known in self.memories:
            memory = known.memory
            if not reasons[memory.memory_id]:
                continue
            if memory.pinned:
                self.pinned.add(memory.memory_id)
            elif self._is_held(memory):
                self.held.add(memory.memory_id)
            else:
                self.gone[memory.memory_id] = min(reasons[memory.memory_id])
        return self

    def _is_held(self, memory: Memory) -> bool:
        return any(hold.selects(memory.scope, ScopeMatch.EXACT) for hold in self.holds)

    def _selects(self, policy: RetentionPolicy, memory: Memory) -> bool:
        return (
            policy.scope.selects(memory.scope, ScopeMatch.EXACT)
            and (not policy.kinds or memory.kind in policy.kinds)
            and (not policy.categories or bool(set(policy.categories) & set(memory.categories)))
        )

    def _time_reasons(self, known: Known) -> list[tuple[RetentionCause, str]]:
        memory = known.memory
        found = []
        if self.takes_expired and memory.expire_time_micros is not None and memory.expire_time_micros <= self.now:
            found.append((RetentionCause.EXPIRED, ""))
        for policy in self.policies:
            if self._selects(policy, memory):
                found.extend((cause, policy.policy_id) for cause in self._limits(policy, known))
        return found

    def _limits(self, policy: RetentionPolicy, known: Known) -> list[RetentionCause]:
        memory, found = known.memory, []
        born = memory.create_time_micros if memory.event_time_micros is None else memory.event_time_micros
        if policy.max_age_micros is not None and born <= self.now - policy.max_age_micros:
            found.append(RetentionCause.AGE)
        if policy.max_inactivity_micros is not None:
            last = max(memory.update_time_micros, known.recalls[1] if known.recalls else memory.update_time_micros)
            if last <= self.now - policy.max_inactivity_micros:
                found.append(RetentionCause.INACTIVITY)
        grace = policy.superseded_grace_micros
        if grace is not None and known.superseded_at is not None and known.superseded_at <= self.now - grace:
            found.append(RetentionCause.SUPERSEDED)
        if policy.session_grace_micros is not None and memory.scope.session_id is not None:
            last = max(
                other.memory.update_time_micros
                for other in self.memories
                if other.memory.scope.session_id == memory.scope.session_id
            )
            if last <= self.now - policy.session_grace_micros:
                found.append(RetentionCause.SESSION_ENDED)
        return found

    def score(self, policy: RetentionPolicy, known: Known) -> float:
        weights, memory = policy.score_weights.resolved(), known.memory
        latest = max(memory.update_time_micros, memory.event_time_micros or memory.update_time_micros)
        use = 0.0
        if known.recalls is not None:
            count, last = known.recalls
            use = count / (count + 3) * HALF_LIFE / (HALF_LIFE + known.age(last, self.now))
        recency = HALF_LIFE / (HALF_LIFE + known.age(latest, self.now))
        parts = (
            (weights.importance, memory.importance),
            (weights.confidence, memory.confidence),
            (weights.recency, recency),
            (weights.use, use),
        )
        mean = sum(weight * part for weight, part in parts) / sum(weight for weight, _ in parts)
        return mean * 0.5 if known.superseded_at is not None else mean

    def _over_budget(self, policy: RetentionPolicy, by_time: dict) -> list[tuple[str, RetentionCause]]:
        found = []
        by_scope: dict[Scope, list[Known]] = {}
        for known in self.memories:
            protected = known.memory.pinned or self._is_held(known.memory)
            if self._selects(policy, known.memory) and (protected or not by_time[known.memory.memory_id]):
                by_scope.setdefault(known.memory.scope, []).append(known)
        for members in by_scope.values():
            members.sort(
                key=lambda known: (
                    known.memory.pinned or self._is_held(known.memory),
                    round(self.score(policy, known), 12),
                    known.memory.memory_id,
                ),
                reverse=True,
            )
            size = 0
            for place, known in enumerate(members, 1):
                size += len(known.memory.body.encode())
                if policy.max_memories_per_scope is not None and place > policy.max_memories_per_scope:
                    found.append((known.memory.memory_id, RetentionCause.COUNT_BUDGET))
                elif policy.max_bytes_per_scope is not None and size > policy.max_bytes_per_scope:
                    found.append((known.memory.memory_id, RetentionCause.BYTE_BUDGET))
        return found
