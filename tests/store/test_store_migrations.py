"""The schema: what the migrations make is what the tables say, on every dialect, also from an installed package."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, create_engine, inspect, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable
from store_support import add, changes, insertion, memory_of, new_id, remove

from mnemic.model.errors import MnemicError, Reason
from mnemic.store import listing, schema
from mnemic.store.interface import PartitionEnd
from mnemic.store.rows import scope_values, version_values
from mnemic.store.sqlite import DATABASE_FILE_NAME, open_sqlite
from mnemic.store.tables import metadata


def connect(store):
    return store._database._readers.connect()


def test_the_migrations_make_the_tables(store):
    with connect(store) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_migrations_make_the_very_statements_of_the_tables(store):
    """What a comparison overlooks: constraints, partial indexes, SQLite's options."""
    plain = create_engine("sqlite://")
    metadata.create_all(plain)
    statements = "SELECT sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND name <> 'alembic_version' ORDER BY 1"
    with plain.connect() as expected, connect(store) as connection:
        made = [_unordered(statement) for statement in connection.execute(text(statements)).scalars()]
        assert made == [_unordered(statement) for statement in expected.execute(text(statements)).scalars()]
        assert len(made) > 20
    plain.dispose()


def test_the_head_that_the_code_names_is_the_last_migration(store):
    config = Config()
    config.set_main_option("script_location", "mnemic.store:migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == schema.HEAD
    with connect(store) as connection:
        assert schema.current_revision(connection) == schema.HEAD


def test_opening_again_changes_nothing_and_needs_no_alembic(tmp_path):
    with_data = open_sqlite(tmp_path)
    memory = memory_of()
    add(with_data, memory)
    with_data.close()
    script = (
        "import sys; from pathlib import Path; from mnemic.store.sqlite import open_sqlite; "
        f"store = open_sqlite(Path({str(tmp_path)!r})); print(store.revision(), 'alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=_python_path()
    )
    assert done.stdout.split() == ["1", "False"]


def test_a_store_of_the_first_schema_is_brought_up_to_date(tmp_path):
    """What it holds is read as before; what happens to it from then on is found by revision."""
    old = memory_of("of old", memory_id=new_id())
    _make_first_schema(tmp_path, old)
    with closing(open_sqlite(tmp_path)) as store:
        assert store.check() == []
        assert store.get("t", [old.memory_id]) == {old.memory_id: replace(old, revision=1)}
        assert changes(store, after=1) == ([], [])
        add(store, written := memory_of("written since"))
        remove(store, old, now=5)
        rows, ends = changes(store, after=1)
        assert [memory.body for memory, _ in rows] == [written.body]
        assert ends == [PartitionEnd(old.memory_id, 1, None)]


def test_a_store_of_a_newer_version_is_refused(tmp_path):
    open_sqlite(tmp_path).close()
    engine = create_engine(f"sqlite:///{tmp_path / DATABASE_FILE_NAME}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(MnemicError) as caught:
        open_sqlite(tmp_path)
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    assert "newer" in caught.value.message
    assert "9999" in caught.value.message


def test_a_migration_that_fails_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("uuid.uuid4", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        open_sqlite(tmp_path)
    engine = create_engine(f"sqlite:///{tmp_path / DATABASE_FILE_NAME}")
    assert inspect(engine).get_table_names() == []
    engine.dispose()
    monkeypatch.undo()
    open_sqlite(tmp_path).close()


def test_the_migrations_lie_beside_the_code():
    """They are found as package data, so they must be Python packages of the wheel."""
    directory = Path(schema.__file__).parent / "migrations"
    assert {path.name for path in directory.glob("*.py")} == {"__init__.py", "env.py"}
    assert (directory / "versions" / "__init__.py").exists()


def test_postgresql_takes_the_tables():
    dialect = postgresql.dialect()
    for table in metadata.sorted_tables:
        statement = str(CreateTable(table).compile(dialect=dialect))
        assert "AUTOINCREMENT" not in statement
        for index in table.indexes:
            CreateIndex(index).compile(dialect=dialect)
    versions = str(CreateTable(metadata.tables["memory_versions"]).compile(dialect=dialect))
    assert 'memory_id TEXT COLLATE "C" NOT NULL' in versions
    one_holds = next(i for i in metadata.tables["memory_versions"].indexes if i.name == "uq_memory_versions_one_holds")
    assert str(CreateIndex(one_holds).compile(dialect=dialect)).endswith("WHERE valid_to_micros IS NULL")
    assert "NULLS LAST" in str(listing.newest_by_scope(_query()).compile(dialect=dialect))


def _make_first_schema(directory, memory):
    """A database as version 0001 left it, with one memory."""
    engine = create_engine(f"sqlite:///{directory / DATABASE_FILE_NAME}")
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", "mnemic.store:migrations")
        command.upgrade(config, "0001")
        tables = MetaData()
        tables.reflect(connection)

        def insert(table, /, **values):
            connection.execute(tables.tables[table].insert(), values)

        place = {"tenant": "t", "partition_id": 1}
        insert("tenants", tenant="t", create_time_micros=1)
        insert("partitions", id=1, tenant="t", owner_kind=1, owner_id="ann", changed_revision=1)
        insert("scopes", id=1, **place, **scope_values(memory.scope))
        rest = {"scope_id": 1, "revision": 1, "is_deleted": False, "delete_time_micros": None, "delete_revision": None}
        insert("memory_versions", id=1, **place, **rest, **version_values(insertion(memory)))
        connection.execute(text("UPDATE store_state SET revision = 1, last_version_id = 1"))
    engine.dispose()


def _unordered(statement):
    """The parts of a statement; the order of constraints means nothing, nor where a column was added."""
    return sorted(part.strip() for part in re.split(r"[,\n]", statement) if part.strip())


def _query():
    from mnemic.model.scope import Scope, ScopeMatch

    return listing.ListQuery(
        tenant="t",
        scope=Scope(user_id="u"),
        match=ScopeMatch.EXACT,
        limit=1,
        now_micros=0,
        before_id=None,
        before_version=None,
        as_of_micros=None,
        include_superseded=False,
        include_expired=False,
    )


def _python_path():
    import os

    return os.environ | {"PYTHONPATH": str(Path(schema.__file__).parents[2])}
