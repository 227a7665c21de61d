"""Facts with known meanings, each said in many ways: whether two say the same is known from how they were made.

A meaning is a template and the values in it; it is rendered in ways that a person or a model would use, among them
ways that no rule of spelling covers (synonyms, another order of the words). Two renderings say the same if and only if
template and values are equal. Meanings come in families that differ in one value: a number, a name, a unit, a day, a
tense, a negation, who gave what to whom.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

_PEOPLE = ("Ana", "Tom", "Mia Costa", "the user", "Jan", "May", "Will")
_CITIES = ("Porto", "Lisbon", "New York", "York", "Oslo")
_COMPANIES = ("Acme", "Globex", "Apple", "Initech")
_THINGS = ("cat", "dog", "bike", "sister", "guitar")
_FOODS = ("tea", "coffee", "sushi", "apple", "cheese", "wine")
_MONTHS = {"January": 1, "March": 3, "May": 5, "August": 8, "December": 12}
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_DENIALS = ("does not", "doesn't")
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


@dataclass(frozen=True)
class Meaning:
    """What is said.

    Attributes:
        template: How.
        values: Of what, by name.
    """

    template: str
    values: tuple[tuple[str, object], ...]

    def other(self, name: str, value: object) -> Meaning:
        """The same with another value."""
        return replace(self, values=tuple((key, value if key == name else old) for key, old in self.values))


def meanings(choose: random.Random, count: int) -> list[Meaning]:
    """Distinct meanings, most of them with some that differ from them in one value."""
    found: dict[Meaning, None] = {}
    while len(found) < count:
        name = choose.choice(list(_TEMPLATES))
        draw, _ = _TEMPLATES[name]
        meaning = Meaning(name, tuple(draw(choose).items()))
        found[meaning] = None
        fresh = draw(choose)
        for key, value in choose.sample(sorted(fresh.items(), key=lambda item: item[0]), k=min(3, len(fresh))):
            found[meaning.other(key, value)] = None
        values = dict(meaning.values)
        if "giver" in values and values["giver"] != values["taker"]:
            found[meaning.other("giver", values["taker"]).other("taker", values["giver"])] = None
    return list(found)[:count]


def sayings(meaning: Meaning, choose: random.Random, count: int) -> list[str]:
    """Up to so many distinct texts of a meaning."""
    _, render = _TEMPLATES[meaning.template]
    texts: dict[str, None] = {}
    for _ in range(8 * count):
        texts[_finished(render(_Way(choose), **dict(meaning.values)), choose)] = None
        if len(texts) == count:
            break
    return list(texts)


class _Way:
    """Chooses how something is said."""

    def __init__(self, choose: random.Random) -> None:
        self.choose = choose

    def one(self, *ways: str) -> str:
        """One of them, the first ones more often."""
        return ways[min(self.choose.randrange(len(ways)), self.choose.randrange(len(ways)))]

    def person(self, name: str) -> str:
        return self.one("the user", "user") if name == "the user" else name

    def number(self, value: int) -> str:
        if value < 0 or value >= 100 or self.choose.random() < 0.5:
            return str(value)
        if value < len(_WORDS):
            return _WORDS[value]
        tens, unit = divmod(value, 10)
        if tens < 2:
            return str(value)
        return _TENS[tens] + (f"-{_WORDS[unit]}" if unit else "")

    def date(self, day: int, month: str, year: int) -> str:
        number = _MONTHS[month]
        return self.one(
            f"{day} {month} {year}",
            f"{month} {day}, {year}",
            f"{year}-{number:02}-{day:02}",
            f"{month} {_nth(day)}, {year}",
        )

    def filler(self, *ways: str) -> str:
        return self.one("", "", *ways)


def _nth(day: int) -> str:
    ending = "th" if day in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


def _finished(text: str, choose: random.Random) -> str:
    plain = " ".join(text.split())
    plain = plain[0].upper() + plain[1:]
    return plain + choose.choice((".", "", ".", "!"))


Values = dict[str, object]
_Draw = Callable[[random.Random], Values]


def _lives(way: _Way, person: str, city: str, holds: str) -> str:
    who = way.person(person)
    if holds == "not":
        return f"{who} {way.one(*_DENIALS)} live in {city}"
    if holds == "once":
        return f"{who} lived in {city}"
    return f"{who} {way.filler('also', 'currently')} {way.one('lives', 'lives', 'resides')} in {city}"


def _likes(way: _Way, person: str, foods: tuple[str, ...], feeling: str) -> str:
    listed = list(foods)
    way.choose.shuffle(listed)
    comma = way.one("", ",") if len(listed) > 2 else ""
    told = listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])}{comma} and {listed[-1]}"
    only = "only " if feeling == "likes only" else ""
    verb = feeling.removesuffix(" only")
    return f"{way.person(person)} {verb} {only}{told}"


def _gave(way: _Way, giver: str, taker: str, thing: str, day: int, month: str) -> str:
    date = way.date(day, month, 2023)
    told = way.one(
        f"gave {way.person(taker)} a {thing}",
        f"gave {way.person(taker)} a {thing}",
        f"gave a {thing} to {way.person(taker)}",
    )
    return f"{way.person(giver)} {told} {way.one('on ', '')}{date}"


def _has(way: _Way, person: str, count: int, thing: str) -> str:
    plural = thing if count == 1 else f"{thing}s"
    verb = way.one("has", "has", "has got")
    return f"{way.person(person)} {way.filler('also')} {verb} {way.number(count)} {plural}{way.filler(', too')}"


def _runs(way: _Way, person: str, distance: int, unit: str, often: str) -> str:
    if unit == "km":
        told = way.one(f"{distance} km", f"{distance}km", f"{distance} kilometers", f"{distance} kilometres")
    else:
        told = f"{distance} {unit}"
    return f"{way.person(person)} runs {told} every {often}"


def _meets(way: _Way, person: str, taker: str, day: int, month: str, hour: int) -> str:
    half = "am" if hour < 12 else "pm"
    shown = hour % 12 or 12
    clock = way.one(f"{shown} {half}", f"{shown}{half}", f"{hour}:00", f"{shown}:00 {half[0]}.m.")
    return f"{way.person(person)} has a meeting with {taker} on {way.date(day, month, 2024)} at {clock}"


def _paid(way: _Way, person: str, amount: int, currency: str, thing: str) -> str:
    number = way.one(f"{amount}", f"{amount:,}")
    euros = way.one(f"{number} euros", f"€{number}", f"{number} EUR")
    told = euros if currency == "euros" else f"{number} {currency}"
    return f"{way.person(person)} paid {told} for the {thing}"


def _moved(way: _Way, person: str, origin: str, target: str, month: str, year: int) -> str:
    told = f"{way.person(person)} moved from {origin} to {target}"
    return way.one(f"{told} in {month} {year}", f"in {month} {year}, {told}")


def _aged(way: _Way, person: str, age: int) -> str:
    return f"{way.person(person)} is {way.number(age)} {way.one('years old', 'years old', 'years of age')}"


def _said(way: _Way, giver: str, taker: str, verb: str, city: str) -> str:
    return f"{way.person(giver)} {verb} that {way.person(taker)} left {city}"


def _favourite(way: _Way, person: str, thing: str, value: str) -> str:
    owner = way.person(person)
    what = way.one("favourite", "favorite")
    kind = way.one("colour", "color") if thing == "colour" else thing
    return f"{owner}'s {what} {kind} is {value}"


def _works(way: _Way, person: str, company: str, time: str, holds: str) -> str:
    who = way.person(person)
    hours = f" {time}-time" if way.choose.random() < 0.7 else f" {time} time"
    if holds == "not":
        return f"{who} {way.one(*_DENIALS)} work at {company}{hours}"
    verb = {"yes": "works", "once": "worked"}[holds]
    now = way.filler("currently") if holds == "yes" else ""
    return f"{who} {now} {verb} {way.one('at', 'at', 'at', 'for')} {company}{hours}"


def _degrees(way: _Way, city: str, degrees: int, bound: str) -> str:
    return f"{way.person('the user')} likes it in {city} {bound} {degrees} degrees"


def _draw(**choices: object) -> _Draw:
    def draw(choose: random.Random) -> Values:
        return {name: choose.choice(options) for name, options in choices.items()}  # type: ignore[call-overload]  # sequences all

    return draw


def _menu(choose: random.Random) -> Values:
    foods = tuple(sorted(choose.sample(_FOODS, k=choose.choice((1, 2, 2, 3)))))
    feeling = choose.choice(("likes", "dislikes", "loves", "likes only"))
    return {"person": choose.choice(_PEOPLE), "foods": foods, "feeling": feeling}


_HOLDS = ("yes", "not", "once")
_TEMPLATES: dict[str, tuple[_Draw, Callable[..., str]]] = {
    "lives": (_draw(person=_PEOPLE, city=_CITIES, holds=_HOLDS), _lives),
    "likes": (_menu, _likes),
    "gave": (_draw(giver=_PEOPLE, taker=_PEOPLE, thing=_THINGS, day=range(1, 29), month=tuple(_MONTHS)), _gave),
    "has": (_draw(person=_PEOPLE, count=range(1, 40), thing=_THINGS), _has),
    "runs": (_draw(person=_PEOPLE, distance=(5, 10, 12, 50), unit=("km", "miles", "m"), often=("day", "week")), _runs),
    "meets": (
        _draw(person=_PEOPLE, taker=_PEOPLE[:3], day=range(1, 29), month=tuple(_MONTHS), hour=range(1, 24)),
        _meets,
    ),
    "paid": (
        _draw(person=_PEOPLE, amount=(12, 120, 1200, 1250, 12000), currency=("euros", "dollars"), thing=_THINGS),
        _paid,
    ),
    "moved": (
        _draw(person=_PEOPLE, origin=_CITIES, target=_CITIES, month=tuple(_MONTHS), year=range(2019, 2024)),
        _moved,
    ),
    "aged": (_draw(person=_PEOPLE, age=range(1, 90)), _aged),
    "said": (_draw(giver=_PEOPLE, taker=_PEOPLE, verb=("said", "denied", "heard"), city=_CITIES), _said),
    "favourite": (
        _draw(person=_PEOPLE, thing=("colour", "city", "food"), value=("green", "gray", "Green", "Oslo")),
        _favourite,
    ),
    "works": (_draw(person=_PEOPLE, company=_COMPANIES, time=("part", "full"), holds=_HOLDS), _works),
    "degrees": (_draw(city=_CITIES, degrees=range(-20, 21), bound=("below", "above", "at")), _degrees),
}


def told(seed: int, count: int, each: int) -> Iterator[tuple[Meaning, str]]:
    """Texts with what they mean: up to `each` of every one of `count` meanings.

    Args:
        seed: Decides which.
        count: How many meanings.
        each: How many texts of each at most.
    """
    choose = random.Random(seed)
    for meaning in meanings(choose, count):
        for text in sayings(meaning, choose, each):
            yield meaning, text
