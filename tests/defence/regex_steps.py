"""Counts the steps of Python's regular expressions: a backtracking matcher over what `re` itself parses a pattern to.

It tries what the matcher in C tries, in its order, without the shortcuts of that: its counts are an upper bound.
"""

import re
from collections.abc import Callable, Iterator
from re import _constants as sre
from re import _parser

# Where a match may end, one after another, as backtracking asks for them.
Ends = Iterator[int]
_CATEGORIES = {
    sre.CATEGORY_DIGIT: str.isdecimal,
    sre.CATEGORY_SPACE: str.isspace,
    sre.CATEGORY_WORD: lambda character: character.isalnum() or character == "_",
}
_NEGATED = {
    sre.CATEGORY_NOT_DIGIT: sre.CATEGORY_DIGIT,
    sre.CATEGORY_NOT_SPACE: sre.CATEGORY_SPACE,
    sre.CATEGORY_NOT_WORD: sre.CATEGORY_WORD,
}


def _is_of(category, character: str) -> bool:
    if category in _NEGATED:
        return not _is_of(_NEGATED[category], character)
    return bool(_CATEGORIES[category](character))


class Counted:
    """One pattern.

    Attributes:
        steps: How many there were so far.
    """

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._tree = list(_parser.parse(pattern.pattern, pattern.flags))
        self._ignores_case = bool(pattern.flags & re.IGNORECASE)
        self._multiline = bool(pattern.flags & re.MULTILINE)
        self.steps = 0

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where `finditer` matches."""
        found, start, least = [], 0, -1
        while start <= len(text):
            end = next((end for end in self._sequence(self._tree, text, start, 0) if end > least), None)
            if end is None:
                start += 1
                continue
            found.append((start, end))
            # An empty match is not repeated at its place.
            start, least = end, end if end == start else -1
            start += end == found[-1][0]
        return found

    def _sequence(self, nodes, text: str, place: int, index: int) -> Ends:
        if index == len(nodes):
            yield place
            return
        for end in self._node(nodes[index], text, place):
            yield from self._sequence(nodes, text, end, index + 1)

    def _node(self, node, text: str, place: int) -> Ends:
        self.steps += 1
        code, value = node
        match code:
            case sre.LITERAL | sre.NOT_LITERAL | sre.IN | sre.ANY:
                if place < len(text) and self._takes(code, value, text[place]):
                    yield place + 1
            case sre.BRANCH:
                for branch in value[1]:
                    yield from self._sequence(list(branch), text, place, 0)
            case sre.SUBPATTERN:
                with_case = self._ignores_case
                self._ignores_case = with_case or bool(value[1] & re.IGNORECASE)
                yield from self._sequence(list(value[3]), text, place, 0)
                self._ignores_case = with_case
            case sre.ATOMIC_GROUP:
                yield from self._first(self._sequence(list(value), text, place, 0))
            case sre.MAX_REPEAT:
                yield from self._greedy(value[0], value[1], list(value[2]), text, place)
            case sre.MIN_REPEAT:
                yield from self._lazy(value[0], value[1], list(value[2]), text, place)
            case sre.POSSESSIVE_REPEAT:
                yield from self._first(self._greedy(value[0], value[1], list(value[2]), text, place))
            case sre.AT:
                if self._holds(value, text, place):
                    yield place
            case sre.ASSERT | sre.ASSERT_NOT:
                if self._looks(value, text, place) is (code is sre.ASSERT):
                    yield place
            case _:
                raise NotImplementedError(code)

    def _first(self, ends: Ends) -> Ends:
        end = next(ends, None)
        if end is not None:
            yield end

    def _greedy(self, least: int, most: int, nodes, text: str, place: int) -> Ends:
        """Without recursion for what takes one character, of which there may be thousands."""
        if len(nodes) == 1 and nodes[0][0] in {sre.LITERAL, sre.NOT_LITERAL, sre.IN, sre.ANY}:
            end = place
            while end < len(text) and end - place < most and self._takes(*nodes[0], text[end]):
                end += 1
                self.steps += 1
            yield from range(end, place + least - 1, -1)
            return
        # Depth first, by a stack of our own: there may be more repetitions than Python lets calls be nested.
        places, tries = [place], [self._sequence(nodes, text, place, 0)]
        while tries:
            self.steps += 1
            end = next(tries[-1], None) if len(places) <= most else None
            if end is None:
                tries.pop()
                end = places.pop()
                if len(places) >= least:
                    yield end
            elif end > places[-1]:
                places.append(end)
                tries.append(self._sequence(nodes, text, end, 0))

    def _lazy(self, least: int, most: int, nodes, text: str, place: int) -> Ends:
        end, taken = place, 0
        while True:
            if taken >= least:
                yield end
            self.steps += 1
            after = next(self._sequence(nodes, text, end, 0), None)
            if after is None or after == end or taken == most:
                return
            end, taken = after, taken + 1

    def _looks(self, value, text: str, place: int) -> bool:
        direction, nodes = value
        if direction > 0:
            return next(self._sequence(list(nodes), text, place, 0), None) is not None
        width = nodes.getwidth()[0]
        return place >= width and place in self._sequence(list(nodes), text, place - width, 0)

    def _holds(self, where, text: str, place: int) -> bool:
        word = _CATEGORIES[sre.CATEGORY_WORD]
        before, behind = (place > 0 and word(text[place - 1])), (place < len(text) and word(text[place]))
        rules: dict[object, Callable[[], bool]] = {
            sre.AT_BEGINNING: lambda: place == 0 or (self._multiline and text[place - 1] == "\n"),
            sre.AT_END: lambda: (
                place == len(text)
                or (place == len(text) - 1 and text[place] == "\n")
                or (self._multiline and text[place] == "\n")
            ),
            sre.AT_BOUNDARY: lambda: before != behind,
            sre.AT_NON_BOUNDARY: lambda: before == behind,
        }
        return rules[where]()

    def _takes(self, code, value, character: str) -> bool:
        if code is sre.ANY:
            return character != "\n"
        if code is sre.IN:
            return self._is_in(value, character)
        return self._is(value, character) is (code is sre.LITERAL)

    def _is(self, value: int, character: str) -> bool:
        return ord(character) == value or (self._ignores_case and character.lower() == chr(value).lower())

    def _is_in(self, members, character: str) -> bool:
        forms = {character, character.lower(), character.upper()} if self._ignores_case else {character}
        negated = members[0][0] is sre.NEGATE
        found = any(self._is_member(member, form) for member in members for form in forms if len(form) == 1)
        return found is not negated

    def _is_member(self, member, character: str) -> bool:
        code, value = member
        if code is sre.LITERAL:
            return self._is(value, character)
        if code is sre.RANGE:
            return value[0] <= ord(character) <= value[1]
        return code is sre.CATEGORY and _is_of(value, character)
