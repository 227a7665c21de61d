"""Errors on the wire: whatever an error holds, its status is whole, faithful and small enough to arrive."""

from google.rpc import code_pb2, error_details_pb2
from hypothesis import example, given
from hypothesis import strategies as st

from mnemic.model.errors import FieldViolation, MnemicError, Reason
from mnemic.server.status import grpc_status, ingest_error, rich_status

# What clients accept in trailing metadata, less what a transport adds of its own.
CLIENT_METADATA_BYTES = 8192 - 256
words = st.text(st.characters(), max_size=2000)


def percent_encoded_size(text: str) -> int:
    return sum(1 if 0x20 <= byte <= 0x7E and byte != ord("%") else 3 for byte in text.encode())


@given(
    reason=st.sampled_from(Reason),
    message=words,
    metadata=st.dictionaries(words, words, max_size=20),
    violations=st.lists(st.builds(FieldViolation, words, words), max_size=20),
    retry=st.none() | st.floats(0, 3600),
)
@example(
    reason=Reason.INVALID_FIELD,
    message="ł" * 9000,
    metadata={f"{n}" * 200: "€" * 9000 for n in range(9)},
    violations=[FieldViolation("f" * 500, "🦊" * 9000)] * 9,
    retry=1.0,
)
def test_a_status_arrives(reason, message, metadata, violations, retry):
    error = MnemicError(reason, message, metadata=metadata, violations=violations, retry_after_seconds=retry)
    status = rich_status(error)
    assert code_pb2.Code.Name(status.code) == reason.code.value
    on_the_wire = grpc_status(error)
    size = percent_encoded_size(on_the_wire.details) + sum(
        len(value) * 4 // 3 for _, value in on_the_wire.trailing_metadata
    )
    assert size < CLIENT_METADATA_BYTES
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain) == (reason.value, "mnemic.dev")
    assert len(status.details) == 1 + bool(violations) + (retry is not None)


@given(body=st.text(max_size=100), seconds=st.floats(0.001, 3600))
def test_what_fits_is_not_cut(body, seconds):
    safe = body.encode("utf-8", "replace").decode()
    error = MnemicError(
        Reason.OVERLOADED,
        safe,
        metadata={"key": safe},
        violations=[FieldViolation("field", safe)],
        retry_after_seconds=seconds,
    )
    status = rich_status(error)
    info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    assert all(packed.Unpack(detail) for packed, detail in zip(status.details, (info, bad, retry), strict=True))
    assert status.message == safe
    assert dict(info.metadata) == {"key": safe}
    assert [(item.field, item.description) for item in bad.field_violations] == [("field", safe)]
    assert abs(retry.retry_delay.ToMicroseconds() - seconds * 1e6) <= 1
    step = ingest_error(error)
    assert (step.code, step.message, step.reason) == (status.code, safe, "OVERLOADED")
    assert dict(step.metadata) == {"key": safe}
    assert [(item.field, item.description) for item in step.violations] == [("field", safe)]
