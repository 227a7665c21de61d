"""Options that narrow what a search or a listing finds."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from mnemic.cli.failures import bad_input
from mnemic.cli.values import parse_choice
from mnemic.model.filters import Filter
from mnemic.model.scope import ScopeMatch

MatchOption = Annotated[
    str,
    typer.Option(
        "--match",
        help="visible: each id that a memory carries is the one asked for. exact: each id asked for is carried. "
        "tenant: everything, without ids.",
    ),
]
FilterOption = Annotated[
    str | None,
    typer.Option(
        "--filter",
        "-f",
        metavar="JSON",
        help="""Conditions, such as '{"topic": "food", "event_time": {"gte": "2024-05-01"}}'; AND, OR and NOT nest.""",
    ),
]


def parse_match(text: str) -> ScopeMatch:
    """How the ids select."""
    return parse_choice(text, ScopeMatch, "--match")


def parse_filter(text: str | None) -> Filter | None:
    """The domain's filter of JSON in the shape that the clients take.

    Raises:
        CommandError: It is no JSON object.
        MnemicError: INVALID_FILTER naming the condition at fault.
    """
    if text is None:
        return None
    try:
        conditions = json.loads(text)
    except ValueError as error:
        raise bad_input(f"--filter: {error}", hint="""for example --filter '{"topic": "food"}'""") from None
    if not isinstance(conditions, dict):
        raise bad_input("--filter: is no JSON object", hint="""for example --filter '{"topic": "food"}'""")
    from mnemic.client.filters import compile_filters  # noqa: PLC0415 (start-up time: loads numpy)

    return compile_filters(conditions, "--filter")


def nothing_there(match: ScopeMatch) -> str:
    """What may be wrong when a scope holds nothing at all."""
    if match is ScopeMatch.VISIBLE:
        return (
            "a memory that carries an id which was not asked for, such as its session, is left out: "
            "--match exact finds it"
        )
    return "`mnemic scopes` shows which scopes hold any"
