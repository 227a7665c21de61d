"""SIGTERM under load: each call is answered rightly or was refused before it began; what was acknowledged is there."""

import signal
import threading
from collections import Counter
from dataclasses import dataclass, field

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from test_server_process import address_of, process

from mnemic.v1 import memory_service_pb2 as pb
from mnemic.v1 import memory_service_pb2_grpc, resources_pb2

TIMEOUT = 60.0
ANNA = resources_pb2.Scope(user_id="anna")
KNOWN = "Anna likes tea."
# What a client says itself of a call that no server took: there was no connection, or it was told before that the
# connection ends. "Socket closed" is not among them: that call was under way.
NEVER_SENT = ("failed to connect", "GOAWAY received", "connections to all backends failing")


@dataclass
class Ledger:
    """What became of the calls, from many threads."""

    enough: threading.Event = field(default_factory=threading.Event)
    answered: Counter = field(default_factory=Counter)
    refused: Counter = field(default_factory=Counter)
    acknowledged: set[str] = field(default_factory=set)
    unbegun: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, kind: str, *, is_right: bool, said: object = "") -> None:
        with self.lock:
            self.answered[kind] += 1
            if not is_right:
                self.wrong.append(f"{kind} answered {said}")
            if all(self.answered[each] >= 20 for each in CALLERS):
                self.enough.set()

    def refuse(self, kind: str, error: grpc.RpcError) -> None:
        """Only a call that was not begun may fail."""
        with self.lock:
            self.refused[kind] += 1
            if not is_unbegun(error):
                self.wrong.append(f"{kind} ended with {error.code()}: {error.details()}")


def is_unbegun(error: grpc.RpcError) -> bool:
    if error.code() is not grpc.StatusCode.UNAVAILABLE:
        return False
    status = rpc_status.from_call(error)
    if status is None:
        return any(words in error.details() for words in NEVER_SENT)
    info = error_details_pb2.ErrorInfo()
    return status.details[0].Unpack(info) and info.reason == "SHUTTING_DOWN"


def search(channel, ledger, _number):
    """Answered natively."""
    stub = memory_service_pb2_grpc.MemoryServiceStub(channel)
    found = stub.SearchMemories(
        pb.SearchMemoriesRequest(scope=ANNA, query="likes tea", top_k=100, separate=True), timeout=TIMEOUT
    )
    bodies = [hit.body for hit in found.hits]
    ledger.answer("search", is_right=KNOWN in bodies, said=bodies[:3])


def listing(channel, ledger, _number):
    """Relayed, and reads."""
    stub = memory_service_pb2_grpc.MemoryServiceStub(channel)
    page = stub.ListMemories(pb.ListMemoriesRequest(scope=ANNA, page_size=10), timeout=TIMEOUT)
    ledger.answer("listing", is_right=len(page.memories) > 0)


def add(channel, ledger, number):
    """Relayed, and writes."""
    stub = memory_service_pb2_grpc.MemoryServiceStub(channel)
    text = f"added {number}"
    try:
        stub.AddMemories(pb.AddMemoriesRequest(scope=ANNA, texts=[text]), timeout=TIMEOUT)
    except grpc.RpcError:
        ledger.unbegun.add(text)
        raise
    ledger.acknowledged.add(text)
    ledger.answer("add", is_right=True)


def ingest(channel, ledger, number):
    """A relayed stream that writes, step by step."""
    stub = memory_service_pb2_grpc.MemoryServiceStub(channel)
    texts = [f"ingested {number} {step}" for step in range(5)]
    requests = (pb.IngestMemoriesRequest(add=pb.AddMemoriesRequest(scope=ANNA, texts=[text])) for text in texts)
    for answer in stub.IngestMemories(requests, timeout=TIMEOUT):
        if answer.HasField("added"):
            ledger.acknowledged.add(texts[answer.sequence])
        else:
            ledger.unbegun.add(texts[answer.sequence])
        ledger.answer("ingest", is_right=answer.error.reason in {"", "SHUTTING_DOWN"}, said=answer)


def probe(channel, ledger, _number):
    """Health, by the front itself; who is told NOT_SERVING goes elsewhere."""
    answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT)
    is_ending = answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
    ledger.answer("probe", is_right=is_ending or answer.status == health_pb2.HealthCheckResponse.SERVING)
    return is_ending


CALLERS = {"search": search, "listing": listing, "add": add, "ingest": ingest, "probe": probe}


def call_until_refused(address: str, kind: str, caller: int, ledger: Ledger) -> None:
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
    with grpc.insecure_channel(address, options) as channel:
        for number in range(100_000):
            try:
                if CALLERS[kind](channel, ledger, f"{caller}.{number}"):
                    return
            except grpc.RpcError as error:
                ledger.refuse(kind, error)
                return


def stored(address: str) -> set[str]:
    kept, token = set(), ""
    with grpc.insecure_channel(address) as channel:
        stub = memory_service_pb2_grpc.MemoryServiceStub(channel)
        while True:
            request = pb.ListMemoriesRequest(scope=ANNA, page_size=1000, page_token=token)
            page = stub.ListMemories(request, timeout=TIMEOUT)
            kept |= {memory.body for memory in page.memories}
            token = page.next_page_token
            if not token:
                return kept


@pytest.mark.parametrize("front", ["true", "false"], ids=["front", "python"])
def test_no_accepted_call_is_lost_when_it_stops_under_load(tmp_path, front):
    ledger = Ledger()
    with process(tmp_path / "data", MNEMIC_SERVER__FRONT=front, MNEMIC_SERVER__LOG_LEVEL="warning") as started:
        address = address_of(started)
        with grpc.insecure_channel(address) as channel:
            stub = memory_service_pb2_grpc.MemoryServiceStub(channel)
            stub.AddMemories(pb.AddMemoriesRequest(scope=ANNA, texts=[KNOWN]), timeout=TIMEOUT)
        callers = [
            threading.Thread(target=call_until_refused, args=(address, kind, caller, ledger))
            for kind in CALLERS
            for caller in range(2)
        ]
        for caller in callers:
            caller.start()
        assert ledger.enough.wait(TIMEOUT), ledger.answered
        started.send_signal(signal.SIGTERM)
        _, log = started.communicate(timeout=TIMEOUT)
        for caller in callers:
            caller.join(TIMEOUT)
    assert started.returncode == 0, log
    assert ledger.wrong == []
    assert set(ledger.refused) >= set(CALLERS) - {"probe"}, "each was calling until the end"
    with process(tmp_path / "data", MNEMIC_SERVER__FRONT=front) as again:
        kept = stored(address_of(again))
    assert ledger.acknowledged <= kept
    assert not ledger.unbegun & kept, "what was refused was not begun"
