"""Messages for the extractors, as a conversation would have them."""

from datetime import UTC, datetime

from mnemic.model.fact import ExtractionRequest, SourceMessage
from mnemic.model.memory import Role, from_micros, to_micros

# A Monday.
SAID_AT = to_micros(datetime(2023, 5, 8, 13, 56, tzinfo=UTC))


def message(body, *, number=1, name="Ana", role=Role.USER, said_at=SAID_AT):
    return SourceMessage(
        memory_id=f"m{number}",
        role=role,
        name=name,
        body=body,
        event_time_micros=said_at + number,
        create_time_micros=said_at + number,
    )


def request(*bodies, name="Ana", role=Role.USER, said_at=SAID_AT, **parts):
    messages = tuple(
        message(body, number=number, name=name, role=role, said_at=said_at) for number, body in enumerate(bodies, 1)
    )
    return ExtractionRequest(messages=messages, **parts)


def day(fact):
    """The day on which a fact's time begins."""
    return from_micros(fact.event_time_micros).date().isoformat()
