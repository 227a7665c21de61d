"""Opening a store that is, or is to be, encrypted: the right keys and the right state, or a clear refusal."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import Connection, select, update
from sqlalchemy.exc import OperationalError

from mnemic.model.errors import MnemicError, Reason
from mnemic.store.rows import chunks
from mnemic.store.sealing import DestroyedKeyError, Sealer, SealingState, sealer_of
from mnemic.store.sealing_settings import EncryptionSettings
from mnemic.store.tables import memory_versions, outbox, partitions, requests, scopes, store_state

KEYS_FILE_NAME = "keys.db"

_STATE = select(store_state.c.sealing, store_state.c.key_id)


def open_sealer(directory: Path, settings: EncryptionSettings) -> Sealer:
    """The sealer of a data directory, with its keys open when the settings name a master key.

    Raises:
        MnemicError: STORE_UNAVAILABLE when the master key is another one or does not answer.
    """
    if not settings.is_on:
        return Sealer()
    # A store that is not encrypted needs no cryptography, and none of the time that loading it takes.
    from mnemic.store.sealing_keys import Keyring  # noqa: PLC0415 (the reason above)
    from mnemic.store.sealing_masters import master_key_of  # noqa: PLC0415 (the same)

    master = master_key_of(settings)
    return Sealer() if master is None else Sealer(Keyring(directory / KEYS_FILE_NAME, master))


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


def destroy_keys(connection: Connection, scope_ids: Iterable[int], partition_ids: Iterable[int] = ()) -> int:
    """Destroys the data keys of scopes, and those of partitions' snapshots. When this returns, nothing that was sealed
    under them can be read again, in the database or in a backup. No rollback brings them back: an erasure calls it when
    it has been decided durably. Again, or in a store that is not encrypted: no change.

    Args:
        connection: Of the store; it is only read.
        scope_ids: Row ids of `scopes`.
        partition_ids: Row ids of `partitions`.

    Returns:
        How many keys were there.
    """
    sealer = sealer_of(connection)
    if not sealer.can_seal:
        return 0
    key_ids: list[bytes] = []
    for table, row_ids in ((scopes, scope_ids), (partitions, partition_ids)):
        for ids in chunks(list(row_ids)):
            found = connection.execute(select(table.c.key_id).where(table.c.id.in_(ids), table.c.key_id.is_not(None)))
            key_ids.extend(found.scalars())
    return sealer.keyring.destroy(key_ids)


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
