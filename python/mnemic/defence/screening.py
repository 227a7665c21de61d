"""What is done about what is found in a text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mnemic.defence.findings import PERSONAL_DATA_KINDS, SECRET_KINDS, ContentKind, Finding, merged
from mnemic.defence.secrets import find_secrets
from mnemic.model.defence import ContentAction


def mark_of(kind: ContentKind) -> str:
    """What stands in the place of something redacted."""
    return f"[redacted: {kind.label}]"


_MARKS = re.compile("|".join(re.escape(mark_of(kind)) for kind in ContentKind))


def category_of(kind: ContentKind) -> str:
    """The category of a memory in which something was found and kept."""
    return f"contains:{kind.value}"


@dataclass(frozen=True, slots=True)
class Screened:
    """A text after it was looked at.

    Attributes:
        text: As it may be kept.
        kept: The kinds that are in it and to be told.
        refused: What must not be written, if anything is.
        redacted: The kinds that were taken out.
    """

    text: str
    kept: frozenset[ContentKind] = frozenset()
    refused: Finding | None = None
    redacted: frozenset[ContentKind] = frozenset()


@dataclass(frozen=True, slots=True)
class Screen:
    """Looks at texts.

    Attributes:
        actions: What is done about each kind; kinds that are kept are not looked for.
        phone_regions: By whose plans telephone numbers without a country's code are read.
    """

    actions: Mapping[ContentKind, ContentAction]
    phone_regions: Sequence[str] = ()
    _secrets: frozenset[ContentKind] = field(init=False)
    _personal: frozenset[ContentKind] = field(init=False)
    _find_personal: Callable[[str, frozenset[ContentKind], Sequence[str]], Iterable[Finding]] = field(init=False)

    def __post_init__(self) -> None:
        wanted = {kind for kind, action in self.actions.items() if action is not ContentAction.KEEP}
        object.__setattr__(self, "_secrets", SECRET_KINDS & wanted)
        object.__setattr__(self, "_personal", PERSONAL_DATA_KINDS & wanted)
        if self._personal:
            # The libraries with the plans and checksums of all countries take a tenth of a second to import.
            from mnemic.defence.personal_data import find_personal_data  # noqa: PLC0415 (the reason above)

            object.__setattr__(self, "_find_personal", find_personal_data)

    @property
    def looks_for_nothing(self) -> bool:
        """Whether everything is kept as it is."""
        return not (self._secrets or self._personal)

    def find(self, text: str) -> list[Finding]:
        """What is in a text of the kinds that are not kept as they are; findings may overlap."""
        # A mark speaks of passwords and numbers and is none, nor does it announce what follows it.
        if "[redacted: " in text:
            text = _MARKS.sub(lambda mark: "\0" * len(mark[0]), text)
        found = [item for item in find_secrets(text) if item.kind in self._secrets] if self._secrets else []
        if self._personal:
            found += self._find_personal(text, self._personal, self.phone_regions)
        return found

    def screen(self, text: str) -> Screened:
        """A text without what is to be redacted, and what else there is to do about it."""
        found = self.find(text)
        if not found:
            return Screened(text)
        by_action: dict[ContentAction, list[Finding]] = {}
        for finding in found:
            by_action.setdefault(self.actions[finding.kind], []).append(finding)
        refused = next(merged(by_action.get(ContentAction.REFUSE, ())), None)
        pieces, done, redacted = [], 0, set()
        for finding in merged(by_action.get(ContentAction.REDACT, ())):
            pieces += [text[done : finding.start], mark_of(finding.kind)]
            done = finding.end
            redacted.add(finding.kind)
        kept = frozenset(finding.kind for finding in by_action.get(ContentAction.TAG, ()))
        return Screened("".join([*pieces, text[done:]]), kept, refused, frozenset(redacted))
