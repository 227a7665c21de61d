"""A year's chat of one user, with and without retention.

Each day has 200 messages of natural words, and three facts: values of slots (each subject's attributes), which change
now and then. Retention runs after each month. At the end the same questions are asked of both stores: is the fact that
is still true among the first ten?
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bench.harness import carried_texts, many_texts
from mnemic.model.memory import MemoryInput, MemoryKind, to_micros

MESSAGES_PER_DAY = 200
FACTS_PER_DAY = 3
SUBJECTS = ("Anna", "Ben", "Carla", "Dmitri", "Elif", "Farid", "Grace", "Hugo")
ATTRIBUTES = (
    "home town", "employer", "diet", "favourite band", "car", "phone", "gym", "dentist",
    "favourite restaurant", "hobby", "bicycle", "landlord", "running route", "coffee order", "bank",
)  # fmt: skip
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

    Attributes:
        truths: What is true after the days that were told.
    """

    def __init__(self, days: int, seed: int = 11) -> None:
        self.days = days
        self.truths: dict[tuple[str, str], Truth] = {}
        self._chance = random.Random(seed)
        self._begin = datetime.now(UTC) - timedelta(days=days)
        self._texts = many_texts(days * MESSAGES_PER_DAY, carried_texts())

    def tell(self) -> Iterator[list[MemoryInput]]:
        """The memories of each day."""
        for day in range(self.days):
            when = self._begin + timedelta(days=day)
            texts = self._texts[day * MESSAGES_PER_DAY : (day + 1) * MESSAGES_PER_DAY]
            moments = [to_micros(when + timedelta(seconds=60 * number)) for number in range(len(texts) + FACTS_PER_DAY)]
            said = [MemoryInput(body=text, event_time_micros=at) for text, at in zip(texts, moments, strict=False)]
            yield said + [self._fact(at) for at in moments[len(texts) :]]

    def _fact(self, at: int) -> MemoryInput:
        subject, attribute = self._chance.choice(SUBJECTS), self._chance.choice(ATTRIBUTES)
        value = "".join(self._chance.choices(SYLLABLES, k=3)).capitalize()
        self.truths[subject, attribute] = Truth(subject, attribute, value)
        return MemoryInput(
            body=f"{subject}'s {attribute} is {value}.",
            kind=MemoryKind.FACT,
            event_time_micros=at,
            slot=f"{subject.casefold()}.{attribute.replace(' ', '_')}",
            slot_value=value,
        )
