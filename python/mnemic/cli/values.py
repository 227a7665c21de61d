"""From what people type to the domain's values; every refusal says what would be accepted."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import IntEnum
from typing import TypeVar

from mnemic.cli.failures import bad_input
from mnemic.model.memory import MetadataValue, TimePrecision, to_micros

_TIME_FORMS = "an ISO 8601 date or time such as 2024-05-07 or 2024-05-07T18:30:00Z (UTC unless it says)"
_DATE_ONLY = re.compile(r"\d{4}-?\d{2}-?\d{2}|\d{4}-?W\d{2}-?\d")

Choice = TypeVar("Choice", bound=IntEnum)


def parse_time(text: str, field: str) -> tuple[int, TimePrecision]:
    """Microseconds since 1970-01-01 UTC of an ISO 8601 text, and how exact it is.

    Raises:
        CommandError: It is not one.
    """
    stripped = text.strip()
    try:
        moment = datetime.fromisoformat(stripped)
    except ValueError:
        raise bad_input(f"{field}: {text!r} is no time", hint=f"give {_TIME_FORMS}") from None
    precision = TimePrecision.DAY if _DATE_ONLY.fullmatch(stripped) else TimePrecision.INSTANT
    return to_micros(moment.astimezone(UTC) if moment.tzinfo else moment), precision


def parse_choice(text: str, choices: type[Choice], field: str) -> Choice:
    """The member of an enumeration with this name, in any case.

    Raises:
        CommandError: There is none.
    """
    try:
        return choices[text.strip().upper()]
    except KeyError:
        names = ", ".join(member.name.lower() for member in choices)
        raise bad_input(f"{field}: {text!r} is unknown", hint=f"there are {names}") from None


def parse_metadata(pairs: Sequence[str]) -> dict[str, MetadataValue]:
    """Metadata of KEY=VALUE texts. A value that is a JSON number, truth value, text or list of texts is taken as that.

    Raises:
        CommandError: A text has no `=` or a key twice.
    """
    metadata: dict[str, MetadataValue] = {}
    for pair in pairs:
        key, separator, text = pair.partition("=")
        if not separator or not key:
            raise bad_input(f"--metadata: {pair!r} is not KEY=VALUE", hint="for example --metadata topic=food")
        if key in metadata:
            raise bad_input(f"--metadata: {key!r} is given twice", hint='a list is given as KEY=["a", "b"]')
        metadata[key] = _metadata_of_text(text)
    return metadata


def _metadata_of_text(text: str) -> MetadataValue:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    return text
