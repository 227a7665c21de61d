"""How facts are drawn from a tenant's messages, and what that cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Self

from mnemic.model.memory import from_micros, to_micros
from mnemic.model.requests import AddMode


@dataclass(frozen=True, slots=True)
class CategoryDefinition:
    """A label that facts may get.

    Attributes:
        name: The label.
        description: When it applies, in words for a language model; or empty.
    """

    name: str
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionRules:
    """What is particular to a tenant; the fields of `mnemic.v1.ExtractionSettings`.

    Attributes:
        instructions: For the language model, or empty.
        include_topics: Only facts about these; all when empty.
        exclude_topics: No facts about these.
        categories: The labels that facts may get; free when empty.
        monthly_budget_micros: What the language model may cost in a calendar month; None for any amount.
        time_zone: An IANA name or an offset; empty for UTC.
        default_mode: Of adds that say none; None for VERBATIM.
        summarize_after_seconds: A session is summarised when its last message is so old; None for never.
    """

    instructions: str = ""
    include_topics: tuple[str, ...] = ()
    exclude_topics: tuple[str, ...] = ()
    categories: tuple[CategoryDefinition, ...] = ()
    monthly_budget_micros: int | None = None
    time_zone: str = ""
    default_mode: AddMode | None = None
    summarize_after_seconds: int | None = None

    def to_values(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """The rules of `to_values`, also after JSON."""
        mode = values.get("default_mode")
        return cls(
            instructions=values.get("instructions", ""),
            include_topics=tuple(values.get("include_topics", ())),
            exclude_topics=tuple(values.get("exclude_topics", ())),
            categories=tuple(CategoryDefinition(**item) for item in values.get("categories", ())),
            monthly_budget_micros=values.get("monthly_budget_micros"),
            time_zone=values.get("time_zone", ""),
            default_mode=None if mode is None else AddMode(mode),
            summarize_after_seconds=values.get("summarize_after_seconds"),
        )


NO_RULES = ExtractionRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUsage:
    """What a language model did; the fields of `mnemic.v1.LanguageModelUsage`."""

    batches: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_micros: int = 0
    duration_micros: int = 0

    def __add__(self, other: ModelUsage) -> ModelUsage:
        return ModelUsage(
            batches=self.batches + other.batches,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cost_micros=self.cost_micros + other.cost_micros,
            duration_micros=self.duration_micros + other.duration_micros,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionStats:
    """What extraction has before it, and what it cost; the fields of `mnemic.v1.ExtractionStats`.

    Attributes:
        pending: Batches that wait or are read.
        held: Of them those that wait for a budget.
        oldest_create_time_micros: When the oldest of the others was enqueued; None when there is none.
        month: What language models did in the present calendar month.
        monthly_budget_micros: The tenant's budget; None for none, and of all tenants.
    """

    pending: int = 0
    held: int = 0
    oldest_create_time_micros: int | None = None
    month: ModelUsage = ModelUsage()
    monthly_budget_micros: int | None = None


def month_of(micros: int) -> int:
    """The calendar month (UTC) of a moment, such as 202611."""
    moment = from_micros(micros)
    return moment.year * 100 + moment.month


def end_of_month(month: int) -> int:
    """When the next month begins, in microseconds since 1970-01-01 UTC."""
    year, number = divmod(month, 100)
    beginning = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)
    return to_micros(beginning)
