"""Connections and transactions: many readers, one writer at a time, and one kind of error."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from mnemic.model.errors import MnemicError, Reason, invalid_field
from mnemic.store.write_ahead_log import WriteAheadLog

ErrorTranslator = Callable[[DBAPIError], MnemicError]


class Database:
    """Hands out transactions.

    Args:
        readers: Pooled connections on which a transaction sees one snapshot.
        writer: The connection that writes; its transactions take the database's write lock when they begin.
        translate: What an error of the driver means.
        log: SQLite's write-ahead log, which is kept short after commits.
    """

    def __init__(self, *, readers: Engine, writer: Engine, translate: ErrorTranslator, log: WriteAheadLog) -> None:
        self._readers = readers
        self._writer = writer
        self._translate = translate
        self._log = log
        self._write_lock = threading.Lock()
        self._closed = False

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one consistent snapshot and never waits for a writer."""
        self._refuse_when_closed()
        with self._one_kind_of_error(), self._readers.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is committed durably at the end of the block, or rolled back when the block raises."""
        with self._write_lock:
            self._refuse_when_closed()
            with self._one_kind_of_error(), self._writer.begin() as connection:
                yield connection
            self._keep_log_short()

    @contextmanager
    def alone(self) -> Iterator[sqlite3.Connection]:
        """The connection that writes, outside of transactions, for what a database does only there. SQLite's."""
        with self._write_lock:
            self._refuse_when_closed()
            with self._one_kind_of_error(), self._outside_of_transactions() as connection:
                yield connection

    @contextmanager
    def changing_pages(self) -> Iterator[sqlite3.Connection]:
        """As `alone`, for what changes the file behind the connection: then comes a new one, with an empty cache."""
        with self._write_lock:
            self._refuse_when_closed()
            try:
                with self._one_kind_of_error(), self._outside_of_transactions() as connection:
                    yield connection
            finally:
                self._log.look_before_closing()
                self._writer.dispose()

    def close(self) -> None:
        """Waits for the writer, then closes the connections; a second call does nothing."""
        with self._write_lock:
            self._closed = True
            self._log.look_before_closing()
            self._readers.dispose()
            self._writer.dispose()

    @contextmanager
    def _outside_of_transactions(self) -> Iterator[sqlite3.Connection]:
        pooled = self._writer.raw_connection()
        try:
            connection = pooled.driver_connection
            if not isinstance(connection, sqlite3.Connection):
                raise TypeError(f"{type(connection).__name__} is no connection of SQLite")
            yield connection
        finally:
            pooled.close()

    def _keep_log_short(self) -> None:
        """What was committed stays so whatever happens here, and the next commit tries again."""
        with suppress(OSError, sqlite3.Error, SQLAlchemyError):
            if self._log.is_due():
                with self._outside_of_transactions() as connection:
                    self._log.checkpoint(connection)

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise MnemicError(Reason.STORE_UNAVAILABLE, "the store is closed; open it again")

    @contextmanager
    def _one_kind_of_error(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self._translate(error) from error
        except sqlite3.Error as error:  # from a connection that is used alone
            raise MnemicError(Reason.STORE_UNAVAILABLE, f"the database cannot be used: {error}") from error
        except PoolTimeoutError as error:
            raise MnemicError(
                Reason.STORE_UNAVAILABLE,
                "every connection to the database is in use; try again",
                retry_after_seconds=0.1,
            ) from error
        except SQLAlchemyError as error:
            raise MnemicError(Reason.INTERNAL, f"the store failed: {error}") from error
        except json.JSONDecodeError as error:
            raise MnemicError(
                Reason.CORRUPT_DATA, f"a row of the database holds JSON that cannot be read: {error}"
            ) from error
        except UnicodeEncodeError as error:
            raise invalid_field("text", "holds a lone surrogate; valid Unicode is accepted") from error
        except OverflowError as error:
            raise invalid_field("integer", "is beyond 64 bits; -2^63 to 2^63-1 is accepted") from error
