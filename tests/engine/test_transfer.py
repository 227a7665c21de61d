"""Leaving and coming: a file of one revision whatever goes on, and a store that has what a file says, once."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mnemic.engine.engine import Engine
from mnemic.engine.settings import load_settings
from mnemic.engine.transfer.lines import decode_line, encode_line
from mnemic.model.deadline import Deadline
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.filters import Comparison, Operator
from mnemic.model.memory import ChangeKind, Memory, MemoryInput, MemoryKind, Role, TimePrecision, TrustLevel
from mnemic.model.requests import ListRequest, MemoryUpdate
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.model.search import SearchRequest
from mnemic.model.transfer import ExportRequest, ImportRequest, TransferFormat, VersionRecord
from mnemic.server.to_proto import memory as memory_message
from mnemic.store.sealing_masters import new_master_key
from mnemic.v1 import resources_pb2

USER = Scope(user_id="u")
WHOLE = ExportRequest(match=ScopeMatch.TENANT)
FORMATS = [TransferFormat.JSONL, TransferFormat.PARQUET]


@pytest.fixture(params=["plain", "encrypted"])
def other(tmp_path, request):
    encryption = {"key": new_master_key()} if request.param == "encrypted" else {}
    settings = load_settings(data_directory=tmp_path / "other", embedding={"provider": "static"}, encryption=encryption)
    with Engine.open(settings) as opened:
        yield opened


def add(engine, *texts, scope=USER, **more):
    inputs = [MemoryInput(body=text, **more) for text in texts]
    return [item.memory_id for item in engine.add("t", scope, inputs).memories]


def exported(engine, request=WHOLE, tenant="t", **more):
    return b"".join(piece.data for piece in engine.transfer.export_memories(tenant, request, **more))


def taken_in(engine, data, tenant="t", size=1000, **options):
    options.setdefault("format", TransferFormat.JSONL)
    chunks = (data[start : start + size] for start in range(0, len(data), size))
    return list(engine.transfer.import_memories(tenant, ImportRequest(**options), chunks))


def a_life(engine):
    """Memories of every kind of past."""
    ids = add(engine, *(f"text {number} about tea" for number in range(30)))
    engine.update("t", ids[0], MemoryUpdate(fields=frozenset({"body"}), body="coffee now"))
    engine.update("t", ids[0], MemoryUpdate(fields=frozenset({"importance"}), importance=0.9))
    engine.delete("t", ids[1])
    engine.delete("t", ids[2])
    engine.restore("t", ids[2])
    home = {"kind": MemoryKind.FACT, "slot": "home", "slot_value": "x"}
    add(engine, "lives in Oslo", **home)
    add(engine, "lives in Porto", **home)
    add(engine, "lived in Rome", event_time_micros=1_000_000, **home)
    add(engine, "plays chess", kind=MemoryKind.FACT, source_ids=(ids[3],), metadata={"a": 1, "b": ("x",), "c": 0.1})
    add(engine, "hello", scope=Scope(user_id="v", session_id="s"), role=Role.ASSISTANT, name="Ben", pinned=True)
    return ids


def everything(engine, tenant="t"):
    """All that is to be the same after a round trip: every entry of every history, without the revisions."""
    request = ListRequest(
        scope=Scope(), match=ScopeMatch.TENANT, include_superseded=True, include_expired=True, page_size=1000
    )
    return [replace(memory, revision=0) for memory in engine.list_memories(tenant, request).memories]


def found(engine, query, tenant="t", scope=USER):
    hits = engine.search(tenant, SearchRequest(scope=scope, query=query, match=ScopeMatch.EXACT, top_k=50)).hits
    return [(hit.memory_id, hit.body, round(hit.score, 6)) for hit in hits]


MEMORY = Memory(
    memory_id="0193d1c0-0000-7000-8000-000000000001",
    scope=Scope("u", "a", "s", "p"),
    kind=MemoryKind.FACT,
    body='a "quoted"\n line \u2028 ünï',
    role=Role.TOOL,
    name="Ana",
    event_time_micros=-1_000_001,
    event_time_end_micros=7,
    event_time_precision=TimePrecision.MONTH,
    create_time_micros=1_700_000_000_123_456,
    update_time_micros=1_700_000_000_123_457,
    valid_from_micros=-1_000_001,
    valid_to_micros=1_800_000_000_000_000,
    expire_time_micros=1_900_000_000_000_000,
    metadata={"t": "x", "i": 2**62, "f": 0.1, "b": False, "l": ("a", "b"), "e": ()},
    categories=("c",),
    source_ids=("0193d1c0-0000-7000-8000-000000000002",),
    entities=("Ana", "Porto"),
    slot="ana.home",
    slot_value="Porto",
    superseded_by="0193d1c0-0000-7000-8000-000000000003",
    confidence=0.5,
    importance=0.1,
    pinned=True,
    trust=TrustLevel.VERIFIED,
    version=3,
    revision=2**40,
    vector=b"\x00\x00\x80?" * 3,
    embedding_model="m:1",
)


def test_a_line_is_the_json_of_the_message():
    line = encode_line(VersionRecord(MEMORY))
    assert line.count(b"\n") == 1
    assert json_format.Parse(line, resources_pb2.Memory()) == memory_message(MEMORY)
    of_protobuf = json.dumps(json_format.MessageToDict(memory_message(MEMORY))).encode()
    assert decode_line(of_protobuf).memory == replace(MEMORY, importance=pytest.approx(0.1))


def test_a_line_is_read_as_it_was_written():
    record = VersionRecord(MEMORY, ChangeKind.UPDATED, "why", 1_850_000_000_000_000, takes_slot=True)
    assert decode_line(encode_line(record)) == record
    bare = replace(MEMORY, vector=None, embedding_model=None, metadata={}, importance=0.0, slot="", slot_value="")
    assert decode_line(encode_line(VersionRecord(bare))) == VersionRecord(bare)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("keep_vectors", [True, False])
def test_what_leaves_and_comes_again_is_the_same(engine, other, form, keep_vectors):
    a_life(engine)
    request = replace(WHOLE, format=form, include_history=True, include_vectors=keep_vectors)
    data = exported(engine, request)
    last = taken_in(other, data, format=form, keep_vectors=keep_vectors)[-1]
    assert (last.added_count, last.duplicate_count, last.error_count, last.done) == (38, 0, 0, True)
    assert everything(other) == everything(engine)
    for query in ("tea", "where does she live", "chess", "coffee"):
        assert found(other, query) == found(engine, query)
    assert other.check() == engine.check() == []
    assert other.stats("t").store.memories == engine.stats("t").store.memories


def test_a_history_comes_with_its_deletions(engine, other):
    ids = a_life(engine)
    taken_in(other, exported(engine, replace(WHOLE, include_history=True)))
    for memory_id in ids[:3]:
        kinds = [entry.change for entry in engine.history("t", memory_id)]
        assert [entry.change for entry in other.history("t", memory_id)] == kinds
    with pytest.raises(MnemicError, match="no memory"):
        other.get("t", ids[1])
    other.restore("t", ids[1])
    assert other.get("t", ids[1]).version == 2
    # What is written there is not what the file says.
    assert taken_in(other, exported(engine, replace(WHOLE, include_history=True)))[-1].error_count == 0
    assert other.check() == []


def test_only_what_holds_leaves_unless_asked(engine, other):
    ids = a_life(engine)
    lines = [json.loads(line) for line in exported(engine).splitlines()]
    assert len(lines) == 32
    assert all("validTo" not in line and "deleteTime" not in line and "vector" not in line for line in lines)
    last = taken_in(other, exported(engine))[-1]
    assert (last.added_count, last.error_count) == (32, 0)
    assert other.get("t", ids[0]).version == 3
    assert found(other, "tea") == found(engine, "tea")
    assert other.check() == []


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_file_twice_adds_nothing(engine, other, form):
    a_life(engine)
    data = exported(engine, replace(WHOLE, format=form, include_history=True))
    taken_in(other, data, format=form)
    before = other.revision()
    last = taken_in(other, data, format=form)[-1]
    assert (last.added_count, last.duplicate_count, last.error_count) == (0, 38, 0)
    assert other.revision() == before
    # Nor does it where it came from.
    assert taken_in(engine, data, format=form)[-1].added_count == 0


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_that_breaks_off_goes_on_at_its_revision(engine, form, monkeypatch):
    monkeypatch.setattr("mnemic.engine.transfer.exporting._PAGE", 7)
    monkeypatch.setattr("mnemic.engine.transfer.exporting._ROW_GROUP", 10)
    a_life(engine)
    request = replace(WHOLE, format=form)
    pieces = list(engine.transfer.export_memories("t", request))
    whole = b"".join(piece.data for piece in pieces)
    assert pieces[-1].summary.byte_count == len(whole)
    tokens = [piece.resume_token for piece in pieces]
    assert sum(map(bool, tokens)) >= 2
    for number, token in enumerate(tokens):
        if token:
            engine.add("t", USER, [MemoryInput(body=f"later {number}")])
            sent = b"".join(piece.data for piece in pieces[: number + 1])
            rest = list(engine.transfer.export_memories("t", replace(request, resume_token=token)))
            assert sent + b"".join(piece.data for piece in rest) == whole
            assert rest[-1].summary.memory_count == pieces[-1].summary.memory_count
            assert rest[-1].revision == pieces[-1].revision


ACTIONS = st.lists(st.tuples(st.sampled_from(["add", "update", "delete", "restore", "home"]), st.integers(0, 5)))


@hypothesis_settings(max_examples=25)
@given(before=ACTIONS, after=ACTIONS, history=st.booleans())
def test_what_is_written_meanwhile_is_not_in_the_file(before, after, history):
    with tempfile.TemporaryDirectory() as directory:
        settings = load_settings(data_directory=Path(directory), embedding={"provider": "static"})
        with Engine.open(settings) as engine:
            ids = add(engine, *(f"text {number}" for number in range(6)))
            carry_out(engine, ids, before)
            request = replace(WHOLE, include_history=history)
            expected = exported(engine, request)
            pieces = engine.transfer.export_memories("t", request)
            carry_out(engine, ids, after)
            assert b"".join(piece.data for piece in pieces) == expected


def carry_out(engine, ids, actions):
    for position, (action, number) in enumerate(actions):
        try:
            match action:
                case "add":
                    add(engine, f"more {position}")
                case "update":
                    changes = MemoryUpdate(fields=frozenset({"body"}), body=f"changed {position}")
                    engine.update("t", ids[number], changes)
                case "delete":
                    engine.delete("t", ids[number])
                case "restore":
                    engine.restore("t", ids[number])
                case "home":
                    fact = {"kind": MemoryKind.FACT, "slot": "home", "slot_value": str(number)}
                    ids[number] = add(engine, f"home {number}", event_time_micros=(number + 1) * 10**6, **fact)[0]
        except MnemicError as error:
            # What cannot be done to a memory that is deleted, or superseded, is not done.
            if error.reason not in {Reason.MEMORY_NOT_FOUND, Reason.INVALID_FIELD, Reason.VERSION_CONFLICT}:
                raise


def test_a_scope_and_a_filter_choose_what_leaves(engine):
    a_life(engine)
    session = Scope(user_id="v", session_id="s")
    assert exported(engine, ExportRequest(scope=session)).count(b"\n") == 1
    assert exported(engine, ExportRequest(scope=Scope(user_id="v"))) == b""
    assert exported(engine, ExportRequest(scope=Scope(user_id="v"), match=ScopeMatch.EXACT)).count(b"\n") == 1
    facts = Comparison("kind", Operator.EQUAL, ("fact",))
    assert exported(engine, ExportRequest(scope=USER, filter=facts)).count(b"\n") == 2
    assert exported(engine, tenant="nobody") == b""


def test_a_restricted_credential_takes_with_it_only_what_it_sees(engine):
    a_life(engine)
    within = Scope(user_id="v")
    exact = ExportRequest(scope=Scope(session_id="s"), match=ScopeMatch.EXACT)
    assert exported(engine, exact, within=within).count(b"\n") == 1
    assert exported(engine, ExportRequest(scope=USER), within=within) == b""
    with pytest.raises(MnemicError) as refused:
        exported(engine, WHOLE, within=within)
    assert refused.value.reason is Reason.PERMISSION_DENIED
    chunks = iter([exported(engine)])
    [*_, last] = engine.transfer.import_memories("t", ImportRequest(format=TransferFormat.JSONL), chunks, within=within)
    assert (last.added_count, last.duplicate_count, last.error_count) == (0, 1, 31)


@pytest.mark.parametrize(
    ("changes", "token"),
    [
        ({"include_history": True}, None),
        ({"scope": USER, "match": ScopeMatch.VISIBLE}, None),
        ({}, "nonsense"),
        ({}, ""),
    ],
)
def test_a_token_belongs_to_its_export(engine, monkeypatch, changes, token):
    monkeypatch.setattr("mnemic.engine.transfer.exporting._PAGE", 7)
    a_life(engine)
    given = next(engine.transfer.export_memories("t", WHOLE)).resume_token
    request = replace(WHOLE, **changes, resume_token=given if token is None else token)
    if token == "":
        assert exported(engine, request)
        return
    with pytest.raises(MnemicError) as refused:
        engine.transfer.export_memories("t", request)
    assert refused.value.reason is Reason.INVALID_PAGE_TOKEN
    assert refused.value.violations[0].field == "resume_token"


def test_what_was_said_here_already_is_a_duplicate_and_a_slot_keeps_its_newest_value(engine, other):
    a_life(engine)
    home = {"kind": MemoryKind.FACT, "slot": "home", "slot_value": "y"}
    add(other, "plays chess", kind=MemoryKind.FACT)
    add(other, "lives in Lima", **home)
    last = taken_in(other, exported(engine))[-1]
    assert (last.added_count, last.duplicate_count) == (31, 1)
    request = ListRequest(scope=USER, match=ScopeMatch.EXACT, page_size=1000)
    homes = [memory.body for memory in other.list_memories("t", request).memories if memory.slot == "home"]
    assert homes == ["lives in Lima"]
    assert other.check() == []


def test_a_memory_that_went_on_elsewhere_goes_on_here(engine, other):
    [memory_id] = add(engine, "one")
    taken_in(other, exported(engine, replace(WHOLE, include_history=True)))
    engine.update("t", memory_id, MemoryUpdate(fields=frozenset({"body"}), body="two"))
    data = exported(engine, replace(WHOLE, include_history=True))
    assert taken_in(other, data)[-1].added_count == 1
    assert other.get("t", memory_id).body == "two"
    assert everything(other) == everything(engine)
    # What went on both here and there is a conflict, and stays as it is here.
    other.update("t", memory_id, MemoryUpdate(fields=frozenset({"body"}), body="three here"))
    engine.update("t", memory_id, MemoryUpdate(fields=frozenset({"body"}), body="three there"))
    first, *_ = taken_in(other, exported(engine, replace(WHOLE, include_history=True)))
    assert [problem.reason for problem in first.errors] == ["VERSION_CONFLICT"]
    assert other.get("t", memory_id).body == "three here"
    assert other.check() == []


def test_another_tenant_and_another_user_get_copies(engine):
    a_life(engine)
    data = exported(engine, replace(WHOLE, include_history=True))
    for _ in range(2):
        taken_in(engine, data, tenant="t2")
        taken_in(engine, data, override_scope=Scope(user_id="copy"))
    assert engine.stats("t2").store.memories == 32
    assert engine.stats("t").store.memories == 64
    assert [hit[1:] for hit in found(engine, "tea", tenant="t2")] == [hit[1:] for hit in found(engine, "tea")]
    assert engine.check() == []


def test_what_only_is_checked_is_not_written(engine, other):
    a_life(engine)
    last = taken_in(other, exported(engine), validate_only=True)[-1]
    assert (last.added_count, last.done) == (32, True)
    assert other.revision() == 0


def test_an_import_goes_on_after_what_was_dealt_with(engine, other, monkeypatch):
    monkeypatch.setattr("mnemic.engine.transfer.importing._BATCH", 5)
    a_life(engine)
    data = exported(engine, replace(WHOLE, include_history=True))
    request = ImportRequest(format=TransferFormat.JSONL)
    answers = other.transfer.import_memories("t", request, iter([data]))
    dealt_with = [next(answers).processed_count for _ in range(3)][-1]
    assert 0 < dealt_with == other.stats("t").store.versions < 38
    last = taken_in(other, data, skip_count=dealt_with)[-1]
    assert (last.processed_count, last.added_count, last.duplicate_count) == (38, 38 - dealt_with, 0)
    assert everything(other) == everything(engine)


def broken(data, *numbers):
    lines = data.splitlines(keepends=True)
    for number in numbers:
        lines[number] = b'{"memoryId": "x"}\n'
    return b"".join(lines)


def test_items_at_fault_are_told_and_passed_over(engine, other):
    add(engine, *(f"text {number}" for number in range(500)))
    data = broken(exported(engine), *range(0, 500, 2))
    answers = taken_in(other, data)
    assert all(len(answer.errors) <= 100 for answer in answers)
    problems = [problem for answer in answers for problem in answer.errors]
    assert [problem.item_index for problem in problems] == list(range(0, 500, 2))
    assert problems[0].reason == "INVALID_FIELD"
    assert (answers[-1].added_count, answers[-1].error_count) == (250, 250)


def test_an_import_stops_at_the_first_error_if_asked(engine, other):
    add(engine, *(f"text {number}" for number in range(50)))
    [last] = taken_in(other, broken(exported(engine), 20), stop_on_error=True)
    assert (last.processed_count, last.added_count, last.error_count, last.done) == (20, 20, 1, False)
    assert last.errors[0].item_index == 20
    assert taken_in(other, exported(engine), skip_count=20)[-1].added_count == 30


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"body": " "}, "body: is empty"),
        ({"body": "x" * 40_000}, "body: is 40000 bytes long"),
        ({"memoryId": "7"}, "memoryId: '7' is not a memory id"),
        ({"scope": {}}, "scope: at least one of"),
        ({"scope": {"userId": 7}}, "userId"),
        ({"createTime": "soon"}, "createTime: 'soon' is no RFC 3339 time"),
        ({"createTime": None}, "createTime: is missing"),
        ({"kind": "MEMORY_KIND_MOOD"}, "kind: 'MEMORY_KIND_MOOD' is unknown"),
        ({"confidence": 2}, "confidence"),
        ({"version": 0}, "version: is 0"),
        ({"metadata": {"a": 1}}, "metadata['a']"),
        ({"supersededBy": "0193d1c0-0000-7000-8000-000000000003"}, "validTo: is missing"),
        ({"vector": "?"}, "vector: is no base64"),
    ],
)
def test_a_line_is_checked_as_an_add_is(engine, changes, message):
    add(engine, "good")
    values = json.loads(exported(engine)) | changes
    line = json.dumps({key: value for key, value in values.items() if value is not None}).encode()
    first, *_, last = taken_in(engine, line, tenant="t2")
    assert (last.added_count, last.error_count) == (0, 1)
    assert message in first.errors[0].message
    assert engine.stats("t2").store.memories == 0


def test_a_tenant_takes_in_no_more_than_it_may_hold(engine, tmp_path):
    add(engine, *(f"text {number}" for number in range(300)))
    data = exported(engine)
    limits = {"tenant_memories": 280}
    settings = load_settings(data_directory=tmp_path / "small", embedding={"provider": "static"}, limits=limits)
    with Engine.open(settings) as small:
        with pytest.raises(MnemicError) as refused:
            taken_in(small, data)
        assert refused.value.reason is Reason.QUOTA_EXCEEDED
        assert small.stats("t").store.memories == 256


def test_a_retry_gets_the_first_answer(engine, other):
    a_life(engine)
    request_id = "5f3b8d0e-6c1f-4e0b-9d52-4b8f3a7c2e61"
    first = taken_in(other, exported(engine), request_id=request_id)[-1]
    [again] = taken_in(other, b"whatever", request_id=request_id)
    assert again == replace(first, replayed=True)
    with pytest.raises(MnemicError) as refused:
        taken_in(other, b"", request_id=request_id, validate_only=True)
    assert refused.value.reason is Reason.REQUEST_ID_REUSED


def test_an_export_reads_in_pieces_of_bounded_size(engine):
    add(engine, *("x" * 30_000 + str(number) for number in range(200)))
    pieces = list(engine.transfer.export_memories("t", WHOLE))
    assert max(len(piece.data) for piece in pieces) == 1024 * 1024
    assert len(pieces) > 5


def test_without_pyarrow_parquet_names_the_extra(engine, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    add(engine, "x")
    with pytest.raises(MnemicError, match=r"mnemic\[parquet\]") as refused:
        exported(engine, replace(WHOLE, format=TransferFormat.PARQUET))
    assert refused.value.reason is Reason.NOT_IMPLEMENTED


def test_what_is_erased_meanwhile_is_in_no_later_page(engine, monkeypatch):
    from mnemic.model.erasure import ErasureRequest, ErasureTarget

    monkeypatch.setattr("mnemic.engine.transfer.exporting._PAGE", 5)
    add(engine, *(f"text {number}" for number in range(10)), scope=Scope(user_id="v"))
    a_life(engine)
    request = replace(WHOLE, include_history=True)
    pieces = engine.transfer.export_memories("t", request)
    next(pieces)
    engine.erasure.erase("t", ErasureRequest(target=ErasureTarget(scope=USER)), deadline=Deadline.after(30.0))
    rest = b"".join(piece.data for piece in pieces)
    assert b'"userId":"u"' not in rest
    assert rest.count(b'"userId":"v"') == 6
