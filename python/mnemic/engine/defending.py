"""Defence at write: everything that is to be remembered passes here before it is hashed, embedded or stored.

`tests/house/test_defence_house.py` names who may make versions, and holds that each of them asks here first.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from mnemic.defence.findings import ContentGroup, ContentKind, Finding
from mnemic.defence.instructions import reads_as_instruction
from mnemic.defence.screening import Screen, Screened, category_of
from mnemic.defence.settings import DefenceSettings
from mnemic.defence.source_rates import SourceRates
from mnemic.engine.settings import Limits
from mnemic.engine.tenant_rules import TenantRules
from mnemic.engine.validation import MAX_LABELS, check_inputs, check_update
from mnemic.model.defence import ContentAction
from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.model.memory import Memory, MemoryInput, MemoryKind, Metadata, MetadataValue, Role, TrustLevel
from mnemic.model.requests import MemoryUpdate
from mnemic.model.scope import Scope

_TEXTS = ("body", "name", "slot_value")
_LISTS = ("categories", "entities")
# What is embedded: a vector that came with it says what was redacted.
_EMBEDDED = frozenset({"body", "name"})
_ALL = frozenset({*_TEXTS, *_LISTS, "slot", "metadata"})
Item = TypeVar("Item", MemoryInput, MemoryUpdate, Memory)
Count = Callable[..., None]


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
        self._rates = (
            None
            if settings.memories_per_second is None
            else SourceRates(settings.memories_per_second, settings.memory_burst, settings.most_sources)
        )

    def figures(self) -> dict[tuple[str, str], int]:
        """How often what was found since the start: by what it was and what was done about it."""
        with self._lock:
            return dict(self._counts)

    def trust_of(self, tenant: str) -> TrustLevel:
        """The trust of a tenant's memories that say none."""
        return self._rules.defence_of(tenant).default_trust or self._default_trust

    def charge(self, tenant: str, writer: str, scope: Scope, count: int) -> None:
        """Counts memories against what their source may add.

        Args:
            tenant: Whose they are.
            writer: Whose credential brings them.
            scope: Theirs; its session is no source of its own.
            count: How many.

        Raises:
            MnemicError: QUOTA_EXCEEDED, with the time to wait.
        """
        if self._rates is None:
            return
        source = (tenant, writer, scope.user_id, scope.agent_id, scope.app_id)
        seconds = self._rates.charge(source, count, time.monotonic())
        if seconds > 0:
            self._count(("source", "rate"))
            raise MnemicError(
                Reason.QUOTA_EXCEEDED,
                f"this source (the credential, with the user, agent and app of the scope) may add "
                f"{self._settings.memories_per_second:g} memories a second; try again in {seconds:.3g} s",
                metadata={"quota": "memories_per_second", "limit": f"{self._settings.memories_per_second:g}"},
                retry_after_seconds=seconds,
            )

    def inputs(
        self, tenant: str, inputs: Sequence[MemoryInput], *, now_micros: int, writer: str = ""
    ) -> list[MemoryInput]:
        """What may be remembered of what an add brings; all of it has a trust.

        Args:
            tenant: Whose it is.
            inputs: It.
            now_micros: The present.
            writer: Whose credential brings it; empty for what is drawn from messages.

        Raises:
            MnemicError: CONTENT_REFUSED.
        """
        screen = self._screen(tenant)
        default = self.trust_of(tenant)
        admitted, is_changed = [], False
        for position, item in enumerate(inputs):
            safe = _screened(item, screen, _ALL, f"memories[{position}].", self._count)
            if writer:
                safe = self._signed(safe, writer, f"memories[{position}].")
            is_changed |= safe is not item
            role = safe.role or (Role.USER if safe.kind is MemoryKind.MESSAGE else Role.NONE)
            trust = self._trust(safe.trust or default, role, (item.name, item.body))
            admitted.append(safe if safe.trust is trust else replace(safe, trust=trust))
        if is_changed:
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
        key = self._settings.writer_key
        if "metadata" in changes.fields and key is not None and isinstance(old.metadata.get(key), str):
            safe = self._signed(safe, str(old.metadata[key]), "memory.")
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

    def _signed(self, item: Item, writer: str, path: str) -> Item:
        """An item whose metadata say who wrote it, where that is wanted."""
        key = self._settings.writer_key
        if key is None:
            return item
        if item.metadata.get(key, writer) != writer:
            raise invalid_field(
                f"{path}metadata[{key!r}]", "is set by the server, which knows who writes; leave it out"
            )
        return replace(item, metadata={**item.metadata, key: writer})

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
        count: Told what was found and what was done about it.
        kept: The kinds that are in it and to be told.
        redacted: The kinds that were taken out.
    """

    screen: Screen
    path: str
    count: Count
    kept: set[ContentKind] = field(default_factory=set)
    redacted: set[ContentKind] = field(default_factory=set)

    def text(self, name: str, text: str) -> str:
        """A text as it may be kept."""
        screened = self._look(name, text)
        self.redacted |= screened.redacted
        return screened.text

    def key(self, name: str, key: str) -> None:
        """Looks at what tells one thing from another: with a mark in it, two may be the same afterwards."""
        screened = self._look(name, key)
        if screened.redacted:
            finding = self.screen.find(key)[0]
            raise _refused(
                f"{self.path}{name}", finding, "which cannot be redacted where it is a key; put it in a value"
            )

    def _look(self, name: str, text: str) -> Screened:
        screened = self.screen.screen(text)
        if screened.refused is not None:
            self.count((screened.refused.kind.value, "refuse"))
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


def _screened(item: Item, screen: Screen, fields: frozenset[str], path: str, count: Count) -> Item:
    """An item as it may be kept: of the fields named, what is to be redacted is, and tags are added."""
    if screen.looks_for_nothing:
        return item
    passed = _Pass(screen, path, count)
    changes: dict[str, Any] = {name: passed.text(name, getattr(item, name)) for name in _TEXTS if name in fields}
    changes |= {name: passed.names(name, getattr(item, name)) for name in _LISTS if name in fields}
    if "slot" in fields:
        passed.key("slot", item.slot)
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
