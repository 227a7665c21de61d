"""What a check of `mnemic doctor` found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from mnemic.cli.failures import hint_for
from mnemic.model.errors import MnemicError


class Level(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        name: What was looked at.
        level: How it ended.
        found: What was found; never a secret.
        hint: What to do, for what is not ok.
    """

    name: str
    level: Level
    found: str
    hint: str = ""


def failed(name: str, error: MnemicError, hint: str = "") -> Check:
    """A check that an error ended."""
    return Check(name, Level.FAIL, error.message, hint or hint_for(error))


def tokenizers_check(names: Sequence[str]) -> Check:
    """What contexts can be counted by.

    Args:
        names: The default first.
    """
    return Check("tokenizers", Level.OK, f"{', '.join(names)}; the first is the default")
