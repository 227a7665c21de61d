"""No read that serves a page or a partition looks at rows that it does not need, however large the store grows.

The planner decides without statistics (the store gathers none), so its plan on a small database is its plan on a
large one.
"""

from __future__ import annotations

import pytest
from sqlalchemy import event
from store_support import DIMENSION, MODEL, add, memory_of, new_id, vector_of

from mnemic.model.scope import OwnerKind, PartitionKey, Scope, ScopeMatch
from mnemic.store import listing
from mnemic.store.interface import VersionEnd, WriteBatch
from mnemic.store.work import OutboxKind

LISTINGS = [
    {},
    {"include_superseded": True},
    {"as_of_micros": 5},
    {"before_id": new_id()},
    {"include_superseded": True, "before_id": new_id(), "before_version": 3},
    {"include_expired": True, "with_vectors": True},
]


@pytest.fixture
def plans(store):
    """The plan of each statement that a reader runs from here on: (detail lines, statement)."""
    store.register_model(MODEL, DIMENSION, active=True)
    add(store, memory_of(vector=vector_of(1)), memory_of(scope=Scope(user_id="ann", session_id="s")))
    add(store, *(memory_of(scope=Scope(agent_id="a", app_id="p", session_id="s", user_id=user)) for user in "xyz"))
    explained: list[tuple[list[str], str]] = []

    def explain(connection, cursor, statement, parameters, context, executemany):
        if statement.startswith("SELECT"):
            rows = connection.connection.driver_connection.execute("EXPLAIN QUERY PLAN " + statement, parameters)
            explained.append(([row[3] for row in rows], statement))

    engine = store._database._readers
    event.listen(engine, "before_cursor_execute", explain)
    yield explained
    event.remove(engine, "before_cursor_execute", explain)


# Tables of which there is one row, or one per embedding model.
SMALL = ("store_state", "embedding_models")


def scans(plans):
    return [
        (line, statement)
        for lines, statement in plans
        for line in lines
        if line.startswith("SCAN ")
        and not line.startswith(("SCAN CONSTANT ROW", *(f"SCAN {table}" for table in SMALL)))
        # Subqueries that were cut to a page before.
        and not line.startswith(("SCAN anon_", "SCAN (subquery"))
    ]


def sorts_of_rows(plans):
    return [
        statement
        for lines, statement in plans
        if any("TEMP B-TREE" in line for line in lines) and statement.startswith("SELECT memory_versions.")
    ]


@pytest.mark.parametrize("options", LISTINGS)
@pytest.mark.parametrize(
    ("scope", "match"),
    [
        (Scope(user_id="ann"), ScopeMatch.VISIBLE),
        (Scope(user_id="ann", agent_id="a", session_id="s", app_id="p"), ScopeMatch.VISIBLE),
        (Scope(user_id="ann"), ScopeMatch.EXACT),
        (Scope(agent_id="a"), ScopeMatch.EXACT),
        (Scope(app_id="p"), ScopeMatch.EXACT),
        (Scope(session_id="s"), ScopeMatch.EXACT),
        (Scope(), ScopeMatch.TENANT),
    ],
)
@pytest.mark.parametrize("many_scopes", [2000, 0])
def test_listing_walks_an_index_in_order(store, plans, monkeypatch, options, scope, match, many_scopes):
    monkeypatch.setattr(listing, "MANY_SCOPES", many_scopes)
    store.list_memories("t", scope, match, limit=50, now_micros=0, **options)
    assert plans
    assert scans(plans) == []
    assert sorts_of_rows(plans) == []


def test_a_partition_is_read_in_the_order_of_its_index(store, plans):
    key = PartitionKey("t", OwnerKind.USER, "ann")
    assert len(store.partition_rows(key)[0]) == 2
    store.partition_changes(key, 0)
    assert scans(plans) == []
    assert sorts_of_rows(plans) == []


def test_changes_are_found_without_looking_at_what_did_not_change(store, plans):
    key = PartitionKey("t", OwnerKind.USER, "ann")
    (memory, _), *_ = store.partition_rows(key)[0]
    store.write(WriteBatch(tenant="t", ends=[VersionEnd(memory.memory_id, 1, 5)], now_micros=5))
    plans.clear()
    assert store.scan_changes(key, 1, lambda _: None, rows=10) == 3
    assert scans(plans) == []
    used = {line.split(" (")[0] for lines, _ in plans for line in lines if "memory_versions" in line}
    assert used == {
        "SEARCH memory_versions USING INDEX ix_memory_versions_partition_id_id",
        "SEARCH memory_versions USING INDEX ix_memory_versions_changed",
    }
    assert not [line for lines, _ in plans for line in lines if "TEMP B-TREE" in line]


def test_reads_by_id_and_lists_of_scopes_seek(store, plans):
    store.get("t", [new_id(), new_id()], with_vectors=True)
    store.history("t", new_id())
    store.list_scopes("t", Scope(), limit=10, after=Scope(user_id="a"))
    store.list_scopes("t", Scope(agent_id="a"), limit=10)
    store.partitions("t", Scope(user_id="ann"), ScopeMatch.VISIBLE)
    store.find_request("t", "AddMemories", "x")
    store.revision()
    assert scans(plans) == []


def test_what_has_no_vector_is_found_without_looking_at_what_has(store, plans):
    store.versions_without_vector(MODEL, limit=10)
    store.count_without_vector(MODEL)
    assert {line for line, _ in scans(plans)} <= {"SCAN pending_vectors"}


def test_work_is_claimed_in_order_without_sorting(store, plans):
    engine = store._database._writer
    seen = []
    event.listen(engine, "before_cursor_execute", lambda *arguments: seen.append(arguments[2:4]))
    store.claim_outbox(OutboxKind.EMBED, limit=10, now_micros=5, lease_micros=1)
    ((statement, parameters),) = [(text, values) for text, values in seen if "FROM outbox" in text]
    with store._database.reading() as connection:
        rows = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters).all()
    assert [row[3] for row in rows] == ["SEARCH outbox USING INDEX ix_outbox_due (kind=?)"]
