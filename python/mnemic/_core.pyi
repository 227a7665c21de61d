"""The Rust core: the index, the embedding models, who may ask and the answers to them. Bindings only; the crates of
`rust_core` have the logic.

Every call releases the GIL while it works, and a search never waits for a write. Nothing here is part of the public
API: use `mnemic.Memory` or a client.
"""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import final

from mnemic.model.memory import Memory, MetadataValue
from mnemic.model.scope import PartitionKey, Scope

__all__ = [
    "AccessError",
    "Authenticator",
    "Close",
    "CoreError",
    "EmbeddingModel",
    "Filter",
    "Front",
    "Hit",
    "Index",
    "NativeAnswers",
    "PartitionStats",
    "Principal",
    "QueryEmbedder",
    "SearchOutcome",
    "SignalScore",
    "Snapshot",
    "TimeExpression",
    "TokenRules",
    "UnderstoodQuery",
    "VectorCache",
    "Weights",
    "__version__",
    "build_info",
    "find_entities",
    "find_times",
    "hash_secret",
    "method_roles",
    "simd_paths",
    "tokenize",
]

__version__: str

class CoreError(Exception):
    """A refusal of the core. `args` are (reason, field, message): the name of a `Reason`, a path and words."""

def build_info() -> dict[str, str]:
    """How the core was built and what it runs on: `version`, `profile`, `simd` (the path in use), `target`."""

def simd_paths() -> list[str]:
    """The SIMD paths that this CPU can run, best first; `portable` is always last."""

def tokenize(text: str) -> list[str]:
    """The terms under which a text is indexed, in order, repeats kept; stop words are left out."""

def find_entities(text: str) -> list[str]:
    """The names that the core itself finds in a text, as written, in order of first appearance."""

def find_times(text: str, *, reference_micros: int, utc_offset_minutes: int = 0) -> list[TimeExpression]:
    """The times that an English text names, in order; none overlaps another.

    Args:
        text: A message or a query.
        reference_micros: What "now" and "today" are, in microseconds since 1970-01-01 UTC: the event time of a message.
        utc_offset_minutes: How far the days of the text begin before those of UTC: 120 for UTC+2; cut to 18 hours.
    """

@final
class TimeExpression:
    """A time that a text names. Ranges are half-open, in microseconds since 1970-01-01 UTC."""

    @property
    def text(self) -> str:
        """Its words, as written."""

    @property
    def span(self) -> tuple[int, int]:
        """Its places in the text, in characters."""

    @property
    def start_micros(self) -> int | None:
        """Where its likeliest range begins; None for "before 2020"."""

    @property
    def end_micros(self) -> int | None:
        """The first moment after it; None for "after 2020"."""

    @property
    def alternatives(self) -> list[tuple[int | None, int | None, float]]:
        """Other ways to understand it: beginning, end, and how likely beside the likeliest, which has 1."""

    @property
    def precision(self) -> str:
        """How exactly it is named: `instant`, `hour`, `day_part`, `day`, `weekend`, `week`, `month`, `season`, `year`,
        `decade` or `span`.
        """

    @property
    def precision_number(self) -> int:
        """The number of `mnemic.v1.TimePrecision` that says it to the contract."""

    @property
    def kind(self) -> str:
        """From what it follows: `absolute`, `relative` to the reference time, or `partial` ("in May", "Friday")."""

    @property
    def direction(self) -> str:
        """Where it lies: `past`, `present`, `future`, or `unknown` when a partial time may be either."""

    @property
    def is_vague(self) -> bool:
        """Whether its ends are not sharp: "around 2021", "early May", "a few weeks ago"."""

@final
class Filter:
    """A compiled condition on memories; see `mnemic.v1.Filter` for the meaning."""

    @staticmethod
    def comparison(field: str, operator: int, values: Sequence[MetadataValue]) -> Filter:
        """One comparison; `operator` is a number of `mnemic.model.filters.Operator`."""

    @staticmethod
    def all_of(filters: Sequence[Filter]) -> Filter:
        """Every one of them holds."""

    @staticmethod
    def any_of(filters: Sequence[Filter]) -> Filter:
        """At least one of them holds."""

    @staticmethod
    def negation(filter: Filter) -> Filter:
        """It does not hold."""

    def matches(self, memory: Memory) -> bool:
        """Whether a memory fulfils it: the definition that searches and listings share."""

@final
class UnderstoodQuery:
    """What a query means in some partitions: spelt as their memories spell it, and without the names that more than a
    tenth of these share.
    """

    @property
    def text(self) -> str:
        """What is to be embedded."""

@final
class Weights:
    """How much each signal counts, 0 to 1; not all 0."""

    def __new__(
        cls,
        *,
        vector: float,
        lexical: float,
        entity: float,
        recency: float,
        time: float = 0.0,
        actor: float = 0.0,
        context: float = 0.0,
    ) -> Weights: ...

@final
class Close:
    """Ends a version of a memory within `Index.apply`."""

    def __new__(cls, memory_id: str, version: int, valid_to_micros: int | None) -> Close:
        """`valid_to_micros` None takes every version of the memory out of the index (a deletion)."""

@final
class SignalScore:
    """One signal of one hit; see `mnemic.v1.SignalScore`."""

    @property
    def raw(self) -> float: ...
    @property
    def normalized(self) -> float: ...
    @property
    def weight(self) -> float: ...
    @property
    def rank(self) -> int: ...

@final
class Hit:
    """One memory found."""

    @property
    def memory_id(self) -> str: ...
    @property
    def score(self) -> float: ...
    @property
    def parts(self) -> dict[str, SignalScore]:
        """By signal; empty unless the search asked to explain. A signal that took no part is absent."""

    @property
    def before(self) -> list[tuple[str, str, int, str, int | None]]:
        """Messages of its conversation before it, oldest first; empty unless the search asked for them.

        Of each its id, its text, the number of its role, the speaker's name and when it happened in microseconds.
        """

    @property
    def after(self) -> list[tuple[str, str, int, str, int | None]]:
        """Those after it, oldest first."""

    @property
    def group_id(self) -> str | None:
        """The best hit that says the same, which may be this one; None for a hit alone."""

    @property
    def grouped(self) -> list[Hit]:
        """Further hits of its group, best first."""

    def memory(self) -> Memory:
        """The memory, without vector and model."""

@final
class SearchOutcome:
    """What one search found."""

    @property
    def hits(self) -> list[Hit]: ...
    @property
    def considered(self) -> int:
        """How many rows the scope, time and filter let through."""

    @property
    def confidence(self) -> float | None:
        """How likely the scope has an answer, 0 to 1, where there is support and a calibration."""

    @property
    def support(self) -> tuple[float, float] | None:
        """The highest cosine of a candidate, and the largest share of what the query's words could be worth that one
        has; where both take part.
        """

@final
class PartitionStats:
    """What one partition (or all of them) holds. Sizes in bytes."""

    @property
    def partitions(self) -> int: ...
    @property
    def rows(self) -> int:
        """All rows, ended ones included."""
    @property
    def dead(self) -> int:
        """Rows that were deleted or replaced and still take memory."""
    @property
    def current(self) -> int:
        """Rows that are neither deleted nor superseded."""
    @property
    def vectors(self) -> int: ...
    @property
    def terms(self) -> int: ...
    @property
    def entities(self) -> int: ...
    @property
    def graph_rows(self) -> int:
        """Rows that have links in a graph."""
    @property
    def graph_bytes(self) -> int:
        """Of the links; a part of `bytes`."""
    @property
    def bytes(self) -> int:
        """What is allocated."""
    @property
    def mapped_bytes(self) -> int:
        """What is mapped from files, of which the system keeps in memory what is used."""

@final
class Snapshot:
    """The state of a partition at one moment, to be written at leisure."""

    def write(self, path: str | PathLike[str], *, revision: int, model: str) -> int:
        """Writes the live rows to a file, which it replaces.

        The bytes go to a file beside it, with `.tmp-` in its name, which is flushed and renamed: a crash leaves the old
        file or the new one.

        Args:
            path: The file.
            revision: The store's revision when the snapshot was taken.
            model: What the vectors are of. Both come back, or are compared, when the file is opened.

        Returns:
            How many bytes it has.

        Raises:
            CoreError: INTERNAL: the file cannot be written; what was there before still is. SNAPSHOT_UNUSABLE: the
                partition was itself opened from a file that is damaged.
        """

@final
class NativeAnswers:
    """Searches and reads by id answered from an index that `LiveIndex` keeps, protobuf to protobuf.

    It answers what it is certain that the Python server would answer the same way, and nothing else.
    """

    def __new__(
        cls,
        index: Index,
        *,
        profiles: Mapping[str, tuple[Sequence[float], int]],
        default_profile: str,
        calibration: tuple[float, float, float] | None,
        default_top_k: int,
        most_top_k: int,
        query_bytes: int,
        id_bytes: int,
        searches_per_batch: int,
        ids_per_batch: int,
        embedder: QueryEmbedder | None = None,
    ) -> NativeAnswers:
        """Answers by these rules.

        Args:
            index: Where; it is shared, not copied.
            profiles: By name the weights of all signals in the order of the contract's fields, and `candidates` of
                `Index.search`.
            default_profile: The profile of a search that names none.
            calibration: As `Index.search` takes it.
            default_top_k: How many hits a search gives that says nothing.
            most_top_k: How many it may ask for.
            query_bytes: The longest query.
            id_bytes: The longest id of a scope.
            searches_per_batch: The most searches of one call.
            ids_per_batch: The most ids of one call.
            embedder: Where the vectors of texts come from.
        """

    def answer(self, principal: Principal, method: str, request: bytes) -> bytes | None:
        """What the front would answer to a message of a method such as `SearchMemories`; None where it would relay.

        Raises:
            CoreError: It would refuse the call.
            ValueError: The method is always relayed.
        """

    def learn(self, principal: Principal, method: str, response: bytes) -> None:
        """Shows the message of a relayed answer to `GetMemory` or `BatchGetMemories`, to learn where memories are."""

@final
class Front:
    """The native listener of a server, on threads of its own that never take the interpreter's lock.

    It serves from its making until `stop`. In a forked child its methods raise CoreError: start another there.
    """

    def __new__(
        cls,
        address: str,
        python_socket: str | PathLike[str],
        *,
        secret: str,
        authenticator: Authenticator,
        answers: NativeAnswers | None,
        services: list[str],
        max_message_bytes: int,
        max_metadata_bytes: int,
        max_connections: int,
        max_calls: int,
        max_relayed_calls: int,
        idle_seconds: float,
        receive_seconds: float,
        send_seconds: float,
        unix_socket: str | PathLike[str] | None = None,
        tls_certificate: bytes | None = None,
        tls_key: bytes | None = None,
        tls_client_authorities: bytes | None = None,
        log_format: str | None = None,
        trace_ratio: float | None = None,
    ) -> Front:
        """Listens and serves.

        Args:
            address: `host:port` (port 0 takes a free one) or `unix:path`.
            python_socket: The unix socket on which the Python server listens already.
            secret: Sent with every relayed call as `x-mnemic-front`.
            authenticator: Asked of every call but those for health.
            answers: What is answered natively; None relays everything.
            services: Those whose health is told, besides the empty name for all.
            max_message_bytes: The largest message that is read.
            max_metadata_bytes: The metadata of one call: names, values and 32 bytes for each.
            max_connections: More are closed when they come.
            max_calls: In flight at once; more are refused.
            max_relayed_calls: Of these, at the Python server.
            idle_seconds: A connection on which no call was open for so long is ended.
            receive_seconds: How long a message may take to arrive, and a second more for each 64 KiB of it.
            send_seconds: How long a piece of an answer may wait for its caller to take it, and a second more for each
                64 KiB that wait on the connection; then that is ended. It may be found out after twice as long.
            unix_socket: One more address, which only the same user reaches.
            tls_certificate: PEM, with the chain; with `tls_key` it makes `host:port` speak TLS.
            tls_key: PEM.
            tls_client_authorities: PEM; only clients with a certificate of these may connect.
            log_format: `json` or `console`: a line of the log for each call that is answered here; None for none.
            trace_ratio: The share of calls without a caller's trace that begin one; None: no traces are recorded.

        Raises:
            CoreError: INVALID_FIELD: `address` cannot be listened on, or one of `certificate`, `key` and
                `client_authorities` is unusable. STORE_UNAVAILABLE: the Python server does not answer.
        """

    @property
    def address(self) -> str:
        """Where it listens, with the port that was taken."""

    def load(self) -> dict[str, int]:
        """How many there are of what is bounded: connections, calls, relayed_calls, buffered_bytes.

        `python_here` is 1 while the Python server is there.
        """

    def figures(
        self,
    ) -> tuple[
        list[tuple[str, int, bool, int]],
        list[tuple[str, list[float], list[int], float]],
        list[tuple[str, list[float], list[int], float]],
    ]:
        """What it has counted since its start.

        Returns:
            Calls that ended: (method, google.rpc.Code, whether it was relayed, count). How long those took that it
            answered itself: (method, upper ends of the buckets in seconds, counts, sum of the seconds), those above all
            bounds in the last count. Where their time went: the same by stage.
        """
    def take_spans(self) -> list[tuple[str, bytes, bytes, bytes, int, int, str]]:
        """The spans since the last time.

        Returns:
            (method, trace id, span id, parent's span id, begin and end in nanoseconds since 1970, code by name).
        """
    def replace_tls(self, *, certificate: bytes, key: bytes, client_authorities: bytes | None) -> None:
        """Accepts new connections with other files from now on; those that there are go on. Nothing without TLS.

        Raises:
            CoreError: INVALID_FIELD naming what is unusable; then the former files stay.
        """

    def drain(self) -> None:
        """From now on refuses new calls with SHUTTING_DOWN, and says NOT_SERVING; calls in flight go on."""

    def stop(self, grace_seconds: float) -> bool:
        """Stops listening, waits for the calls in flight and ends its threads; whether all ended by themselves.

        The second time there is nothing to do.
        """

@final
class Index:
    """All partitions of a node that are in memory."""

    def __new__(cls, dimension: int, *, simd: str | None = None) -> Index:
        """An empty index for vectors of `dimension` (1 to 8,192). `simd` forces a path of `simd_paths` (for tests)."""

    @property
    def dimension(self) -> int: ...
    def load(self, key: PartitionKey, rows: Sequence[tuple[Memory, bytes | None]]) -> None:
        """Makes the partition from these rows, replacing what was there.

        Args:
            key: The partition.
            rows: Versions of memories with their vectors (little-endian float32, `dimension * 4` bytes, or None), in
                the order in which they were written. A version with `valid_to_micros` has ended then.

        Raises:
            CoreError: A vector has the wrong length, is not finite or all zeros; a memory id is not a UUID.
        """

    def apply(
        self,
        key: PartitionKey,
        rows: Sequence[tuple[Memory, bytes | None]],
        closes: Sequence[Close],
    ) -> None:
        """Adds rows and ends versions at one moment: a search sees all of it or nothing.

        A row whose id and version are there already replaces that row (a vector that came late). Closing what is not
        there does nothing. The partition is made if it is not there.
        """

    def set_graph_width(self, width: int | None) -> None:
        """Graphs in every partition, searched with this width: to measure what they find.

        None, as it is at first: in large partitions, searched where that is faster than a scan.
        """

    def compact(self, key: PartitionKey) -> None:
        """Makes the partition's memory exactly as large as its live rows need.

        Searches are not disturbed; writers wait for its last moments only.
        """

    def upkeep(self, key: PartitionKey) -> bool:
        """Does one step of what is due for the partition, such as a compaction when many rows are dead or new.

        The graph of a large partition grows in steps of a tenth of a second; rows that it does not have are scanned.

        Searches are not disturbed; writers wait for its last moments only.

        Returns:
            Whether it did something, so that more may be due.
        """

    def freeze(self, key: PartitionKey) -> Snapshot | None:
        """The partition's state now, to be written to a file; None if it is not in memory. It takes microseconds."""

    def open(self, key: PartitionKey, path: str | PathLike[str], *, model: str) -> int:
        """Makes the partition from a file that `Snapshot.write` wrote, replacing what was there.

        The file is mapped: what is used of it takes memory, and a file under 64 MB is read once to check it. Of a
        larger one `verify` checks the rest, and a search that meets damage before fails with SNAPSHOT_UNUSABLE.

        Returns:
            The revision with which it was written.

        Raises:
            CoreError: SNAPSHOT_UNUSABLE: the file cannot be read, is damaged, or is of another format, partition, model
                or dimension. What was there is still there then.
        """

    def verify(self, key: PartitionKey) -> None:
        """Reads what has not been checked yet of the file behind the partition, which may take seconds.

        Raises:
            CoreError: SNAPSHOT_UNUSABLE: it is damaged, and the partition is to be dropped.
        """

    def drop(self, key: PartitionKey) -> bool:
        """Takes the partition out of memory; whether it was there."""

    def contains(self, key: PartitionKey) -> bool:
        """Whether the partition is in memory."""

    def set_resident(self, key: PartitionKey) -> None:
        """Lets the front search the partition: it has every row that was committed, until it is dropped."""

    def note_empty(self, key: PartitionKey) -> None:
        """Notes that an owner has no memories, so that the front need not ask; of very many, some are forgotten."""

    def forget_empty(self, key: PartitionKey) -> None:
        """Says that an owner may have memories: before its first write is answered."""

    def set_revision(self, revision: int) -> None:
        """Says that everything up to a commit was applied: before the commit is answered."""

    def take_used(self, key: PartitionKey) -> bool:
        """Whether the front used the partition since the last call."""

    def count_recalls(self, *, is_on: bool) -> None:
        """Says whether it is noted which memories were given to callers."""

    def note_recalls(self, memory_ids: Sequence[str]) -> None:
        """Notes memories that were given; what is no id is passed over."""

    def take_recalls(self) -> tuple[list[tuple[str, int]], int]:
        """How often each memory was given since the last call, also by the front; how many recalls found no room."""

    def versions(self, key: PartitionKey) -> list[tuple[str, int, bool, bool]]:
        """What the partition holds, for checks against the store: (memory id, version, ended, has a vector)."""

    def understand(self, partitions: Sequence[PartitionKey], query: str) -> UnderstoodQuery:
        """What a query means in a search of these partitions. Those that are not in memory count as empty."""

    def search(
        self,
        partitions: Sequence[PartitionKey],
        scope: Scope,
        match: int,
        *,
        text: str,
        understood: UnderstoodQuery | None = None,
        vector: bytes | None,
        filter: Filter | None,
        now_micros: int,
        reference_micros: int | None = None,
        as_of_micros: int | None,
        include_superseded: bool,
        top_k: int,
        weights: Weights,
        candidates: int = ...,
        min_score: float,
        separate: bool = False,
        calibration: tuple[float, float, float] | None = None,
        min_confidence: float = 0.0,
        explain: bool,
        context_window: int = 0,
    ) -> SearchOutcome:
        """Searches partitions of one tenant; those that are not in memory count as empty.

        Candidates are the union of the best by vector, by words and by entities; each candidate gets every signal.

        Args:
            partitions: Where to look.
            scope: The ids asked for.
            match: A number of `ScopeMatch`.
            text: The query in words; empty leaves out the signals that go by them.
            understood: What `understand` has made of `text` in these partitions, if it was asked: it is not done again.
            vector: The embedding of what `understand` gives; None leaves the vector signal out.
            filter: Narrows further.
            now_micros: The time against which expiry, ends and recency are judged.
            reference_micros: What "now" and "today" in the query are; `now_micros` unless said.
            as_of_micros: Versions that held at this time instead of those that hold.
            include_superseded: Also versions that have ended by supersession.
            top_k: How many hits at most, 1 to 1,000.
            weights: How much each signal counts.
            candidates: How many candidates each retriever gives at least, 1 to 4,000; four for each hit if that is
                more.
            min_score: Hits below are left out.
            separate: Whether each hit takes a rank of its own, also where several say the same.
            calibration: The weights of the best cosine and the best coverage and the bias that make the confidence;
                without it there is none.
            min_confidence: With a confidence below there are no hits.
            explain: Whether to keep the parts of each score.
            context_window: How many messages before and after each hit come with it, 0 to 10 on each side.

        Raises:
            CoreError: The vector has the wrong length or is not finite; the tenants differ.
        """

    def stats(self, key: PartitionKey | None = None) -> PartitionStats:
        """Of one partition, or of all."""

@final
class EmbeddingModel:
    """A local model. Its vectors are unit vectors; it may be used from many threads at once."""

    @staticmethod
    def open_static(identity: str, *, table: str | PathLike[str], tokenizer: str | PathLike[str]) -> EmbeddingModel:
        """A table of token vectors (safetensors, float16) and its tokenizer."""

    @staticmethod
    def open_onnx(
        identity: str,
        *,
        library: str | PathLike[str],
        model: str | PathLike[str],
        tokenizer: str | PathLike[str],
        max_tokens: int,
        threads: int,
        pooling: str,
        title: str,
    ) -> EmbeddingModel:
        """A sentence encoder; `library` is the file of onnxruntime's library: a process loads the first one only."""

    @property
    def identity(self) -> str: ...
    @property
    def dimension(self) -> int: ...
    def embed(self, texts: Sequence[str], timeout_seconds: float | None) -> bytearray:
        """The vectors of the texts, one after another, as little-endian float32."""

@final
class VectorCache:
    """The vectors of recent texts of one model, least recently used out first; Python and the front share it.

    Texts are UTF-8 with surrogates passed through.
    """

    def __new__(cls, identity: str, dimension: int, entries: int) -> VectorCache: ...
    def look_up(self, texts: Sequence[bytes]) -> tuple[bytearray, list[int]]:
        """The vectors of the texts, one after another, as little-endian float32; the positions of the unknown ones."""

    def keep(self, texts: Sequence[bytes], vectors: bytes) -> None:
        """Keeps the vectors of the texts, given one after another as little-endian float32."""

    def clear(self) -> None:
        """Forgets all vectors."""

    @property
    def hits(self) -> int:
        """Texts answered from memory."""

    @property
    def misses(self) -> int:
        """Texts given to the model."""

    def __len__(self) -> int: ...

@final
class QueryEmbedder:
    """Embeds single texts for the native front: known ones from the cache, fresh ones on threads of its own."""

    def __new__(
        cls, cache: VectorCache, model: EmbeddingModel | None, *, threads: int, queue: int
    ) -> QueryEmbedder: ...
    @property
    def runs_model(self) -> bool:
        """Whether it can embed a text that the cache does not hold."""

    def cached(self, text: str) -> bytes | None:
        """The vector of a known text as little-endian float32."""

    def embed(self, text: str, timeout_seconds: float | None = None) -> bytes:
        """Embeds a text and waits for its vector, as little-endian float32."""

    def counters(self) -> dict[str, int]:
        """What it did and is doing: `hits`, `misses`, `joined`, `waiting`, `running`."""

    def close(self) -> None:
        """Refuses what waits and what comes, and waits for the runs that have begun."""

class AccessError(Exception):
    """A caller was turned away. `args` are (reason, message, metadata, retry_after_micros): a `Reason`, words,
    every part of them that varies, and how long to wait where that helps, or None.
    """

@final
class Principal:
    """Who is calling."""

    @property
    def tenant(self) -> str:
        """The tenant that all of the caller's work is about."""
    @property
    def role(self) -> int:
        """What it may do: a number of `AccessRole`."""
    @property
    def scope(self) -> tuple[str | None, str | None, str | None, str | None]:
        """The user, agent, session and app id that each memory it sees must carry."""
    @property
    def is_restricted(self) -> bool:
        """Whether there is any of them."""
    @property
    def subject(self) -> str:
        """A key's id, a token's `sub`, or `anonymous`."""

@final
class TokenRules:
    """Which tokens are good, and what they mean; `JwtSettings` explains each."""

    def __new__(
        cls,
        *,
        algorithms: Sequence[str],
        issuer: str | None,
        audiences: Sequence[str],
        leeway_seconds: int,
        tenant_claim: str,
        default_tenant: str | None,
        role_claim: str,
        roles: Mapping[str, str],
        default_role: str | None,
        scope_claims: Mapping[str, str],
    ) -> TokenRules: ...

@final
class Authenticator:
    """Knows who is calling and what they may do; both servers of a process ask the same one.

    Args:
        keys: Take API keys.
        tokens: Take tokens, and which. With neither, everyone is an operator in the default tenant.
        requests_per_second: The rate of keys that have none of their own, and of tokens; None for any.
        request_burst: How many at once; None for those of a second.
    """

    def __new__(
        cls,
        *,
        keys: bool = False,
        tokens: TokenRules | None = None,
        requests_per_second: float | None = None,
        request_burst: int | None = None,
    ) -> Authenticator: ...
    @property
    def is_open(self) -> bool:
        """Whether everyone may do everything."""
    @property
    def key_count(self) -> int:
        """How many API keys are held."""
    @property
    def cached_tokens(self) -> int:
        """How many verified tokens are remembered."""
    def authenticate(self, authorization: bytes | None, now_micros: int) -> Principal:
        """Who calls with this header; raises AccessError UNAUTHENTICATED."""
    def permit(self, principal: Principal, path: str) -> None:
        """Raises AccessError PERMISSION_DENIED if the caller may not call the method of that path."""
    def admit(self, principal: Principal, now_micros: int) -> None:
        """Counts a call against the caller's rate; raises AccessError QUOTA_EXCEEDED."""
    def insert_key(
        self,
        key_id: str,
        *,
        secret_hash: bytes,
        tenant: str,
        role: int,
        scope: tuple[str | None, str | None, str | None, str | None],
        expire_micros: int | None,
        requests_per_second: float | None,
        request_burst: int | None,
    ) -> None:
        """Makes an API key good, or changes it."""
    def remove_key(self, key_id: str) -> bool:
        """Makes an API key worthless at once; whether it was good."""
    def take_uses(self) -> list[tuple[str, int]]:
        """Ids of the keys that were used since this was last asked, with the minute of the last use."""
    def set_key_set(self, json: str) -> int:
        """Replaces the keys that verify tokens by a key set (RFC 7517); how many of them are usable.

        Raises:
            ValueError: The set is unusable; what was there before stays.
        """
    def wait_for_unknown_key(self, seconds: float) -> bool:
        """Waits until a token names a key that the set does not have; whether one did."""
    def insert_tenant(self, tenant: str) -> None:
        """Lets tokens of a tenant in."""
    def remove_tenant(self, tenant: str) -> None:
        """Turns tokens of a tenant away at once."""

def method_roles() -> dict[str, int]:
    """The least role of every method of the contract, by its path."""

def hash_secret(secret: str) -> bytes:
    """The SHA-256 of an API key's secret, as it is kept."""
