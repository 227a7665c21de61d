"""The fault campaign: a server under mixed load is killed (SIGKILL) again and again, and must never break its word.

    python tests/end_to_end/chaos.py --kills 1000

Writers tell stories (`chaos_stories`) of adds, supersessions, updates, deletions, restorations, erasures and
retention, while snapshots and backups are written. After each kill the raw files are searched for what was erased for
good, and the next server is asked for what was acknowledged: nothing lost, nothing back, the index equal to the store.
"""

from __future__ import annotations

import argparse
import collections
import os
import random
import re
import sys
import tempfile
import threading
import time
from pathlib import Path

import grpc
from chaos_stories import BudgetStory, Story, Stubs, backup
from processes import ServerProcess

WRITERS = 4
STORIES_PER_WRITER = 3
TOKEN = re.compile(rb"tok[0-9a-f]{16}")
# So little memory for indexes that partitions are evicted, and their snapshots written, all the time.
SETTINGS = {"MNEMIC_LIMITS__INDEX_BYTES": str(4 * 1024 * 1024)}
# How often a server is killed while it still starts, before the one that is loaded.
EARLY_KILLS = 0.1
SECONDS_BEFORE_KILL = (0.05, 1.0)


class Campaign:
    """The stories, and the server between two kills.

    Args:
        directory: The data directory of the server.
        seed: Decides everything but the scheduling of threads and processes.
    """

    def __init__(self, directory: Path, seed: int) -> None:
        self.directory = directory
        self.chance = random.Random(seed)
        self.forbidden: set[str] = set()
        self.backups = 0
        self.failures: list[BaseException] = []
        self.writers = [
            [
                (BudgetStory if number == 0 else Story)(random.Random(self.chance.random()), self.forbidden)
                for number in range(STORIES_PER_WRITER)
            ]
            for _ in range(WRITERS)
        ]

    @property
    def stories(self):
        return [story for stories in self.writers for story in stories]

    def counts(self):
        """How many calls of each kind were acknowledged."""
        total = collections.Counter(backup=self.backups)
        for story in self.stories:
            total.update(story.counts)
        return total

    def kill_once(self):
        """One life of the server: verified, loaded, killed; then the files are searched."""
        if self.chance.random() < EARLY_KILLS:
            process = ServerProcess.begin(self.directory)
            time.sleep(self.chance.uniform(0, 1.5))
            ServerProcess.end(process)
        server = ServerProcess(self.directory)
        try:
            self._verify(server, self.chance.sample(self.stories, 2))
            threads = [threading.Thread(target=self._tell, args=(server, stories)) for stories in self.writers]
            threads.append(threading.Thread(target=self._back_up, args=(server,)))
            for thread in threads:
                thread.start()
            time.sleep(self.chance.uniform(*SECONDS_BEFORE_KILL))
        finally:
            server.kill()
        for thread in threads:
            thread.join(timeout=120)
        if self.failures:
            raise self.failures[0]
        self.search_files()

    def finish(self):
        """All stories verified, the server stopped in order, the files searched once more."""
        server = ServerProcess(self.directory)
        try:
            self._verify(server, self.stories)
        finally:
            code = server.stop()
        assert code == 0
        self.search_files()

    def _verify(self, server, stories):
        with grpc.insecure_channel(server.address) as channel:
            for story in stories:
                story.verify(Stubs(channel))

    def _tell(self, server, stories):
        chance = stories[0].chance
        self._until_killed(server, lambda stubs: chance.choice(stories).step(stubs))

    def _back_up(self, server):
        def make(stubs):
            assert backup(stubs) > 0
            self.backups += 1

        self._until_killed(server, make)

    def _until_killed(self, server, call):
        with grpc.insecure_channel(server.address) as channel:
            stubs = Stubs(channel)
            while not self.failures:
                try:
                    call(stubs)
                except grpc.RpcError as error:
                    if error.code() is grpc.StatusCode.UNAVAILABLE:
                        return
                    self.failures.append(error)
                except BaseException as error:  # noqa: BLE001 (a thread's failure is the campaign's)
                    self.failures.append(error)

    def search_files(self):
        """Demands that no file of the data directory has a word that was erased for good."""
        for file in sorted(self.directory.rglob("*")):
            if file.is_file():
                left = {token.decode() for token in TOKEN.findall(file.read_bytes())} & self.forbidden
                assert not left, f"{file.name} still has {len(left)} of {len(self.forbidden)} erased words: {left}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=1000, help="how many kills (%(default)s)")
    parser.add_argument("--seed", type=int, default=20261123, help="what decides the load (%(default)s)")
    options = parser.parse_args()
    os.environ |= SETTINGS
    with tempfile.TemporaryDirectory(prefix="mnemic-chaos-") as directory:
        campaign = Campaign(Path(directory) / "data", options.seed)
        started = time.monotonic()
        for number in range(1, options.kills + 1):
            campaign.kill_once()
            if number % 10 == 0 or number == options.kills:
                told = ", ".join(f"{count:,} {name}" for name, count in sorted(campaign.counts().items()))
                print(f"{number:,} kills in {time.monotonic() - started:,.0f} s: {told}", flush=True)
        campaign.finish()
    print(f"nothing lost, nothing back: {options.kills:,} kills, {len(campaign.forbidden):,} words erased for good")
    return 0


if __name__ == "__main__":
    sys.exit(main())
