"""What entering reads in the audit log costs: `python -m bench.audited`.

One client searches three servers in turn, a hundred searches at a time: natively, with `audit.reads` (relayed and
entered), and without a front. Latencies as the client sees them, and processor time of the server for a search.
"""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import grpc

from bench.harness import carried_texts, running_server
from mnemic.v1 import memory_service_pb2 as messages
from mnemic.v1 import memory_service_pb2_grpc as service
from mnemic.v1 import resources_pb2

ROUNDS = 10
SEARCHES_PER_ROUND = 100
SCOPE = resources_pb2.Scope(user_id="u")
SERVERS = {
    "native": ("false",),
    "audit.reads": ("true",),
    "front off": ("false", "--front", "off"),
}


class Target:
    """One of the servers, and what its searches took."""

    def __init__(self, channel: grpc.Channel, process: int, texts: list[str]) -> None:
        self._stub = service.MemoryServiceStub(channel)
        self._process = process
        self._stub.AddMemories(messages.AddMemoriesRequest(scope=SCOPE, texts=texts))
        self._requests = [messages.SearchMemoriesRequest(scope=SCOPE, query=text, top_k=10) for text in texts]
        self.seconds: list[float] = []
        self.work = 0.0
        self.search()
        self.seconds.clear()
        self.work = 0.0

    def search(self) -> None:
        """One round."""
        before = self._processor_seconds()
        for number in range(SEARCHES_PER_ROUND):
            begin = time.perf_counter()
            self._stub.SearchMemories(self._requests[number % len(self._requests)], timeout=60)
            self.seconds.append(time.perf_counter() - begin)
        self.work += self._processor_seconds() - before

    def _processor_seconds(self) -> float:
        fields = Path(f"/proc/{self._process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    texts = carried_texts()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mnemic-bench-")))
        targets = {}
        for name, (reads, *flags) in SERVERS.items():
            with patch.dict(os.environ, {"MNEMIC_AUDIT__READS": reads}):
                server = running_server(directory / name, "--embedding", "static", *flags)
                address, process = stack.enter_context(server)
            targets[name] = Target(stack.enter_context(grpc.insecure_channel(address)), process, texts)
        for _ in range(ROUNDS):
            for target in targets.values():
                target.search()
        for name, target in targets.items():
            ordered = sorted(target.seconds)
            p50, p99 = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]
            work = target.work / len(ordered)
            print(
                f"{name + ':':13} p50 {p50 * 1e6:,.0f} µs, p99 {p99 * 1e6:,.0f} µs, CPU {work * 1e6:,.0f} µs a search"
            )
    print(f"load: {os.getloadavg()[0]:.1f} on {os.cpu_count()} threads")


if __name__ == "__main__":
    main()
