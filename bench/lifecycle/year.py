"""A year's chat of one user.

Each day has 200 messages of natural words, three facts that are values of slots (each subject's attributes), which
change now and then, and three that pass: what somebody did that day, which nobody asks for later.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from bench.harness import carried_texts, many_texts
from mnemic.model.memory import MemoryInput, MemoryKind, to_micros
from mnemic.model.retention import DAY_MICROS

MESSAGES_PER_DAY = 200
FACTS_PER_DAY = 3
PASSING_PER_DAY = 3
QUESTIONS_PER_DAY = 10
SUBJECTS = ("Anna", "Ben", "Carla", "Dmitri", "Elif", "Farid", "Grace", "Hugo")
ATTRIBUTES = (
    "home town", "employer", "diet", "favourite band", "car", "phone", "gym", "dentist",
    "favourite restaurant", "hobby", "bicycle", "landlord", "running route", "coffee order", "bank",
)  # fmt: skip
DEEDS = ("had lunch at", "bought a lamp from", "called", "walked to", "waited for the bus at", "read a book by")
SYLLABLES = ("ka", "lo", "mi", "ra", "ne", "to", "vi", "su", "pe", "do", "zan", "bor", "lin", "gar")


@dataclass(frozen=True)
class Truth:
    """What is true at the end of a slot: who, of what, and the value."""

    subject: str
    attribute: str
    value: str

    @property
    def question(self) -> str:
        """What somebody would ask."""
        return f"What is {self.subject}'s {self.attribute}?"


class Year:
    """The days of it, in order.

    Args:
        days: How many.
        seed: Of its chances.

    Attributes:
        truths: What is true after the days that were told.
        now_micros: The time of the year: the begin of the day after the last that was told.
    """

    def __init__(self, days: int, seed: int = 11) -> None:
        self.days = days
        self.truths: dict[tuple[str, str], Truth] = {}
        self._chance = random.Random(seed)
        self._begin = to_micros(datetime.now(UTC)) - days * DAY_MICROS
        self.now_micros = self._begin
        self._texts = many_texts(days * MESSAGES_PER_DAY, carried_texts())

    def tell(self) -> Iterator[tuple[list[MemoryInput], list[Truth]]]:
        """The memories of each day, and what is asked for at its end."""
        for day in range(self.days):
            texts = self._texts[day * MESSAGES_PER_DAY : (day + 1) * MESSAGES_PER_DAY]
            said = [MemoryInput(body=text, event_time_micros=self._moment(number)) for number, text in enumerate(texts)]
            facts = [self._fact(self._moment(number)) for number in range(FACTS_PER_DAY)]
            passing = [self._passing(self._moment(number)) for number in range(PASSING_PER_DAY)]
            self.now_micros += DAY_MICROS
            yield said + facts + passing, self._chance.choices(list(self.truths.values()), k=QUESTIONS_PER_DAY)

    def _moment(self, number: int) -> int:
        return self.now_micros + number * 60_000_000

    def _fact(self, at: int) -> MemoryInput:
        subject, attribute = self._chance.choice(SUBJECTS), self._chance.choice(ATTRIBUTES)
        value = self._name()
        self.truths[subject, attribute] = Truth(subject, attribute, value)
        return MemoryInput(
            body=f"{subject}'s {attribute} is {value}.",
            kind=MemoryKind.FACT,
            event_time_micros=at,
            slot=f"{subject.casefold()}.{attribute.replace(' ', '_')}",
            slot_value=value,
        )

    def _passing(self, at: int) -> MemoryInput:
        body = f"{self._chance.choice(SUBJECTS)} {self._chance.choice(DEEDS)} {self._name()}."
        return MemoryInput(body=body, kind=MemoryKind.FACT, event_time_micros=at)

    def _name(self) -> str:
        return "".join(self._chance.choices(SYLLABLES, k=3)).capitalize()
