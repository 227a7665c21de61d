"""Watching: woken by what concerns it, told from the store, never more than it may see."""

import threading

import pytest

from mnemic.engine import watching
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.filters import Comparison, Operator
from mnemic.model.memory import ChangeKind, MemoryInput
from mnemic.model.scope import Scope, ScopeMatch
from mnemic.model.watching import WatchRequest
from mnemic.store.changes import ChangePosition

ANNA, BEN = Scope(user_id="anna"), Scope(user_id="ben")
TENANT = "default"


@pytest.fixture
def watch(engine):
    """Opens a watch."""
    opened = []

    def make(scope=ANNA, *, within=None, tenant=TENANT, **request):
        asked = WatchRequest(scope=scope, **request)
        opened.append(engine.watching.open(tenant, asked, **({} if within is None else {"within": within})))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def add(engine, *texts, scope=ANNA, tenant=TENANT, **fields):
    return engine.add(tenant, scope, [MemoryInput(body=text, **fields) for text in texts])


def taken(opened) -> list[tuple[str, int]]:
    """What there is to be told, each text with the revision up to which all is told with it."""
    found = []
    while (changes := opened.take(0)) is not None:
        found += [(entry.memory.body, changes.revision) for entry in changes]
    return found


def test_what_is_committed_from_now_on_is_told(engine, watch):
    add(engine, "before")
    opened = watch()
    assert taken(opened) == []
    revision = add(engine, "one", "two").revision
    assert taken(opened) == [("one", revision), ("two", revision)]
    assert taken(opened) == []


def test_what_came_after_a_revision_is_told_first(engine, watch):
    first = add(engine, "one").revision
    second = add(engine, "two").revision
    assert taken(watch(after_revision=first)) == [("two", second)]
    assert taken(watch(from_start=True)) == [("one", first), ("two", second)]
    assert taken(watch(after_revision=second)) == []


def test_who_waits_is_woken_by_a_commit_that_concerns_it_and_by_no_other(engine, watch):
    opened, woken = watch(), threading.Event()
    opened.take(0)
    wait = opened._subscription._event.wait
    opened._subscription._event.wait = lambda seconds: (woken.set(), wait(seconds))[1]
    found = []
    waiting = threading.Thread(target=lambda: found.append(opened.take(60)))
    waiting.start()
    assert woken.wait(10)
    last = add(engine, "another's", scope=BEN).revision
    assert not opened._subscription._event.is_set()
    add(engine, "hers")
    waiting.join(10)
    assert [entry.memory.body for entry in found[0]] == ["hers"]
    assert found[0].revision == last + 1


def test_what_does_not_concern_it_is_told_by_a_revision_alone(engine, watch):
    opened = watch(heartbeat_seconds=1.0)
    last = add(engine, "another's", scope=BEN).revision
    first = next(opened.run(lambda: True))
    assert (first.changes, first.revision) == ((), last)


def test_the_scope_is_that_of_a_search(engine, watch):
    session = Scope(user_id="anna", session_id="s")
    visible, exact, tenant = watch(), watch(match=ScopeMatch.EXACT), watch(Scope(), match=ScopeMatch.TENANT)
    inside = watch(session)
    add(engine, "in the session", scope=session)
    add(engine, "hers")
    add(engine, "bens", scope=BEN)
    found = [[text for text, _ in taken(opened)] for opened in (visible, exact, tenant, inside)]
    everything = ["in the session", "hers", "bens"]
    assert found == [["hers"], everything[:2], everything, everything[:2]]


def test_a_restricted_credential_is_told_only_of_memories_that_carry_its_ids(engine, watch):
    agent = Scope(agent_id="a")
    both = Scope(user_id="anna", agent_id="a")
    narrow = watch(both, within=agent)
    foreign = watch(BEN, within=ANNA)
    add(engine, "hers alone")
    add(engine, "hers with the agent", scope=both)
    add(engine, "bens", scope=BEN)
    assert [text for text, _ in taken(narrow)] == ["hers with the agent"]
    assert taken(foreign) == []
    with pytest.raises(MnemicError) as refused:
        watch(Scope(), match=ScopeMatch.TENANT, within=agent)
    assert refused.value.reason is Reason.PERMISSION_DENIED


def test_another_tenant_is_never_told(engine, watch):
    opened = watch(tenant="other", from_start=True)
    add(engine, "ours")
    add(engine, "theirs", tenant="other")
    assert [text for text, _ in taken(opened)] == ["theirs"]


def test_a_filter_looks_at_what_the_memory_is_after_the_change(engine, watch):
    opened = watch(filter=Comparison("metadata.topic", Operator.EQUAL, ("food",)))
    add(engine, "bread", metadata={"topic": "food"})
    add(engine, "Oslo", metadata={"topic": "home"})
    assert [text for text, _ in taken(opened)] == ["bread"]


def test_a_large_commit_comes_in_pieces_of_which_the_last_has_its_revision(engine, watch, monkeypatch):
    monkeypatch.setattr(watching, "_PAGE", 5)
    monkeypatch.setattr(watching, "_PIECE", 2)
    before = add(engine, "before").revision
    opened = watch()
    revision = add(engine, *(f"m {number}" for number in range(7))).revision
    pieces = []
    while (changes := opened.take(0)) is not None:
        pieces.append((len(changes), changes.revision))
    assert pieces == [(2, before), (2, before), (1, before), (2, revision)]
    # Who lost the connection within it is told all of it once more.
    assert len(taken(watch(after_revision=pieces[1][1]))) == 7


def test_long_texts_come_in_pieces_too(engine, watch, monkeypatch):
    monkeypatch.setattr(watching, "_PIECE_BYTES", 10)
    opened = watch()
    add(engine, "12345678", "12345678", "12345678901234567890", "1")
    sizes = []
    while (changes := opened.take(0)) is not None:
        sizes.append(len(changes))
    assert sizes == [1, 1, 1, 1]


def test_one_who_does_not_come_is_told_everything_when_it_does(engine, watch):
    opened = watch()
    for number in range(600):
        add(engine, f"m {number}")
    assert not opened._pieces
    assert [text for text, _ in taken(opened)] == [f"m {number}" for number in range(600)]


def test_deletions_and_supersessions_are_told(engine, watch):
    old = add(engine, "Anna eats meat").memories[0].memory_id
    opened = watch()
    add(engine, "Anna is vegan", supersedes=[old])
    engine.delete(TENANT, old)
    changes = [entry for _ in range(2) for entry in opened.take(0)]
    assert [(entry.change, entry.memory.body) for entry in changes] == [
        (ChangeKind.ADDED, "Anna is vegan"),
        (ChangeKind.SUPERSEDED, "Anna eats meat"),
        (ChangeKind.DELETED, "Anna eats meat"),
    ]


@pytest.mark.parametrize(
    ("request_fields", "field"),
    [
        ({"after_revision": -1}, "after_revision"),
        ({"after_revision": 1, "from_start": True}, "from_start"),
        ({"heartbeat_seconds": 0.5}, "heartbeat"),
        ({"heartbeat_seconds": float("nan")}, "heartbeat"),
    ],
)
def test_bad_requests_are_refused(engine, watch, request_fields, field):
    with pytest.raises(MnemicError) as refused:
        watch(**request_fields)
    assert [violation.field for violation in refused.value.violations] == [field]


def test_a_revision_that_is_not_reached_is_refused(engine, watch):
    with pytest.raises(MnemicError) as refused:
        engine.watching.open(
            TENANT, WatchRequest(scope=ANNA, after_revision=10**6), deadline=watching.Deadline.after(0.01)
        )
    assert refused.value.reason in {Reason.REVISION_NOT_REACHED, Reason.DEADLINE_EXCEEDED}


def test_what_is_closed_is_forgotten(engine, watch):
    opened = watch()
    assert engine.watching._index.announcer._subscriptions
    opened.close()
    assert not engine.watching._index.announcer._subscriptions


def test_whoever_catches_up_is_told_when_it_has(engine, watch, monkeypatch):
    monkeypatch.setattr("mnemic.store.following._MOST_LOOKED_AT", 5)
    for number in range(20):
        last = add(engine, f"m {number}").revision
    nothing = Comparison("metadata.topic", Operator.EQUAL, ("none",))
    told = watch(from_start=True, filter=nothing).run(lambda: True)
    # The first answer comes at once, however far it has come by then; the next one long before the heartbeat.
    assert next(told).revision < last
    assert next(told).revision == last


def test_nothing_is_missed_or_told_twice_while_many_write(engine, watch):
    users = [Scope(user_id=f"user {number}") for number in range(3)]
    everywhere = watch(Scope(), match=ScopeMatch.TENANT, heartbeat_seconds=1.0)
    opened = [*(watch(scope, heartbeat_seconds=1.0) for scope in users), everywhere]
    found, told = [[] for _ in opened], [0 for _ in opened]
    ended = threading.Event()

    def write(writer: int) -> None:
        for number in range(30):
            scope = users[(writer + number) % 3]
            memory_id = add(engine, f"{writer} {number}", scope=scope).memories[0].memory_id
            if number % 3 == 0:
                engine.delete(TENANT, memory_id)

    def read(position: int) -> None:
        for changes in opened[position].run(lambda: not (ended.is_set() and told[position] == last)):
            told[position] = changes.revision
            found[position] += [(entry.revision, entry.change, entry.memory.memory_id) for entry in changes]

    last = -1
    readers = [threading.Thread(target=read, args=(position,)) for position in range(len(opened))]
    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in readers + writers:
        thread.start()
    for thread in writers:
        thread.join()
    last = engine.revision()
    ended.set()
    for one in opened:
        one.wake()
    for thread in readers:
        thread.join(30)
        assert not thread.is_alive()
    page = engine._store.changes(TENANT, None, ChangePosition(0), until_revision=last, limit=10_000)
    assert len(page.changes) == 4 * (30 + 10)
    for position, scope in enumerate([*users, None]):
        assert found[position] == [
            (entry.revision, entry.change, entry.memory.memory_id)
            for entry in page.changes
            if scope is None or entry.memory.scope == scope
        ]
