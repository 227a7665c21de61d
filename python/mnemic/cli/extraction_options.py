"""How facts are drawn from a tenant's messages, as options and as people read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from mnemic.cli.documents import Document
from mnemic.cli.failures import bad_input
from mnemic.cli.values import parse_choice
from mnemic.model.extraction_rules import CategoryDefinition, ExtractionRules
from mnemic.model.requests import AddMode

_PANEL = "How facts are drawn"
_NONE = "none"
_MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class ExtractionOptions:
    """What is given; None for what is not. `none` takes back what was said before."""

    instructions: Annotated[
        str | None,
        typer.Option(
            "--extraction-instructions",
            metavar="TEXT",
            help="For the language model; `none` for none.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    include: Annotated[
        list[str] | None,
        typer.Option(
            "--extraction-include",
            metavar="TOPIC",
            help="Only facts about it; repeat it for more, `none` for all.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            "--extraction-exclude",
            metavar="TOPIC",
            help="No facts about it; repeat it for more, `none` for none.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    category: Annotated[
        list[str] | None,
        typer.Option(
            "--extraction-category",
            metavar="NAME[=WHEN]",
            help="A label that facts may get, and when, in words; repeat it for more, `none` for any label.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    budget: Annotated[
        str | None,
        typer.Option(
            "--extraction-budget",
            metavar="AMOUNT",
            help="What the language model may cost in a month, in the unit of the prices; `none` for any amount.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    time_zone: Annotated[
        str | None,
        typer.Option(
            "--extraction-time-zone",
            metavar="ZONE",
            help="Where `yesterday` is counted, such as Europe/Lisbon; `none` for UTC.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    mode: Annotated[
        str | None,
        typer.Option(
            "--extraction-mode",
            metavar="MODE",
            help="What is made of adds that do not say: verbatim, local, llm or hybrid; `none` for verbatim.",
            rich_help_panel=_PANEL,
        ),
    ] = None

    summarize_after: Annotated[
        str | None,
        typer.Option(
            "--extraction-summarize-after",
            metavar="SPAN",
            help="Have sessions summarised whose last message is so old, such as 7d; `none` for never.",
            rich_help_panel=_PANEL,
        ),
    ] = None

    def given(self) -> dict[str, Any]:
        """The fields of `ExtractionRules` that are given, with their values."""
        return dict(self._given())

    def _given(self) -> Iterator[tuple[str, Any]]:
        if self.instructions is not None:
            yield "instructions", _text(self.instructions)
        if self.include is not None:
            yield "include_topics", _texts(self.include)
        if self.exclude is not None:
            yield "exclude_topics", _texts(self.exclude)
        if self.category is not None:
            parts = (text.partition("=") for text in _texts(self.category))
            yield "categories", tuple(CategoryDefinition(name.strip(), words.strip()) for name, _, words in parts)
        if self.budget is not None:
            yield "monthly_budget_micros", None if self.budget == _NONE else _amount(self.budget)
        if self.time_zone is not None:
            yield "time_zone", _text(self.time_zone)
        if self.mode is not None:
            no_mode = self.mode == _NONE
            yield "default_mode", None if no_mode else parse_choice(self.mode, AddMode, "--extraction-mode")
        if self.summarize_after is not None:
            is_off = self.summarize_after == _NONE
            yield "summarize_after_seconds", None if is_off else _seconds(self.summarize_after)


def rules_document(rules: ExtractionRules) -> Document:
    """The rules for programs."""
    mode = rules.default_mode
    return rules.to_values() | {"default_mode": None if mode is None else mode.name.lower()}


def rules_text(rules: ExtractionRules) -> Iterator[tuple[str, str]]:
    """What the rules say, for people: names and values."""
    if rules.default_mode is not None:
        yield "mode", rules.default_mode.name.lower()
    if rules.instructions:
        yield "instructions", rules.instructions
    if rules.include_topics:
        yield "only about", ", ".join(rules.include_topics)
    if rules.exclude_topics:
        yield "not about", ", ".join(rules.exclude_topics)
    if rules.categories:
        yield "categories", ", ".join(category.name for category in rules.categories)
    if rules.time_zone:
        yield "time zone", rules.time_zone
    if rules.monthly_budget_micros is not None:
        yield "a month", f"{rules.monthly_budget_micros / _MICROS:g}"
    if rules.summarize_after_seconds is not None:
        yield "summaries after", f"{rules.summarize_after_seconds / 86_400:g} days"


def _text(text: str) -> str:
    return "" if text == _NONE else text


def _texts(texts: list[str]) -> tuple[str, ...]:
    return () if texts == [_NONE] else tuple(texts)


def _seconds(text: str) -> int:
    from mnemic.client.retention_requests import span_micros  # noqa: PLC0415 (start-up time: loads the messages)

    return span_micros(text, "--extraction-summarize-after") // _MICROS


def _amount(text: str) -> int:
    try:
        return round(float(text) * _MICROS)
    except (ValueError, OverflowError):
        raise bad_input(f"--extraction-budget: {text!r} is no amount", hint="give a number, or `none`") from None
