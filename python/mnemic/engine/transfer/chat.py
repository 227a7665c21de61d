"""Chat logs of the common shapes, as JSON or JSON Lines.

- messages: `{"role", "content"}` with a name, a time and ids where there are some; as lines or as one array
- OpenAI: `{"messages": [...]}`, one conversation a line or a document
- ShareGPT: `{"conversations": [{"from", "value"}]}`
- sessions: `{"sessions": [{"time", "messages": [...]}, ...]}`, and LoCoMo's `session_1` beside `session_1_date_time`
- LongMemEval: `haystack_sessions` beside `haystack_dates` and `haystack_session_ids`
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mnemic.engine.transfer.foreign import ForeignItem, metadata_of, precision_of, role_of, scope_of, time_of
from mnemic.engine.transfer.json_stream import values
from mnemic.model.errors import MnemicError, invalid_field
from mnemic.model.memory import Role
from mnemic.model.scope import Scope

_MESSAGES = ("messages", "conversations", "turns", "dialog", "dialogue", "items")
_TEXTS = ("content", "body", "text", "value", "message")
_ROLES = ("role", "from", "sender")
_TIMES = ("event_time", "timestamp", "time", "date", "created_at", "create_time", "ts")
_IDS = ("session_id", "conversation_id", "thread_id", "id", "sample_id", "question_id")
_SESSION = re.compile(r"session_(\d+)")


@dataclass(frozen=True, slots=True)
class _Setting:
    """What a conversation says of its messages.

    Attributes:
        scope: The ids that they carry unless they say otherwise.
        time: Their time unless they say otherwise, as it is written.
    """

    scope: Scope
    time: object = None


def read_chat(chunks: Iterable[bytes]) -> Iterator[ForeignItem | MnemicError]:
    """The messages of a file, or why one cannot be taken.

    Raises:
        MnemicError: INVALID_FIELD when the file as a whole is no JSON.
    """
    order = 0
    for value in values(chunks):
        for message, setting in _messages(value, _Setting(Scope())):
            yield _read(message, setting, order)
            order += 1


def _messages(value: object, setting: _Setting) -> Iterator[tuple[object, _Setting]]:
    """The messages of a value with what is said of their conversation, whatever its shape."""
    if isinstance(value, list):
        for item in value:
            yield from _messages(item, setting)
        return
    if not isinstance(value, Mapping):
        yield value, setting
        return
    if isinstance(value.get("haystack_sessions"), list):
        yield from _haystack(value, setting)
        return
    inner = value.get("conversation")
    if isinstance(inner, Mapping):
        yield from _messages(inner, _inside(value, setting))
        return
    numbered = sorted((int(found[1]), key) for key in value if (found := _SESSION.fullmatch(key)))
    if numbered:
        yield from _numbered(value, [key for _, key in numbered], _inside(value, setting))
        return
    sessions = value.get("sessions")
    listed = (
        sessions
        if isinstance(sessions, list)
        else next((value[key] for key in _MESSAGES if isinstance(value.get(key), list)), None)
    )
    if listed is None:
        yield value, setting
        return
    yield from _messages(listed, _inside(value, setting))


def _inside(value: Mapping[str, Any], setting: _Setting) -> _Setting:
    """What an object says of the messages in it; one that names itself names their session."""
    try:
        ids = scope_of(value)
    except MnemicError:
        ids = Scope()
    named = next((str(value[key]) for key in _IDS if isinstance(value.get(key), str | int) and value[key] != ""), None)
    outer = setting.scope
    session = ids.session_id or named
    if outer.session_id and session and session != outer.session_id:
        session = f"{outer.session_id}/{session}"
    time = next((value[key] for key in _TIMES if value.get(key) is not None), setting.time)
    scope = Scope(
        ids.user_id or outer.user_id,
        ids.agent_id or outer.agent_id,
        session or outer.session_id,
        ids.app_id or outer.app_id,
    )
    return _Setting(scope, time)


def _numbered(value: Mapping[str, Any], keys: Sequence[str], setting: _Setting) -> Iterator[tuple[object, _Setting]]:
    for key in keys:
        outer = setting.scope.session_id
        scope = replace(setting.scope, session_id=f"{outer}/{key}" if outer else key)
        time = value.get(f"{key}_date_time", setting.time)
        yield from _messages(value[key], _Setting(scope, time))


def _haystack(value: Mapping[str, Any], setting: _Setting) -> Iterator[tuple[object, _Setting]]:
    sessions = value["haystack_sessions"]
    dates = value.get("haystack_dates") or []
    names = value.get("haystack_session_ids") or []
    for position, session in enumerate(sessions):
        name = names[position] if position < len(names) else f"session_{position + 1}"
        time = dates[position] if position < len(dates) else setting.time
        yield from _messages(session, _Setting(replace(setting.scope, session_id=str(name)), time))


def _read(message: object, setting: _Setting, order: int) -> ForeignItem | MnemicError:
    if isinstance(message, MnemicError):
        return message
    if not isinstance(message, Mapping):
        return invalid_field("message", f"is a JSON {type(message).__name__}, not an object")
    try:
        return _message(message, setting, order)
    except MnemicError as error:
        return error


def _message(message: Mapping[str, Any], setting: _Setting, order: int) -> ForeignItem:
    body = _text(message)
    own, outer = scope_of(message), setting.scope
    scope = Scope(
        own.user_id or outer.user_id,
        own.agent_id or outer.agent_id,
        own.session_id or outer.session_id,
        own.app_id or outer.app_id,
    )
    role, name = _speaker(message)
    when = next((message[key] for key in _TIMES if message.get(key) is not None), setting.time)
    moment = None if when is None else time_of(when, "time")
    # What has no time of its own is told apart by its place: "yes" may be said twice.
    has_place = moment is None or when is setting.time
    return ForeignItem(
        identity=repr(("chat", int(role), name, body, moment, order if has_place else None)),
        has_place=has_place,
        scope=scope,
        body=body,
        role=role,
        name=name,
        event_time_micros=moment,
        event_time_precision=precision_of(when),
        order=order,
        metadata=metadata_of(message.get("metadata")),
        categories=tuple(item for item in message.get("categories") or () if isinstance(item, str)),
    )


def _text(message: Mapping[str, Any]) -> str:
    value = next((message[key] for key in _TEXTS if message.get(key) is not None), None)
    if isinstance(value, list):
        # OpenAI's form as a list of parts.
        parts = [part.get("text") if isinstance(part, Mapping) else part for part in value]
        value = "\n".join(part for part in parts if isinstance(part, str))
    if not isinstance(value, str) or not value.strip():
        raise invalid_field("content", f"is no text; it is looked for under {', '.join(_TEXTS)}")
    return value


def _speaker(message: Mapping[str, Any]) -> tuple[Role, str]:
    name = message.get("name")
    speaker = message.get("speaker")
    said = next((message[key] for key in _ROLES if message.get(key) is not None), None)
    if said is None and isinstance(speaker, str):
        # Of two people who speak by name, neither is the assistant.
        return Role.USER, speaker
    role = Role.USER if said is None else role_of(said)
    return role, name if isinstance(name, str) else speaker if isinstance(speaker, str) else ""
