"""Defence at write: everything that is to be remembered passes here before it is hashed, embedded or stored.

`tests/house/test_defence_house.py` names who may make versions, and holds that each of them asks here first.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from mnemic.defence.findings import ContentGroup, ContentKind, Finding
from mnemic.defence.instructions import reads_as_instruction
from mnemic.defence.screening import Screen, Screened, category_of
from mnemic.defence.settings import DefenceSettings
from mnemic.engine.settings import Limits
from mnemic.engine.tenant_rules import TenantRules
from mnemic.engine.validation import MAX_LABELS, check_inputs, check_update
from mnemic.model.defence import ContentAction
from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.model.memory import Memory, MemoryInput, MemoryKind, Metadata, MetadataValue, Role, TrustLevel
from mnemic.model.requests import MemoryUpdate

_TEXTS = ("body", "name", "slot", "slot_value")
_LISTS = ("categories", "entities")
# What is embedded: a vector that came with it says what was redacted.
_EMBEDDED = frozenset({"body", "name"})
_ALL = frozenset({*_TEXTS, *_LISTS, "metadata"})
Item = TypeVar("Item", MemoryInput, MemoryUpdate, Memory)


class Defence:
    """Carries out what tenants' settings, and the server's where they are silent, say of what is written.

    Args:
        settings: The server's.
        rules: The tenants'.
        limits: What is accepted, also after a mark has taken the place of something shorter.
    """

    def __init__(self, settings: DefenceSettings, rules: TenantRules, limits: Limits) -> None:
        self._settings = settings
        self._rules = rules
        self._limits = limits
        self._default_trust = TrustLevel[settings.default_trust.upper()]
        self._open_roles = frozenset(Role[name.upper()] for name in settings.untrusted_instructions)
        self._screens: dict[tuple[ContentAction | None, ContentAction | None], Screen] = {}
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()

    def figures(self) -> dict[tuple[str, str], int]:
        """How often what was found since the start: by what it was and what was done about it."""
        with self._lock:
            return dict(self._counts)

    def trust_of(self, tenant: str) -> TrustLevel:
        """The trust of a tenant's memories that say none."""
        return self._rules.defence_of(tenant).default_trust or self._default_trust

    def inputs(self, tenant: str, inputs: Sequence[MemoryInput], *, now_micros: int) -> list[MemoryInput]:
        """What may be remembered of what an add brings; all of it has a trust.

        Raises:
            MnemicError: CONTENT_REFUSED.
        """
        screen = self._screen(tenant)
        default = self.trust_of(tenant)
        admitted = []
        for position, item in enumerate(inputs):
            safe = _screened(item, screen, _ALL, f"memories[{position}].", self._count)
            role = safe.role or (Role.USER if safe.kind is MemoryKind.MESSAGE else Role.NONE)
            admitted.append(replace(safe, trust=self._trust(safe.trust or default, role, (item.name, item.body))))
        if any(
            safe.body != item.body or safe.metadata != item.metadata
            for safe, item in zip(admitted, inputs, strict=True)
        ):
            check_inputs(admitted, self._limits, now_micros=now_micros)
        return admitted

    def update(self, tenant: str, changes: MemoryUpdate, old: Memory, *, now_micros: int) -> MemoryUpdate:
        """What may be changed in a memory. What it had before is not looked at.

        Raises:
            MnemicError: CONTENT_REFUSED.
        """
        named = changes if "categories" in changes.fields else replace(changes, categories=old.categories)
        safe = _screened(named, self._screen(tenant), _ALL & changes.fields, "memory.", self._count)
        trust = (changes.trust or self.trust_of(tenant)) if "trust" in changes.fields else old.trust
        texts = [getattr(changes, name) for name in ("name", "body") if name in changes.fields]
        trust = self._trust(trust, old.role, texts)
        fields = changes.fields
        if safe.categories != named.categories:
            fields |= {"categories"}
        if trust is not old.trust:
            fields |= {"trust"}
        admitted = replace(safe, fields=fields, trust=trust)
        if admitted != changes:
            check_update(admitted, self._limits, now_micros=now_micros)
        return admitted

    def memory(self, tenant: str, memory: Memory, path: str = "") -> Memory:
        """What may be remembered of a whole memory, that comes from a file or is brought back.

        Raises:
            MnemicError: CONTENT_REFUSED.
        """
        safe = _screened(memory, self._screen(tenant), _ALL, path, self._count)
        return replace(safe, trust=self._trust(memory.trust, memory.role, (memory.name, memory.body)))

    def _screen(self, tenant: str) -> Screen:
        rules = self._rules.defence_of(tenant)
        key = (rules.secret_action, rules.personal_data_action)
        screen = self._screens.get(key)
        if screen is None:
            screen = self._screens[key] = Screen(
                {kind: self._action(kind, *key) for kind in ContentKind}, self._settings.phone_regions
            )
        return screen

    def _action(
        self, kind: ContentKind, secrets: ContentAction | None, personal_data: ContentAction | None
    ) -> ContentAction:
        """The tenant's, else the server's for the kind, else the server's for its group."""
        is_secret = kind.group is ContentGroup.SECRET
        own = secrets if is_secret else personal_data
        if own is not None:
            return own
        general = self._settings.secrets if is_secret else self._settings.personal_data
        return ContentAction[self._settings.kinds.get(kind, general).upper()]

    def _trust(self, trust: TrustLevel, role: Role, texts: Iterable[str]) -> TrustLevel:
        """How far something may be trusted; what a trusted system has confirmed is taken at its word."""
        if role not in self._open_roles or trust is not TrustLevel.NORMAL:
            return trust
        if not any(map(reads_as_instruction, texts)):
            return trust
        self._count(("instruction", "mark_untrusted"))
        return TrustLevel.UNTRUSTED

    def _count(self, *found: tuple[str, str]) -> None:
        with self._lock:
            self._counts.update(found)


@dataclass(slots=True)
class _Pass:
    """One item on its way through a screen.

    Attributes:
        screen: What looks at its texts.
        path: Of the item in the request, with its dot.
        kept: The kinds that are in it and to be told.
        redacted: The kinds that were taken out.
    """

    screen: Screen
    path: str
    kept: set[ContentKind] = field(default_factory=set)
    redacted: set[ContentKind] = field(default_factory=set)

    def text(self, name: str, text: str) -> str:
        """A text as it may be kept."""
        screened = self._look(name, text)
        self.redacted |= screened.redacted
        return screened.text

    def key(self, name: str, key: str) -> None:
        """Looks at a key of metadata, which cannot be replaced: another may be the same afterwards."""
        screened = self._look(name, key)
        if screened.redacted:
            finding = self.screen.find(key)[0]
            raise _refused(f"{self.path}{name}", finding, "which cannot be redacted in a key; put it in a value")

    def _look(self, name: str, text: str) -> Screened:
        screened = self.screen.screen(text)
        if screened.refused is not None:
            raise _refused(f"{self.path}{name}", screened.refused, "which this tenant's settings refuse; leave it out")
        self.kept |= screened.kept
        return screened

    def metadata(self, metadata: Metadata) -> Metadata:
        """The same of metadata."""
        changed: dict[str, MetadataValue] = {}
        for number, (key, value) in enumerate(metadata.items()):
            # The key may be what must not be told.
            self.key(f"metadata (key {number + 1})", key)
            name = f"metadata[{key!r}]"
            if isinstance(value, str):
                changed[key] = self.text(name, value)
            elif isinstance(value, tuple):
                changed[key] = tuple(self.text(f"{name}[{place}]", item) for place, item in enumerate(value))
            else:
                changed[key] = value
        return changed if changed != metadata else metadata

    def names(self, name: str, texts: Sequence[str]) -> Sequence[str]:
        """The same of a list. A name of which something is taken out names nothing more, and is left out."""
        safe = [self.text(f"{name}[{place}]", text) for place, text in enumerate(texts)]
        if all(map(str.__eq__, safe, texts)):
            return texts
        if name == "entities":
            return tuple(text for text, given in zip(safe, texts, strict=True) if text == given)
        return tuple(dict.fromkeys(safe))


def _screened(item: Item, screen: Screen, fields: frozenset[str], path: str, count: Any) -> Item:  # noqa: ANN401
    """An item as it may be kept: of the fields named, what is to be redacted is, and tags are added."""
    if screen.looks_for_nothing:
        return item
    passed = _Pass(screen, path)
    changes: dict[str, Any] = {name: passed.text(name, getattr(item, name)) for name in _TEXTS if name in fields}
    changes |= {name: passed.names(name, getattr(item, name)) for name in _LISTS if name in fields}
    if "metadata" in fields:
        changes["metadata"] = passed.metadata(item.metadata)
    changes = {name: value for name, value in changes.items() if value != getattr(item, name)}
    if not _EMBEDDED.isdisjoint(changes):
        changes["vector"] = None
        if isinstance(item, Memory):
            changes["embedding_model"] = None
    if passed.kept:
        changes["categories"] = _tagged(changes.get("categories", item.categories), passed.kept, path)
    if passed.kept or passed.redacted:
        count(*((kind.value, "tag") for kind in passed.kept), *((kind.value, "redact") for kind in passed.redacted))
    return replace(item, **changes) if changes else item


def _tagged(categories: Sequence[str], kinds: Iterable[ContentKind], path: str) -> tuple[str, ...]:
    tagged = tuple(dict.fromkeys([*categories, *sorted(map(category_of, kinds))]))
    if len(tagged) > MAX_LABELS:
        raise invalid_field(
            f"{path}categories",
            f"are more than {MAX_LABELS} together with those that say what was found; leave some out",
        )
    return tagged


def _refused(field: str, finding: Finding, why: str) -> MnemicError:
    # What was found is not in it: errors are logged, and shown to others than who wrote it.
    description = f"holds what looks like a {finding.kind.label} at characters {finding.start} to {finding.end}, {why}"
    return invalid_field(
        field,
        description,
        reason=Reason.CONTENT_REFUSED,
        kind=finding.kind.value,
        group=finding.kind.group.value,
        start=finding.start,
        end=finding.end,
    )
