"""Opening a store that is, or is to be, encrypted: the right keys and the right state, or a clear refusal."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, select, update
from sqlalchemy.exc import OperationalError

from mnemic.model.errors import MnemicError, Reason
from mnemic.store.sealing import DestroyedKeyError, Sealer, SealingState
from mnemic.store.sealing_settings import EncryptionSettings
from mnemic.store.tables import memory_versions, outbox, requests, store_state

KEYS_FILE_NAME = "keys.db"

_STATE = select(store_state.c.sealing, store_state.c.key_id)


def open_sealer(database: Path, settings: EncryptionSettings) -> Sealer:
    """The sealer of a data directory, with its keys open when the settings name a master key.

    Args:
        database: The database file; the keys lie beside it.
        settings: Where the master key comes from.

    Raises:
        MnemicError: STORE_UNAVAILABLE when the master key is another one or does not answer, or the keys of an
            encrypted store are not there.
    """
    if not settings.is_on:
        return Sealer()
    keys = database.with_name(KEYS_FILE_NAME)
    if not keys.exists() and _is_sealed(database):
        raise MnemicError(
            Reason.STORE_UNAVAILABLE,
            f"the store is encrypted and its keys are not there: put its {KEYS_FILE_NAME} into {database.parent}, such "
            "as from the directory that a backup was made of (nothing was opened or changed)",
        )
    # A store that is not encrypted needs no cryptography, and none of the time that loading it takes.
    from mnemic.store.sealing_keys import Keyring  # noqa: PLC0415 (the reason above)
    from mnemic.store.sealing_masters import master_key_of  # noqa: PLC0415 (the same)

    master = master_key_of(settings)
    return Sealer() if master is None else Sealer(Keyring(keys, master))


def _is_sealed(database: Path) -> bool:
    """Whether a database says that it is encrypted, in whatever state it is otherwise."""
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            row = connection.execute("SELECT sealing FROM store_state").fetchone()
    except sqlite3.Error:
        return False  # It is empty, older than encryption, or damaged, which its opening tells.
    return row is not None and row[0] != SealingState.NONE.value


def refuse_without_key(connection: Connection, sealer: Sealer) -> None:
    """Ends the opening of an encrypted store without a master key, before anything is written.

    Args:
        connection: Of a database that may be of any schema.
        sealer: The store's.
    """
    if sealer.can_seal:
        return
    try:
        state = connection.execute(_STATE).one_or_none()
    except OperationalError:
        return  # It is empty, or older than encryption.
    if state is not None and state.sealing != SealingState.NONE:
        raise MnemicError(
            Reason.STORE_UNAVAILABLE,
            "the store is encrypted and the settings name no master key; set encryption.key_file, encryption.key or "
            "encryption.key_command to the one that it was encrypted with (nothing was opened or changed)",
        )


def take_state(connection: Connection, sealer: Sealer, *, enabling: bool) -> None:
    """Tells the sealer how much of the store is sealed. An empty store is sealed from now on.

    Args:
        connection: A transaction that writes.
        sealer: The store's.
        enabling: Whether what is plain is about to be sealed; else a store that is partly so is refused.

    Raises:
        MnemicError: STORE_UNAVAILABLE when keys and store do not fit together.
    """
    if not sealer.can_seal:
        return
    row = connection.execute(_STATE).one()
    state = SealingState(row.sealing)
    if state is SealingState.NONE:
        if not enabling and _holds_words(connection):
            raise MnemicError(
                Reason.STORE_UNAVAILABLE,
                "the settings ask for encryption and the store holds plain text; run `mnemic encryption enable` to "
                "encrypt it (nothing was changed)",
            )
        state = SealingState.PARTLY if enabling else SealingState.WHOLE
        key_id = sealer.keyring.new_key().key_id
        connection.execute(update(store_state).values(sealing=state.value, key_id=key_id))
    else:
        key_id = row.key_id
        _require_key(sealer, key_id)
        if state is SealingState.PARTLY and not enabling:
            raise MnemicError(
                Reason.STORE_UNAVAILABLE,
                "encrypting the store was interrupted; run `mnemic encryption enable` again to finish it",
            )
    sealer.state, sealer.store_key = state, key_id


def finish_sealing(connection: Connection, sealer: Sealer) -> None:
    """Notes that everything is sealed: from now on a plain row is damage."""
    connection.execute(update(store_state).values(sealing=SealingState.WHOLE.value))
    sealer.state = SealingState.WHOLE


def _holds_words(connection: Connection) -> bool:
    return any(connection.execute(select(table).limit(1)).first() for table in (memory_versions, outbox, requests))


def _require_key(sealer: Sealer, key_id: bytes) -> None:
    try:
        sealer.keyring.key(key_id)
    except (MnemicError, DestroyedKeyError) as error:
        raise MnemicError(
            Reason.STORE_UNAVAILABLE,
            f"{KEYS_FILE_NAME} beside the database is not that of this store: it lacks the store's own key; put the "
            "right one back (nothing was opened or changed)",
        ) from error
