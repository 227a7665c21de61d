"""What happens to secrets and personal data in what a tenant writes, as options and as people read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Any

import typer

from mnemic.cli.documents import Document
from mnemic.cli.values import parse_choice
from mnemic.model.defence import ContentAction, DefenceRules
from mnemic.model.memory import TrustLevel

_PANEL = "What must not be remembered, or not be obeyed"
_SERVER = "server"


@dataclass(frozen=True, slots=True)
class DefenceOptions:
    """What is given; None for what is not. `server` takes the server's setting again."""

    secrets: Annotated[
        str | None,
        typer.Option(
            "--secrets",
            metavar="ACTION",
            help="What happens to keys, tokens and passwords: keep, tag, redact, refuse or server.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    personal_data: Annotated[
        str | None,
        typer.Option(
            "--personal-data",
            metavar="ACTION",
            help="The same of card and account numbers, addresses, national ids.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    default_trust: Annotated[
        str | None,
        typer.Option(
            "--default-trust",
            metavar="LEVEL",
            help="The trust of memories that say none: untrusted, normal, verified or server.",
            rich_help_panel=_PANEL,
        ),
    ] = None

    def given(self) -> dict[str, Any]:
        """The fields of `DefenceRules` that are given, with their values."""
        return dict(self._given())

    def _given(self) -> Iterator[tuple[str, Any]]:
        asked: tuple[tuple[str, str | None, type[IntEnum], str], ...] = (
            ("secret_action", self.secrets, ContentAction, "--secrets"),
            ("personal_data_action", self.personal_data, ContentAction, "--personal-data"),
            ("default_trust", self.default_trust, TrustLevel, "--default-trust"),
        )
        for name, text, choices, option in asked:
            if text is not None:
                yield name, None if text == _SERVER else parse_choice(text, choices, option)


def defence_document(rules: DefenceRules) -> Document:
    """The rules for programs."""
    return dict(_named(rules))


def defence_text(rules: DefenceRules) -> Iterator[tuple[str, str]]:
    """What the rules say, for people: names and values."""
    for name, value in _named(rules):
        if value is not None:
            yield name.removesuffix("_action").replace("_", " "), value


def _named(rules: DefenceRules) -> Iterator[tuple[str, str | None]]:
    for name in ("secret_action", "personal_data_action", "default_trust"):
        value: IntEnum | None = getattr(rules, name)
        yield name, None if value is None else value.name.lower()
