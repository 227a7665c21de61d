"""What a run of retention has counted, and how far it is; kept in the store as JSON, so that it can be resumed."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self, TypeVar

from mnemic.model.retention import (
    DEFAULT_SAMPLE_SIZE,
    RetentionCause,
    RetentionCount,
    RetentionReport,
    RetentionSample,
)
from mnemic.store.interface import Store
from mnemic.store.retaining import Candidate, Cursor, Frame, Stage

# A memory that stands as an example: its id, the retention score and its last recall.
_Sample = tuple[str, float | None, int | None]
_Limit = tuple[str, int]
Value = TypeVar("Value")


@dataclass(slots=True)
class Progress:
    """A report in the making.

    Attributes:
        sample_size: How many examples of each limit are kept.
        cursor: Where the next step begins.
        examined: How many memories were looked at.
        pinned: How many would go but are pinned.
        held: How many would go but are under a legal hold.
        archive_erased: How many archived memories were destroyed.
        removed: By policy and limit, how many go and how many bytes of body.
        samples: Examples, likewise.
        gone_of_frame: How many of the frame at hand went in commits before the present process.
        gone: How many of the frame at hand went.
    """

    sample_size: int = DEFAULT_SAMPLE_SIZE
    cursor: Cursor = field(default_factory=Cursor)
    examined: int = 0
    pinned: int = 0
    held: int = 0
    archive_erased: int = 0
    removed: dict[_Limit, tuple[int, int]] = field(default_factory=dict)
    samples: dict[_Limit, list[_Sample]] = field(default_factory=dict)
    gone_of_frame: int = 0
    gone: int = 0

    def note(self, candidates: Iterable[Candidate]) -> None:
        """Counts what goes."""
        for candidate in candidates:
            limit = (candidate.policy_id, int(candidate.cause))
            count, size = self.removed.get(limit, (0, 0))
            self.removed[limit] = (count + 1, size + candidate.body_bytes)
            samples = self.samples.setdefault(limit, [])
            if len(samples) < self.sample_size:
                samples.append((candidate.memory_id, candidate.score, candidate.last_recall_micros))
            self.gone += 1

    def finish(self, frame: Frame) -> None:
        """Counts a frame that is dealt with, and goes on behind it."""
        # What went of it before this process was not there any more to be looked at.
        went_before = self.gone_of_frame if self.cursor.stage is Stage.LIMITS else 0
        self.examined += frame.examined + went_before
        self.pinned += frame.pinned
        self.held += frame.held
        self.gone_of_frame = self.gone = 0
        self.cursor = frame.following

    def after(self, gone: Sequence[Candidate], finished: Frame | None) -> Progress:
        """The progress after a commit that removed something and maybe was the last of a frame."""
        later = copy.deepcopy(self)
        later.note(gone)
        if finished is not None:
            later.finish(finished)
        return later

    def report(self, store: Store, tenant: str) -> RetentionReport:
        """The report, with the examples that are still there."""
        ids = [memory_id for samples in self.samples.values() for memory_id, _, _ in samples]
        memories = store.get(tenant, ids, include_deleted=True)
        return RetentionReport(
            examined_count=self.examined,
            removed=tuple(
                RetentionCount(policy_id, RetentionCause(cause), count, size)
                for (policy_id, cause), (count, size) in _in_order(self.removed)
            ),
            pinned_count=self.pinned,
            held_count=self.held,
            archive_erased_count=self.archive_erased,
            samples=tuple(
                RetentionSample(memories[memory_id], policy_id, RetentionCause(cause), score, last)
                for (policy_id, cause), samples in _in_order(self.samples)
                for memory_id, score, last in samples
                if memory_id in memories
            ),
        )

    def to_json(self) -> str:
        """As it is kept."""
        return json.dumps(
            {
                "stage": self.cursor.stage.value,
                "after": self.cursor.after,
                "examined": self.examined,
                "pinned": self.pinned,
                "held": self.held,
                "archive_erased": self.archive_erased,
                "removed": [[*limit, *counts] for limit, counts in self.removed.items()],
                "samples": [[*limit, samples] for limit, samples in self.samples.items()],
                "gone": self.gone + self.gone_of_frame,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What was kept, for another process to go on."""
        kept = json.loads(text)
        if not kept:
            return cls()
        return cls(
            cursor=Cursor(Stage(kept["stage"]), kept["after"]),
            examined=kept["examined"],
            pinned=kept["pinned"],
            held=kept["held"],
            archive_erased=kept["archive_erased"],
            removed={(policy_id, cause): (count, size) for policy_id, cause, count, size in kept["removed"]},
            samples={
                (policy_id, cause): [(memory_id, score, last) for memory_id, score, last in samples]
                for policy_id, cause, samples in kept["samples"]
            },
            gone_of_frame=kept["gone"],
        )


def _in_order(by_limit: dict[_Limit, Value]) -> list[tuple[_Limit, Value]]:
    return sorted(by_limit.items(), key=lambda item: (item[0][1], item[0][0]))
