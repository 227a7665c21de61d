"""What a run or a preview of retention looks at."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence

from mnemic.engine.searching import compile_filter
from mnemic.model.memory import Memory
from mnemic.model.retention import DEFAULT_ARCHIVE_MICROS, RetentionPolicy
from mnemic.model.scope import Scope
from mnemic.store.retaining import RunRecord, Selection


def asked_text(scope: Scope, policy_ids: Sequence[str]) -> str:
    """Canonical JSON of what a run was asked for: two of the same are the same run."""
    ids = [scope.user_id, scope.agent_id, scope.session_id, scope.app_id]
    return json.dumps([ids, sorted(set(policy_ids))])


def selection_of(record: RunRecord) -> Selection:
    """What a run looks at."""
    ids, _ = json.loads(record.selection)
    return Selection(
        tenant=record.tenant,
        scope=Scope(*ids),
        policies=record.policies,
        takes_expired=record.takes_expired,
        reference_micros=record.reference_micros,
        last_version_id=record.last_version_id,
        filters=filters_of(record.policies),
    )


def filters_of(policies: Iterable[RetentionPolicy]) -> dict[str, Callable[[Memory], bool]]:
    """The filters of the policies that have one, ready to be asked."""
    return {policy.policy_id: compile_filter(policy.filter).matches for policy in policies if policy.filter is not None}


def archive_periods(policies: Iterable[RetentionPolicy]) -> dict[str, int]:
    """How long what each policy removes rests in the archive; the empty id is for what expired by itself."""
    periods = {"": DEFAULT_ARCHIVE_MICROS}
    for policy in policies:
        asked = policy.archive_period_micros
        periods[policy.policy_id] = DEFAULT_ARCHIVE_MICROS if asked is None else asked
    return periods
