"""What retention accepts; every refusal names the field, says why and what would be accepted."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Sequence

from mnemic.engine.searching import compile_filter
from mnemic.engine.validation import check_ids_filter, check_scope, check_text
from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.model.retention import LegalHold, RetentionPolicy

MAX_POLICIES = 100
MAX_SAMPLES = 100
_POLICY_ID = re.compile(r"[a-z0-9_-]{1,64}")
_MAX_WORDS_BYTES = 1024
_MAX_CATEGORIES = 32
_MAX_CATEGORY_BYTES = 128
_LIMITS = (
    "max_age",
    "max_inactivity",
    "superseded_grace",
    "session_grace",
    "max_memories_per_scope",
    "max_bytes_per_scope",
)
_MAY_BE_ZERO = frozenset({"superseded_grace", "session_grace"})


def check_policy_id(policy_id: str, field: str = "policy_id") -> str:
    """Refuses what cannot be the name of a policy."""
    if not isinstance(policy_id, str) or not _POLICY_ID.fullmatch(policy_id):
        raise invalid_field(field, f"{str(policy_id)[:64]!r} is no name; give 1 to 64 of a-z, 0-9, - and _")
    return policy_id


def check_policy(policy: RetentionPolicy, field: str = "policy") -> None:
    """Refuses a policy that selects or limits in a way that cannot be meant."""
    check_policy_id(policy.policy_id, f"{field}.policy_id")
    check_text(f"{field}.description", policy.description, _MAX_WORDS_BYTES)
    check_ids_filter(policy.scope, field=f"{field}.scope")
    if len(policy.categories) > _MAX_CATEGORIES:
        raise invalid_field(
            f"{field}.categories", f"has {len(policy.categories)} entries; at most {_MAX_CATEGORIES} are accepted"
        )
    for position, category in enumerate(policy.categories):
        check_text(f"{field}.categories[{position}]", category, _MAX_CATEGORY_BYTES)
    if policy.filter is not None:
        compile_filter(policy.filter)
    _check_limits(policy, field)
    weights = policy.score_weights
    for name in weights.__dataclass_fields__:
        weight = getattr(weights, name)
        if weight is not None and not (math.isfinite(weight) and 0.0 <= weight <= 1.0):
            raise invalid_field(f"{field}.score_weights.{name}", f"is {weight!r}; it must lie between 0 and 1")
    resolved = weights.resolved()
    if not any(getattr(resolved, name) for name in resolved.__dataclass_fields__):
        raise invalid_field(f"{field}.score_weights", "are all 0; give one above 0, or leave them out")


def _check_limits(policy: RetentionPolicy, field: str) -> None:
    given = {name: _limit(policy, name) for name in _LIMITS}
    if all(value is None for value in given.values()):
        raise invalid_field(field, f"has no limit; give at least one of {', '.join(_LIMITS)}")
    for name, value in given.items():
        if value is not None and (value < 0 or (value == 0 and name not in _MAY_BE_ZERO)):
            least = "0 or more" if name in _MAY_BE_ZERO else "more than 0"
            raise invalid_field(f"{field}.{name}", f"is {value}; give {least}, or leave it out")
    if policy.archive_period_micros is not None and policy.archive_period_micros < 0:
        raise invalid_field(f"{field}.archive_period", "is negative; give 0 or more, or leave it out for 30 days")


def _limit(policy: RetentionPolicy, name: str) -> int | None:
    is_count = name.startswith(("max_memories", "max_bytes"))
    value: int | None = getattr(policy, name if is_count else f"{name}_micros")
    return value


def check_policies(policies: Sequence[object], field: str) -> None:
    """Refuses too many policies in one request."""
    if len(policies) > MAX_POLICIES:
        raise invalid_field(field, f"has {len(policies)} entries; at most {MAX_POLICIES} are accepted")


def check_sample_size(size: int) -> None:
    """Refuses a number of samples out of range."""
    if not 0 <= size <= MAX_SAMPLES:
        raise invalid_field("sample_size", f"is {size}; 0 to {MAX_SAMPLES} are accepted")


def check_hold(hold: LegalHold) -> None:
    """Refuses a hold that holds nothing or says no reason."""
    check_scope(hold.scope, field="hold.scope")
    check_text("hold.reason", hold.reason, _MAX_WORDS_BYTES)
    if not hold.reason.strip():
        raise invalid_field("hold.reason", "is empty; say why, in 1 byte to 1 KiB")


def check_id(value: str, field: str) -> str:
    """The id of a hold or a run in its usual form."""
    try:
        return str(uuid.UUID(value))
    except (ValueError, AttributeError, TypeError):
        raise invalid_field(field, f"{str(value)[:64]!r} is no UUID") from None


def not_there(kind: str, name: str, field: str) -> MnemicError:
    """The one answer for what is absent and for what is another tenant's."""
    return MnemicError(Reason.RESOURCE_NOT_FOUND, f"no {kind} {name!r} here", metadata={field: name})
