"""Stories with known outcomes: what somebody says or an agent writes over time, and what holds then and at the end.

The templates were written as people say such things, without a look at the rules that read them; the rules have since
been written in view of them, and `told_otherwise` has a second set. The seed alone decides which story is told, so that
every run tells the same ones.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

KINDS = ("contradiction", "correction", "addition", "late news")
_START = datetime(2024, 1, 3, 9, tzinfo=UTC)
NAMES = ("Anna", "Ben", "Carla", "David", "Elif", "Frida", "Goran", "Hana", "Ivan", "Jana")
# Of each topic: its slot, values, how it is told as a statement, first and later, and how it is corrected.
_TOPICS = {
    "home": (
        ("Oslo", "Lisbon", "Toronto", "Nairobi", "Kyoto", "Bogota", "Dublin", "Prague"),
        ("I live in {0}.", "I'm living in {0} these days.", "My home is in {0}."),
        ("I moved to {0}.", "I've just moved to {0}.", "I live in {0} now."),
        ("No, I meant {0}, I live in {0}.", "Sorry, I meant {0}. I live in {0}.", "Correction: I live in {0}."),
    ),
    "employer": (
        ("Acme", "Globex", "Initech", "Hooli", "Umbrella", "Vandelay", "Stark Industries", "Wayne Enterprises"),
        ("I work at {0}.", "I work for {0}.", "I'm employed at {0}."),
        ("I work at {0} now.", "I started a new job at {0}.", "I just joined {0}."),
        ("No, I meant {0}, I work at {0}.", "Sorry, I meant {0}. I work at {0}.", "Correction: I work at {0}."),
    ),
    "job": (
        ("teacher", "nurse", "carpenter", "software engineer", "chef", "lawyer", "plumber", "journalist"),
        ("I'm a {0}.", "I work as a {0}.", "My job is being a {0}."),
        ("I work as a {0} now.", "I became a {0}.", "I'm now a {0}."),
        ("No, I meant {0}, I'm a {0}.", "Sorry, I meant {0}. I work as a {0}.", "Correction: I'm a {0}."),
    ),
    "diet": (
        ("vegetarian", "vegan", "pescatarian"),
        ("I'm {0}.", "I am a {0}.", "My diet is {0}."),
        ("I'm {0} now.", "I became {0}.", "I've gone {0}."),
        ("No, I meant {0}, I'm {0}.", "Sorry, I meant {0}. I'm {0}.", "Correction: I'm {0}."),
    ),
    "favourite colour": (
        ("green", "blue", "purple", "orange", "yellow", "red"),
        ("My favorite color is {0}.", "My favourite colour is {0}."),
        ("My favorite color is {0} now.", "My favourite colour is now {0}."),
        ("No, I meant {0}, my favorite color is {0}.", "Sorry, my favourite colour is {0}, I misspoke."),
    ),
}
_ADDITIONS = {
    "pet": (
        ("a dog called Rex", "a cat called Mia", "a rabbit called Coco", "a parrot called Kiwi", "a hamster called Bo"),
        ("I have {0}.", "I've got {0}.", "I also have {0}."),
    ),
    "liked": (
        ("jazz", "hiking", "chess", "sushi", "gardening", "old films"),
        ("I love {0}.", "I really like {0}.", "I also like {0}."),
    ),
}


@dataclass(frozen=True)
class Statement:
    """What is told at a moment.

    Attributes:
        text: As somebody says it.
        value: What it tells of the topic.
        when: Since when it holds: the time of saying it.
        is_correction: It replaces what was told before as wrong.
    """

    text: str
    value: str
    when: datetime
    is_correction: bool = False


@dataclass(frozen=True)
class Story:
    """Statements in the order in which they arrive, and the outcome.

    Attributes:
        kind: One of `KINDS`.
        name: Who speaks.
        slot: What they are about.
        statements: What is told.
        now: The values that hold at the end.
        then: What held at some moments.
        is_additive: Values stand beside each other.
    """

    kind: str
    name: str
    slot: str
    statements: tuple[Statement, ...]
    now: frozenset[str]
    then: tuple[tuple[datetime, frozenset[str]], ...]
    is_additive: bool = False


def stories(count: int, seed: int = 20261122) -> Iterator[Story]:
    """So many stories, all kinds in turn."""
    chance = random.Random(seed)
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        name = chance.choice(NAMES)
        yield _addition(chance, name) if kind == "addition" else _replacement(chance, kind, name)


def moments(chance: random.Random, count: int) -> list[datetime]:
    """So many moments, in order, days or weeks apart."""
    moment, moments = _START, []
    for _ in range(count):
        moment += timedelta(days=chance.randint(3, 60), minutes=chance.randint(0, 600))
        moments.append(moment)
    return moments


def _replacement(chance: random.Random, kind: str, name: str) -> Story:
    topic = chance.choice(sorted(_TOPICS))
    values, firsts, laters, corrections = _TOPICS[topic]
    length = 2 if kind == "correction" else min(len(values), chance.randint(3 if kind == "late news" else 2, 4))
    told = chance.sample(values, length)
    when = moments(chance, length)
    statements = []
    for place, (value, moment) in enumerate(zip(told, when, strict=True)):
        is_correction = kind == "correction" and place > 0
        templates = corrections if is_correction else laters if place else firsts
        statements.append(Statement(chance.choice(templates).format(value), value, moment, is_correction))
    if kind == "late news":
        # One that is not the last arrives when all others are told.
        statements.append(statements.pop(chance.randrange(length - 1)))
    if kind == "correction":
        then = ((when[1] + timedelta(hours=1), frozenset(told[-1:])),)
    else:
        then = tuple((moment + timedelta(hours=1), frozenset([value]))
                     for value, moment in zip(told, when, strict=True))  # fmt: skip
    return Story(kind, name, f"{name.lower()}.{topic}", tuple(statements), frozenset(told[-1:]), then)


def _addition(chance: random.Random, name: str) -> Story:
    topic = chance.choice(sorted(_ADDITIONS))
    values, templates = _ADDITIONS[topic]
    told = chance.sample(values, chance.randint(2, 3))
    statements = tuple(
        Statement(chance.choice(templates).format(value), value, moment)
        for value, moment in zip(told, moments(chance, len(told)), strict=True)
    )
    then = tuple(
        (statement.when + timedelta(hours=1), frozenset(told[: place + 1]))
        for place, statement in enumerate(statements)
    )
    return Story("addition", name, f"{name.lower()}.{topic}", statements, frozenset(told), then, is_additive=True)
