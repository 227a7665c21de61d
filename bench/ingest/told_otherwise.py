"""A second set of stories: other topics, and longer and looser ways of saying it, with small talk around the fact.

Written when the rules were done with the first set (`bench.ingest.stories`), before they were run on it; what it then
printed, and that gaps it showed were closed since, stands in docs/benchmarks-ingest.md. A late news is told in the past
tense here ("back in 2016 I drove a Volvo"), and must not overturn what holds.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from bench.ingest.stories import KINDS, NAMES, Statement, Story, moments


@dataclass(frozen=True)
class _Topic:
    """What is told of: {0} is the value, {1} the one before it."""

    values: tuple[str, ...]
    firsts: tuple[str, ...]
    changes: tuple[str, ...]
    corrections: tuple[str, ...]
    past: tuple[str, ...]


_TOPICS = {
    "home": _Topic(
        ("Leeds", "Porto", "Chicago", "Vienna", "Montreal", "Cape Town", "Utrecht"),
        (
            "We live in {0}, right by the park.",
            "I'm based in {0}, so mornings work best.",
            "Home is {0} for me, if that matters.",
        ),
        (
            "Long story short, we packed up the flat and moved to {0}.",
            "The boxes are finally unpacked: I live in {0} now.",
            "New job, new town! I've relocated to {0}, and it's lovely here.",
            "I've swapped {1} for {0} and I couldn't be happier.",
        ),
        (
            "Sorry, make that {0}. I always mix those two up.",
            "Scratch that, I live in {0}, not {1}.",
            "Oops, I got that wrong: it's {0}, not {1}.",
            "I said {1} but I meant {0}.",
        ),
        (
            "Back in 2015 I lived in {0}, in a tiny attic.",
            "I used to live in {0} when I was a student.",
            "Years ago we had a flat in {0}.",
        ),
    ),
    "employer": _Topic(
        ("Brightside Energy", "Castle Books", "Nordwind", "Pine Labs", "Rivergate Bank", "Tallis Media"),
        (
            "I work at {0}, mostly from home.",
            "My employer is {0}, for the forms.",
            "I'm a designer at {0}, third year now.",
        ),
        (
            "I handed in my notice in spring, and I'm working at {0} now.",
            "Guess what, {0} hired me! I started on Monday.",
            "I've left {1} and joined {0}, what a week.",
            "My new employer is {0}, still getting used to the commute.",
        ),
        (
            "Wait, that was wrong. I work at {0}.",
            "No, sorry, {0}. I work at {0}, I had an old letter in front of me.",
            "Correction: my employer is {0}.",
            "My mistake, it's {0}, not {1}.",
        ),
        (
            "In 2014 I worked at {0} for a summer.",
            "My first job out of school was at {0}.",
            "I used to work for {0}, before the kids.",
        ),
    ),
    "partner": _Topic(
        ("Marek", "Nora", "Oskar", "Pilar", "Rosa", "Sven", "Talia"),
        (
            "My partner is called {0}, we met at choir.",
            "I'm dating {0}, it's been a few months.",
            "My partner {0} says hello by the way.",
        ),
        (
            "We split up over the summer. I'm seeing {0} now, and it feels right.",
            "So, news: my new partner is {0}.",
            "I'm dating {0} these days, early days though.",
        ),
        (
            "Argh, autocorrect. My partner's name is {0}.",
            "*{0}",
            "I typed that wrong, my partner is called {0}, not {1}.",
        ),
        ("At school I dated {0} for a while.", "Long ago, before I met anyone here, I was with {0}."),
    ),
    "vehicle": _Topic(
        ("Volvo", "Renault Clio", "Mazda", "Kia Picanto", "Toyota Yaris", "Honda Jazz"),
        ("I drive a {0}, nothing fancy.", "My car is a {0}, it gets me to work.", "We have a {0} for the family."),
        (
            "The old one failed its test, so I drive a {0} now.",
            "I traded in the {1} for a {0} on Saturday.",
            "My new car is a {0}, it even parks itself.",
        ),
        (
            "No wait, it's a {0}, not a {1}.",
            "Let me correct that, I drive a {0}.",
            "Actually it's a {0}. I don't know cars.",
        ),
        (
            "My very first car was a {0}.",
            "In my twenties I drove a {0}.",
            "Back in 2012 I had a {0}, it broke down weekly.",
        ),
    ),
    "school": _Topic(
        ("Hillside College", "Queens University", "Marlow Academy", "Fairview School", "Kingsford Polytechnic"),
        ("I go to {0}, second year.", "I'm studying at {0} at the moment.", "I'm a student at {0}."),
        (
            "My transfer came through, I go to {0} now.",
            "I've changed schools: I'm at {0} now, closer to home.",
            "I transferred to {0} this term.",
        ),
        ("Sorry, wrong one. I go to {0}.", "Edit: {0}.", "I meant {0}, not {1}."),
        ("When I was a teenager I went to {0}.", "I spent a year at {0} back in 2011."),
    ),
    "doctor": _Topic(
        ("Adler", "Bianchi", "Chowdhury", "Dumont", "Eriksen"),
        ("My doctor is Dr {0}, over on Mill Road.", "I see Dr {0} about my knee.", "My GP is Dr {0}, she's great."),
        (
            "I've changed surgeries, my doctor is Dr {0} now.",
            "Dr {1} retired, so I see Dr {0} these days.",
            "I switched to Dr {0} this week.",
        ),
        (
            "It's Dr {0}, not Dr {1}, my bad.",
            "Ignore that, my doctor is Dr {0}.",
            "I mixed up the names: my GP is Dr {0}.",
        ),
        ("As a child I saw Dr {0}.", "Before we moved, years ago, my doctor was Dr {0}."),
    ),
    "manager": _Topic(
        ("Agnes", "Bruno", "Celine", "Dieter", "Emeka"),
        ("My manager is {0}, very calm.", "I report to {0} at work.", "My boss is called {0}."),
        (
            "After the reshuffle my manager is {0}.",
            "There's been a reorganisation, so I report to {0} now.",
            "{0} is my new manager, started Monday.",
        ),
        ("Hang on, it's {0}, not {1}.", "Correction: my manager is {0}.", "I confused the names, my manager is {0}."),
        ("At my last place, in 2017, my manager was {0}.", "Ten years ago I reported to {0}."),
    ),
}
_ADDITIONS = {
    "pets": (
        ("a spaniel called Biscuit", "a tabby called Olive", "a pony called Clover", "a hamster called Pip"),
        (
            "We have {0}.",
            "I've got {0}, who rules the house.",
            "My latest weakness: we've just adopted {0}!",
            "We also got {0}, so it's a zoo here now.",
        ),
    ),
    "hobbies": (
        ("pottery", "fencing", "birdwatching", "knitting", "bouldering"),
        (
            "My hobby is {0}, on Sundays mostly.",
            "I've taken up {0}, believe it or not.",
            "On top of everything I've started {0}.",
            "Another hobby of mine is {0}.",
        ),
    ),
    "languages": (
        ("Polish", "Italian", "Korean", "Arabic", "Dutch"),
        (
            "I speak {0}, thanks to my gran.",
            "I'm learning {0} with an app.",
            "I've started learning {0} as well.",
            "I also speak some {0}.",
        ),
    ),
    "allergies": (
        ("peanuts", "latex", "shellfish", "penicillin", "pollen"),
        (
            "I'm allergic to {0}, so careful.",
            "Turns out I'm allergic to {0} too.",
            "The test came back and I'm also allergic to {0}.",
        ),
    ),
}


def stories(count: int, seed: int = 20261123) -> Iterator[Story]:
    """So many stories, all kinds in turn."""
    chance = random.Random(seed)
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        name = chance.choice(NAMES)
        yield _addition(chance, name) if kind == "addition" else _replacement(chance, kind, name)


def _replacement(chance: random.Random, kind: str, name: str) -> Story:
    topic = chance.choice(sorted(_TOPICS))
    told = _TOPICS[topic]
    values = chance.sample(told.values, chance.randint(2, 3) if kind == "contradiction" else 2)
    when = moments(chance, len(values))
    statements = [Statement(chance.choice(told.firsts).format(values[0]), values[0], when[0])]
    if kind == "late news":
        # Of another time, and by itself no value of today.
        text = chance.choice(told.past).format(values[1])
        statements.append(Statement(text, "", when[1]))
        now = values[0]
    else:
        templates = told.corrections if kind == "correction" else told.changes
        for place in range(1, len(values)):
            text = chance.choice(templates).format(values[place], values[place - 1])
            statements.append(Statement(text, values[place], when[place], is_correction=kind == "correction"))
        now = values[-1]
    if kind == "contradiction":
        then = tuple(
            (moment + timedelta(hours=1), frozenset([value])) for moment, value in zip(when, values, strict=True)
        )
    else:
        then = ((when[-1] + timedelta(hours=1), frozenset([now])),)
    return Story(kind, name, f"{name.lower()}.{topic}", tuple(statements), frozenset([now]), then)


def _addition(chance: random.Random, name: str) -> Story:
    topic = chance.choice(sorted(_ADDITIONS))
    values, templates = _ADDITIONS[topic]
    told = chance.sample(values, 2)
    when = moments(chance, 2)
    texts = (chance.choice(templates[:2]), chance.choice(templates[2:]))
    statements = tuple(
        Statement(text.format(value), value, moment) for text, value, moment in zip(texts, told, when, strict=True)
    )
    then = tuple((moment + timedelta(hours=1), frozenset(told[: place + 1])) for place, moment in enumerate(when))
    return Story("addition", name, f"{name.lower()}.{topic}", statements, frozenset(told), then, is_additive=True)
