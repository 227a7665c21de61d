"""The checks of `mnemic doctor`. None of them changes a memory, and a data directory that is not there is not made."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mnemic.cli.backend import Connection, connection_of, directory_settings, quiet_logs
from mnemic.cli.check import Check, Level, failed, tokenizers_check
from mnemic.cli.failures import hint_for
from mnemic.cli.options import TargetOptions
from mnemic.cli.terminal import counted
from mnemic.cli.version import UNKNOWN, installed_version
from mnemic.embedding.provider import EmbeddingProvider
from mnemic.engine.settings import Settings
from mnemic.engine.tokens import Tokenizers
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.stats import IndexStats
from mnemic.store.interface import Store

_OLDEST_PYTHON = (3, 11)
# Strict tables and `RETURNING`, which the store uses.
_OLDEST_SQLITE = (3, 37, 0)
_TIMED_CALLS = 20


def run_checks(target: TargetOptions) -> Iterator[Check]:
    """All checks that make sense for the target; each failure is a check and none raises."""
    quiet_logs()
    yield from _versions()
    yield from _core()
    address = target.address()
    if address is not None:
        yield from _live(address, connection_of(target))
        return
    try:
        settings = directory_settings(target)
    except MnemicError as error:
        yield failed("settings", error)
        return
    yield from _directory(settings, target)


def _live(address: str, connection: Connection) -> Iterator[Check]:
    from mnemic.cli.live_checks import check_server  # noqa: PLC0415 (start-up time: loads grpc)

    yield from check_server(address, connection)


def _versions() -> Iterator[Check]:
    yield Check("mnemic", Level.OK, installed_version("mnemic"))
    python = platform.python_version()
    if sys.version_info >= _OLDEST_PYTHON:
        yield Check("Python", Level.OK, f"{python} on {platform.system()} {platform.machine()}")
    else:
        yield Check("Python", Level.FAIL, python, "install Python 3.11 or newer")
    if sqlite3.sqlite_version_info >= _OLDEST_SQLITE:
        yield Check("SQLite", Level.OK, sqlite3.sqlite_version)
    else:
        yield Check("SQLite", Level.FAIL, sqlite3.sqlite_version, "use a Python that carries SQLite 3.37 or newer")
    for distribution in ("grpcio", "onnxruntime"):
        found = installed_version(distribution)
        if found == UNKNOWN:
            yield Check(distribution, Level.FAIL, "not installed", f"pip install {distribution}")
        else:
            yield Check(distribution, Level.OK, found)


def _core() -> Iterator[Check]:
    try:
        from mnemic import _core as core  # noqa: PLC0415 (that it cannot be loaded is a finding)
    except ImportError as error:
        yield Check("core", Level.FAIL, str(error), "install mnemic again; from a clone, run make build")
        return
    info = core.build_info()
    level = Level.OK if info["profile"] == "release" else Level.WARN
    hint = "" if level is Level.OK else "it is slow; build it with --release (make build)"
    yield Check("core", level, f"{info['version']}, {info['profile']} build for {info['target']}", hint)
    yield Check("SIMD", Level.OK, f"{info['simd']} in use; this CPU can run {', '.join(core.simd_paths())}")


def _directory(settings: Settings, target: TargetOptions) -> Iterator[Check]:
    provider: EmbeddingProvider | None = None
    try:
        from mnemic.embedding.factory import open_provider  # noqa: PLC0415 (start-up time: loads onnxruntime)

        provider = open_provider(settings.embedding)
        yield _timed_embedding(settings, provider)
    except MnemicError as error:
        hint = f"mnemic models pull {settings.embedding.provider}"
        yield failed("model", error, hint if error.reason is Reason.MODEL_NOT_INSTALLED else "")
    yield _tokenizers(settings)
    try:
        yield from _data(settings.data_directory.expanduser().absolute(), settings, provider, target)
    finally:
        if provider is not None:
            provider.close()


def _tokenizers(settings: Settings) -> Check:
    """What contexts can be counted by; the operator's files are read."""
    from mnemic.embedding.factory import tokenizer_file  # noqa: PLC0415 (start-up time: loads onnxruntime)

    tokenizers = Tokenizers(tokenizer_file(settings.embedding), settings.composing.tokenizers)
    try:
        for name in settings.composing.tokenizers:
            tokenizers.counter(name)
    except MnemicError as error:
        return failed("tokenizers", error, "set composing.tokenizers to files of the form `tokenizer.json`")
    return tokenizers_check(tokenizers.names)


def _timed_embedding(settings: Settings, provider: EmbeddingProvider) -> Check:
    texts = [f"Where did she go in the summer of {2000 + number}?" for number in range(_TIMED_CALLS + 1)]
    calls = texts if provider.is_local else texts[:2]
    provider.embed(calls[:1])
    times = []
    for text in calls[1:]:
        begin = time.perf_counter()
        provider.embed([text])
        times.append(time.perf_counter() - begin)
    milliseconds = sorted(times)[len(times) // 2] * 1000
    found = (
        f"{settings.embedding.provider}: {provider.identity}, {provider.dimension} dimensions, "
        f"{milliseconds:.2f} ms for a short text"
    )
    return Check("model", Level.OK, found)


def _data(
    directory: Path, settings: Settings, provider: EmbeddingProvider | None, target: TargetOptions
) -> Iterator[Check]:
    from mnemic.store.sqlite import DATABASE_FILE_NAME, open_sqlite  # noqa: PLC0415 (start-up time: loads sqlalchemy)

    if not (directory / DATABASE_FILE_NAME).exists():
        yield _empty_directory(directory)
        return
    if not os.access(directory, os.W_OK):
        yield Check("data directory", Level.FAIL, f"{directory} cannot be written", "give this user write access")
        return
    try:
        store = open_sqlite(directory, encryption=settings.encryption)
    except MnemicError as error:
        if "holder_pid" in error.metadata:
            yield from _in_use(error, target)
        else:
            yield failed("data directory", error)
        return
    try:
        stats = store.stats()
        yield Check(
            "data directory",
            Level.OK,
            f"{directory}, {counted(stats.memories, 'memory', 'memories')}, revision {stats.revision}",
        )
        damage = store.check()
        yield _findings("store", damage, "no damage found", "restore a backup, or ask for help with what was found")
        if provider is not None:
            yield from _index(settings, store, provider)
    except MnemicError as error:
        yield failed("store", error)
    finally:
        store.close()


def _in_use(error: MnemicError, target: TargetOptions) -> Iterator[Check]:
    """Who has the directory; if it is a server that this user may trust, what there is to say of it."""
    address = error.metadata.get("holder_address", "")
    if not _is_own(address):
        hint = hint_for(error) or "stop the other process to have the store and the index checked"
        yield Check("data directory", Level.WARN, error.message, hint)
        return
    hint = "the checks that follow ask it; stop it to have the store and the index checked"
    yield Check("data directory", Level.WARN, error.message, f"{hint_for(error)}; {hint}")
    yield from _live(address, Connection(api_key=target.credential()))


def _is_own(address: str) -> bool:
    """Whether a credential may be sent there unasked: a socket of this very user's, or this machine."""
    from mnemic.cli.serving import is_loopback  # noqa: PLC0415 (the commands import this module)

    if address.startswith("unix:"):
        path = Path(address.removeprefix("unix:"))
        return path.exists() and path.stat().st_uid == os.getuid()
    return bool(address) and is_loopback(address)


def _empty_directory(directory: Path) -> Check:
    parent = next(path for path in (directory, *directory.parents) if path.exists())
    if os.access(parent, os.W_OK | os.X_OK) and parent.is_dir():
        return Check("data directory", Level.OK, f"{directory} is empty; it is made at the first start")
    return Check(
        "data directory",
        Level.FAIL,
        f"{directory} is not there and {parent} cannot be written",
        "give this user write access, or name another with --data-directory",
    )


def _findings(name: str, findings: list[str], sound: str, hint: str) -> Check:
    if not findings:
        return Check(name, Level.OK, sound)
    more = f" (and {len(findings) - 5} more)" if len(findings) > 5 else ""
    return Check(name, Level.FAIL, "; ".join(findings[:5]) + more, hint)


def _index(settings: Settings, store: Store, provider: EmbeddingProvider) -> Iterator[Check]:
    from mnemic.engine.live_index import LiveIndex  # noqa: PLC0415 (needs the core, whose absence is a finding)
    from mnemic.engine.reembedding import status_of  # noqa: PLC0415 (the same)
    from mnemic.engine.snapshots import open_snapshots  # noqa: PLC0415 (the same)

    active = next((model for model in store.models() if model.active), None)
    if active is not None and active.identity != provider.identity:
        found = f"the store was embedded with {active.identity}, the settings name {provider.identity}"
        status = status_of(store, is_filling=False)
        if status.target_model == provider.identity:
            found += f", of which {status.done_count:,} of {counted(status.total_count, 'version')} have a vector"
        yield Check("vectors", Level.FAIL, found, f"mnemic reembed --embedding {settings.embedding.provider}")
        return
    missing = store.count_without_vector(provider.identity)
    if missing:
        hint = "they follow while a server runs and the provider answers"
        yield Check("vectors", Level.WARN, f"{counted(missing, 'version')} without an embedding", hint)
    else:
        yield Check("vectors", Level.OK, f"every version has one of {provider.identity}")
    snapshots = open_snapshots(store, provider.identity, settings.limits)
    index = LiveIndex(store, provider.dimension, budget_bytes=settings.limits.index_budget(), snapshots=snapshots)
    partitions = store.all_partitions()
    compared = index.compare(partitions)
    yield _snapshots(index.stats(), compared.refused_snapshots)
    sound = f"agrees with the store: {counted(compared.rows, 'row')} in {counted(len(partitions), 'partition')}"
    yield _findings("index", compared.differences, sound, "report this, and remove the directory of the snapshots")


def _snapshots(stats: IndexStats, refused: list[str]) -> Check:
    if refused:
        found = _findings("snapshots", refused, "", "nothing is lost: they are made anew; if it recurs, check the disk")
        return replace(found, level=Level.WARN)
    size = f"{stats.snapshot_bytes / 1e6:,.1f} MB"
    return Check("snapshots", Level.OK, f"{counted(stats.snapshots, 'file')}, {size}, no damage found")
