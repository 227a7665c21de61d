"""What detectors find: of which kind, and where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class ContentGroup(StrEnum):
    """What an action is set for."""

    SECRET = "secret"  # noqa: S105 (a name of what is found)
    PERSONAL_DATA = "personal_data"


class ContentKind(StrEnum):
    """What can be found. The order is that of certainty: where two are found at one place, the former names it."""

    PRIVATE_KEY = "private_key"
    JSON_WEB_TOKEN = "json_web_token"  # noqa: S105 (the same)
    CLOUD_ACCESS_KEY = "cloud_access_key"
    API_TOKEN = "api_token"  # noqa: S105 (the same)
    CONNECTION_PASSWORD = "connection_password"  # noqa: S105 (the same)
    CREDENTIAL = "credential"
    PAYMENT_CARD = "payment_card"
    BANK_ACCOUNT = "bank_account"
    NATIONAL_ID = "national_id"
    EMAIL_ADDRESS = "email_address"
    PHONE_NUMBER = "phone_number"
    IP_ADDRESS = "ip_address"

    @property
    def group(self) -> ContentGroup:
        """Whose action it takes."""
        return ContentGroup.SECRET if self in SECRET_KINDS else ContentGroup.PERSONAL_DATA

    @property
    def label(self) -> str:
        """In words."""
        return self.value.replace("_", " ")


SECRET_KINDS = frozenset(
    {
        ContentKind.PRIVATE_KEY,
        ContentKind.JSON_WEB_TOKEN,
        ContentKind.CLOUD_ACCESS_KEY,
        ContentKind.API_TOKEN,
        ContentKind.CONNECTION_PASSWORD,
        ContentKind.CREDENTIAL,
    }
)
PERSONAL_DATA_KINDS = frozenset(ContentKind) - SECRET_KINDS
_CERTAINTY = {kind: place for place, kind in enumerate(ContentKind)}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found. It has no text: what is found is never repeated.

    Attributes:
        kind: What it is.
        start: Its first character, from 0.
        end: The character behind its last.
    """

    kind: ContentKind
    start: int
    end: int


def merged(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Findings in their order that do not overlap: together they cover what the given ones cover.

    What several cover together is of the most certain of their kinds.
    """
    pending: Finding | None = None
    for finding in sorted(findings, key=lambda item: (item.start, item.end)):
        if pending is None or finding.start >= pending.end:
            if pending is not None:
                yield pending
            pending = finding
        else:
            kind = min(pending.kind, finding.kind, key=_CERTAINTY.__getitem__)
            pending = Finding(kind, pending.start, max(pending.end, finding.end))
    if pending is not None:
        yield pending
