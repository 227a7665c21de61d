"""A service with a rerank endpoint, as Cohere's or as text-embeddings-inference's."""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import os
import random
import socket
import ssl
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from mnemic.model.errors import invalid_field
from mnemic.reranking.reranker import RerankerUnavailableError, logistic, stopping_after
from mnemic.reranking.settings import HttpRerankerSettings

_COHERE_URL = "https://api.cohere.com/v2"
_COHERE_KEY_VARIABLE = "CO_API_KEY"
# What text-embeddings-inference takes in one request unless it is started with another --max-client-batch-size.
_TEI_BATCH = 32
_RETRIED_STATUSES = frozenset({408, 429})
_FIRST_DELAY_SECONDS = 0.05
# A thousand scores are 60 KB; what is longer than this is no answer.
_LONGEST_ANSWER = 1 << 20
# float32 scores are rounded.
_ROUNDING = 1e-6
_EXPLANATIONS = {
    401: "it refuses the key: check reranking.http.api_key",
    403: "it refuses the key: check reranking.http.api_key",
    404: "it does not know the model or the address: check reranking.http.model and reranking.http.base_url",
    413: "the texts are too many or too long for it: check reranking.http.batch_size",
    422: "it does not take such a request: check reranking.http.shape and reranking.http.batch_size",
    429: "it limits the rate or the quota is used up",
}


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    retry_after: str | None
    body: bytes


class HttpReranker:
    """Reranks through `/rerank` below any base URL. Safe to use from many threads; keeps its connections.

    It goes straight to that address: proxies of the environment are not asked, redirects are not followed. Whatever
    goes wrong at the service is RerankerUnavailableError; what can be retried is, within the caller's time.

    Raises:
        MnemicError: INVALID_FIELD for an address that is missing or none.
    """

    is_local = False

    def __init__(self, settings: HttpRerankerSettings) -> None:
        self._settings = settings
        url = settings.base_url or (_COHERE_URL if settings.shape == "cohere" else None)
        if url is None:
            raise invalid_field("reranking.http.base_url", "must be set for the shape `tei`")
        self._address = _address(url)
        self._path = f"{self._address.path.rstrip('/')}/rerank"
        self._title = f"the reranking service {self._address.scheme}://{self._address.netloc}{self._path}"
        self._headers = {"content-type": "application/json", "accept": "application/json", "user-agent": "mnemic"}
        key = _key(settings, self._address)
        if key:
            self._headers["authorization"] = f"Bearer {key}"
        self._tls = ssl.create_default_context() if self._address.scheme == "https" else None
        # A deque's pop and append are atomic.
        self._idle: deque[http.client.HTTPConnection] = deque()

    def rerank(self, query: str, texts: Sequence[str], *, timeout_seconds: float) -> list[float]:
        """See `Reranker.rerank`."""
        until = time.monotonic() + timeout_seconds
        size = self._settings.batch_size or (_TEI_BATCH if self._settings.shape == "tei" else len(texts))
        scores: list[float] = []
        for start in range(0, len(texts), size):
            scores += self._rerank(query, texts[start : start + size], until)
        return scores

    def close(self) -> None:
        """Closes the connections."""
        while self._idle:
            self._idle.pop().close()

    def _rerank(self, query: str, texts: Sequence[str], until: float) -> list[float]:
        if self._settings.shape == "cohere":
            request = {"model": self._settings.model, "query": query, "documents": list(texts), "top_n": len(texts)}
        else:
            raw = self._settings.scores == "logit"
            request = {"query": query, "texts": list(texts), "raw_scores": raw, "truncate": True}
        answer = self._request(json.dumps(request).encode(), until)
        try:
            rows = json.loads(answer)
            if self._settings.shape == "cohere":
                pairs = [(row["index"], row["relevance_score"]) for row in rows["results"]]
            else:
                pairs = [(row["index"], row["score"]) for row in rows]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise self._failure(f"answered with something else than scores: {error!r}") from error
        return self._in_order(pairs, len(texts))

    def _in_order(self, pairs: Sequence[tuple[Any, Any]], count: int) -> list[float]:
        """The scores by position; every text must have exactly one."""
        scores: list[float | None] = [None] * count
        for index, score in pairs:
            if type(index) is not int or not 0 <= index < count or scores[index] is not None:
                raise self._failure(f"answered for text {index!r}, which is none of the {count} or was answered before")
            if type(score) not in {int, float} or not math.isfinite(score):
                raise self._failure(f"answered with the score {score!r}, which is no finite number")
            scores[index] = self._between_0_and_1(float(score))
        found = [score for score in scores if score is not None]
        if len(found) < count:
            raise self._failure(f"answered with {len(found)} scores for {count} texts")
        return found

    def _between_0_and_1(self, score: float) -> float:
        if self._settings.scores == "logit":
            return logistic(score)
        if not -_ROUNDING <= score <= 1 + _ROUNDING:
            raise self._failure(
                f"answered with the score {score}, which is not from 0 to 1: if they are logits, set "
                "reranking.http.scores to logit"
            )
        return min(max(score, 0.0), 1.0)

    def _request(self, body: bytes, until: float) -> bytes:
        attempt = 0
        while True:
            try:
                answer = self._exchange(body, until)
            except (OSError, http.client.HTTPException) as error:
                if time.monotonic() >= until or isinstance(error, TimeoutError):
                    raise self._failure("did not answer in time") from error
                failure, delay = self._failure(f"cannot be reached: {error!r}"), _delay(None, attempt)
            else:
                if answer.status == http.HTTPStatus.OK:
                    return answer.body
                failure, delay = self._refusal(answer), _delay(answer.retry_after, attempt)
                if answer.status not in _RETRIED_STATUSES and answer.status < http.HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise failure
            if attempt >= self._settings.max_retries or time.monotonic() + delay >= until:
                raise failure
            time.sleep(delay)
            attempt += 1

    def _exchange(self, body: bytes, until: float) -> _Answer:
        """One request on a kept connection, or on a new one where the kept ones turn out to be closed."""
        while True:
            kept = self._idle.pop() if self._idle else None
            connection = kept or self._connection()
            try:
                return self._ask(connection, body, until)
            except BaseException as error:
                connection.close()
                if kept is None or not isinstance(error, ConnectionError):
                    raise

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._address.hostname or "", self._address.port
        if self._tls is not None:
            return http.client.HTTPSConnection(host, port, context=self._tls)
        return http.client.HTTPConnection(host, port)

    def _ask(self, connection: http.client.HTTPConnection, body: bytes, until: float) -> _Answer:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if connection.sock is None:
            connection.timeout = left
            connection.connect()
        used = connection.sock
        used.settimeout(left)
        # The socket's own limit is for each piece: a service that trickles would never reach it.
        with stopping_after(left, lambda: _shut(used)):
            connection.request("POST", self._path, body, self._headers)
            response = connection.getresponse()
            content = response.read(_LONGEST_ANSWER + 1)
        if len(content) > _LONGEST_ANSWER:
            raise self._failure(f"answered with more than {_LONGEST_ANSWER} bytes")
        if response.length:
            # A read with a limit takes the end of the connection for the end of the answer.
            raise http.client.IncompleteRead(content, response.length)
        if response.will_close:
            connection.close()
        else:
            self._idle.append(connection)
        return _Answer(response.status, response.headers.get("retry-after"), content)

    def _refusal(self, answer: _Answer) -> RerankerUnavailableError:
        said = answer.body[:200].decode(errors="replace").strip()
        explanation = _EXPLANATIONS.get(answer.status)
        return self._failure(f"answered {answer.status}: {f'{explanation} ({said})' if explanation else said}")

    def _failure(self, description: str) -> RerankerUnavailableError:
        return RerankerUnavailableError(f"{self._title} {description}")


def _address(url: str) -> SplitResult:
    try:
        address = urlsplit(url)
        well_formed = address.scheme in {"http", "https"} and address.hostname and (address.port or True)
    except ValueError:
        well_formed = False
    if not well_formed or address.query or address.fragment or address.username:
        raise invalid_field("reranking.http.base_url", f"{url!r} is no address such as https://api.cohere.com/v2")
    return address


def _key(settings: HttpRerankerSettings, address: SplitResult) -> str | None:
    if settings.api_key is not None:
        return settings.api_key.get_secret_value()
    # A key that other programs have in the environment is Cohere's, and goes to nobody else.
    return os.environ.get(_COHERE_KEY_VARIABLE) if address.hostname == urlsplit(_COHERE_URL).hostname else None


def _shut(used: socket.socket) -> None:
    """Ends what another thread reads from the socket."""
    with contextlib.suppress(OSError):
        # Of the socket itself: that of TLS would take away what the other thread is using.
        socket.socket.shutdown(used, socket.SHUT_RDWR)


def _delay(retry_after: str | None, attempt: int) -> float:
    """Seconds: as the service asks, else growing, with jitter so that many clients do not return at once."""
    if retry_after is not None:
        with contextlib.suppress(ValueError):
            return max(0.0, float(retry_after))
    return _FIRST_DELAY_SECONDS * 2.0**attempt * random.uniform(0.75, 1.0)  # noqa: S311 (no secret)
