"""What tenants and keys may be. Every refusal names the field, says why and what would be accepted."""

from __future__ import annotations

import math

from mnemic.engine.tenant_rules import offset_minutes
from mnemic.engine.validation import (
    MAX_INSTRUCTIONS_BYTES,
    MAX_LABEL_BYTES,
    check_labels,
    check_scope,
    check_text,
    check_times,
)
from mnemic.model.access import MAX_DISPLAY_NAME_BYTES, AccessRole, ApiKey, Tenant, is_tenant_id
from mnemic.model.errors import invalid_field
from mnemic.model.extraction_rules import ExtractionRules

_MOST_PER_SECOND = 1e6
_MOST_BURST = 1_000_000
_MOST_QUOTA = (1 << 63) - 1
# A minute to ten years.
_SUMMARIZE_SECONDS = (60, 315_360_000)
_MOST_TOPICS = 32
_MOST_CATEGORIES = 64
_MOST_DESCRIPTION_BYTES = 1024


def check_tenant(tenant: Tenant) -> None:
    """Refuses an id that is none, a long name, and quotas that are negative."""
    if not is_tenant_id(tenant.tenant_id):
        raise invalid_field(
            "tenant.tenant_id",
            f"is {tenant.tenant_id[:64]!r}; 1 to 64 of a-z, 0-9, - and _, beginning with a letter, are accepted",
        )
    check_text("tenant.display_name", tenant.display_name, MAX_DISPLAY_NAME_BYTES)
    for name in ("max_memories", "max_bytes"):
        value = getattr(tenant.quota, name)
        if value is not None and not 0 <= value <= _MOST_QUOTA:
            raise invalid_field(f"tenant.settings.{name}", f"is {value}; give 0 or more, or leave it out")
    _check_rules(tenant.extraction, "tenant.settings.extraction")


def _check_rules(rules: ExtractionRules, field: str) -> None:
    check_text(f"{field}.instructions", rules.instructions, MAX_INSTRUCTIONS_BYTES)
    for name in ("include_topics", "exclude_topics"):
        check_labels(getattr(rules, name), f"{field}.{name}", _MOST_TOPICS, MAX_LABEL_BYTES)
    names = [category.name for category in rules.categories]
    check_labels(names, f"{field}.categories", _MOST_CATEGORIES, MAX_LABEL_BYTES)
    for position, category in enumerate(rules.categories):
        check_text(f"{field}.categories[{position}].description", category.description, _MOST_DESCRIPTION_BYTES)
        if category.name.casefold() in {name.casefold() for name in names[:position]}:
            raise invalid_field(f"{field}.categories[{position}]", f"{category.name[:64]!r} is there twice")
    budget = rules.monthly_budget_micros
    if budget is not None and not 0 <= budget <= _MOST_QUOTA:
        raise invalid_field(f"{field}.monthly_budget_micros", f"is {budget}; give 0 or more, or leave it out")
    seconds = rules.summarize_after_seconds
    if seconds is not None and not _SUMMARIZE_SECONDS[0] <= seconds <= _SUMMARIZE_SECONDS[1]:
        description = f"is {seconds}; give {_SUMMARIZE_SECONDS[0]} to {_SUMMARIZE_SECONDS[1]}, or leave it out"
        raise invalid_field(f"{field}.summarize_after_seconds", description)
    try:
        offset_minutes(rules.time_zone, 0)
    except ValueError as error:
        description = f"{rules.time_zone[:64]!r} {error}; give one such as Europe/Lisbon or +05:30, or leave it out"
        raise invalid_field(f"{field}.time_zone", description) from error


def check_budget(new: Tenant, old: Tenant | None, *, is_priced: bool) -> None:
    """Refuses a budget that could never be used up, since nothing has a price."""
    budget = new.extraction.monthly_budget_micros
    if budget is None or is_priced or (old is not None and old.extraction.monthly_budget_micros == budget):
        return
    raise invalid_field(
        "tenant.settings.extraction.monthly_budget_micros",
        "means nothing without prices; set extraction.llm.price_per_million_prompt_tokens and "
        "price_per_million_completion_tokens of the server, or leave it out",
    )


def check_new_key(key: ApiKey, now_micros: int) -> None:
    """Refuses a key that could do nothing, or that says what it may do in a way that means nothing."""
    check_text("api_key.display_name", key.display_name, MAX_DISPLAY_NAME_BYTES)
    if not key.scope.is_empty:
        check_scope(key.scope, field="api_key.scope")
        if key.role > AccessRole.WRITE:
            raise invalid_field(
                "api_key.scope",
                f"cannot restrict a key of the role {key.role.name}: administering is not narrowed to a scope; give "
                "the role READ or WRITE, or no scope",
            )
    expire = key.expire_time_micros
    if expire is not None:
        check_times(expire, None, "api_key.expire_time")
        if expire <= now_micros:
            raise invalid_field("api_key.expire_time", "lies in the past; give a time to come, or none")
    rate = key.requests_per_second
    if rate is not None and not (math.isfinite(rate) and 0 < rate <= _MOST_PER_SECOND):
        raise invalid_field("api_key.requests_per_second", f"is {rate}; above 0 to 1,000,000 are accepted")
    burst = key.request_burst
    if burst is not None and not 1 <= burst <= _MOST_BURST:
        raise invalid_field("api_key.request_burst", f"is {burst}; 1 to 1,000,000 are accepted")
