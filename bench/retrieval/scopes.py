"""Goals 5 and 10: small scopes among many memories, and very many tiny scopes."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence

import numpy as np
import psutil

from bench.harness import console
from bench.retrieval.data import Data
from bench.retrieval.measuring import OURS, Contestant, Run
from bench.retrieval.ours import fill, rows_for, searcher, user_scope
from bench.retrieval.peers import THREADS, FaissFlat, Lancedb, Turbovec
from bench.retrieval.qdrant import NAME as QDRANT
from bench.retrieval.qdrant import QdrantShard
from bench.retrieval.vectors import Dataset, Vectors, harder, unit
from mnemic import _core
from mnemic.model.scope import Scope

SHARES = (0.001, 0.01, 0.1)
ALONE = "mnemic, same rows alone"
AS_SESSION = "mnemic, session of one user"
OTHERS = 1_000
TINY_ROWS = 10


def share_case(share: float) -> str:
    return f"scope of {share:.1%} of many"


def tiny_case(quick: bool) -> str:  # noqa: FBT001 - it says which of two sizes
    return f"{10_000 if quick else 100_000:,} scopes of {TINY_ROWS}"


def race_shares(run: Run, data: Data) -> None:
    """Owners are drawn by chance, as memories of many users arrive mixed."""
    count = 20_000 if run.quick else 100_000
    rows = harder(data.vectors, count, seed=13)
    queries = unit(harder(data.queries, len(data.queries), seed=14))
    owners = owners_of(count)
    texts = [data.texts[i % len(data.texts)] for i in range(count)]
    members = {owner: np.flatnonzero(owners == owner) for owner in np.unique(owners)}
    among = _core.Index(rows.shape[1])
    for owner, numbers in members.items():
        fill(among, numbers.tolist(), texts, user_scope(str(owner)), rows)
    as_session = _core.Index(rows.shape[1])
    sessions = [Scope(user_id="all", session_id=str(owner)) for owner in owners]
    fill(as_session, range(count), texts, sessions.__getitem__, rows)
    # As the engine does it: the rows that came after the load go into a base, where those of a session lie together.
    while as_session.upkeep(sessions[0].partition("default")):
        pass
    filters = _peer_filters(run, rows, owners, queries)
    for share in SHARES:
        owner = str(share)
        numbers = members[owner]
        alone = _core.Index(rows.shape[1])
        fill(alone, numbers.tolist(), texts, user_scope(owner), rows)
        contestants = [
            searcher(among, Scope(user_id=owner), queries=queries),
            searcher(alone, Scope(user_id=owner), queries=queries, name=ALONE),
            searcher(as_session, Scope(user_id="all", session_id=owner), queries=queries, name=AS_SESSION),
            *(make(owner, numbers.tolist()) for make in filters),
        ]
        dataset = Dataset.of(rows[numbers], queries, numbers)
        run.race(share_case(share), contestants, len(queries), dataset=dataset, seconds=0.7)


def owners_of(count: int) -> np.ndarray:
    """Who owns each row: an owner per share, named by it, and others of a thousand rows each."""
    names = np.array([*(str(share) for share in SHARES)])
    sizes = [int(count * share) for share in SHARES]
    rest = count - sum(sizes)
    others = np.array([f"other {i // OTHERS}" for i in range(rest)])
    owners = np.concatenate([np.repeat(names, sizes), others])
    return owners[np.random.default_rng(15).permutation(count)]


FilterOf = Callable[[str, list[int]], Contestant]


def _peer_filters(run: Run, rows: Vectors, owners: np.ndarray, queries: Vectors) -> list[FilterOf]:
    """For each peer that is installed, what makes it search one owner's rows."""
    made: list[FilterOf] = []
    console.print(f"filling the peers with {len(rows):,} rows …", style="dim")
    numbers, users = list(range(len(rows))), [str(owner) for owner in owners]
    case = share_case(SHARES[0])
    try:
        shard = QdrantShard(rows.shape[1], words=False)
        shard.add(numbers, users, rows)
        shard.optimize()
        made.append(lambda owner, _: shard.nearest(queries, owner))
    except ImportError as error:
        run.note(case, QDRANT, f"skipped: {error}")
    for kind in (Turbovec, FaissFlat):
        try:
            peer = kind(rows.shape[1], len(rows))
            peer.add(numbers, rows, threads=THREADS)
            made.append(lambda _, allowed, peer=peer: peer.filtered(queries, allowed))
        except ImportError as error:
            run.note(case, kind.name, f"skipped: {error}")
    try:
        lance = Lancedb(rows.shape[1], len(rows))
        lance.add(numbers, rows, users=users)
        made.append(lambda owner, _: lance.filtered(queries, owner))
    except ImportError as error:
        run.note(case, Lancedb.name, f"skipped: {error}")
    return made


def race_tiny_scopes(run: Run, data: Data) -> None:
    count = 10_000 if run.quick else 100_000
    case = tiny_case(run.quick)
    console.print(f"{case}: filling …", style="dim")
    process = psutil.Process(os.getpid())
    before = process.memory_info().rss
    index = _core.Index(data.vectors.shape[1])
    for user in range(count):
        index.load(Scope(user_id=f"user {user}").partition("default"), _tiny_rows(user, data))
    rss = (process.memory_info().rss - before) / count
    held = index.stats().bytes / count
    run.note(case, OURS, f"{held:,.0f} bytes a scope in the index, {rss:,.0f} of RSS, rows included")
    run.race(case, [_visitor(index, count, data.queries)], len(data.queries) * 16)


def _tiny_rows(user: int, data: Data) -> list[tuple[object, bytes | None]]:
    first = (user * TINY_ROWS) % (len(data.vectors) - TINY_ROWS)
    scope = user_scope(f"user {user}")
    return rows_for(range(first, first + TINY_ROWS), data.texts, scope, data.vectors)


def _visitor(index: _core.Index, count: int, queries: Vectors) -> Contestant:
    """Each call asks another user, drawn by chance: most scopes come from memory, not from a cache."""
    chance = random.Random(17)
    users = [Scope(user_id=f"user {chance.randrange(count)}") for _ in range(len(queries) * 16)]
    calls: Sequence[Contestant] = [
        searcher(index, scope, queries=queries[i % len(queries)][None]) for i, scope in enumerate(users)
    ]
    return Contestant(OURS, lambda i: calls[i].call(0))
