"""A service that speaks OpenAI's embeddings API, through the openai SDK."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Sequence

import numpy as np
import openai
from numpy.typing import NDArray

from mnemic.embedding.provider import Vectors
from mnemic.embedding.settings import OpenAISettings
from mnemic.embedding.vectors import unit_rows
from mnemic.model.errors import MnemicError, Reason, invalid_field

_KEY_VARIABLE = "OPENAI_API_KEY"
_URL_VARIABLE = "OPENAI_BASE_URL"
_RETRIED_STATUSES = frozenset({408, 409, 429})
_FIRST_DELAY_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 8.0
_EXPLANATIONS = {
    401: f"it refuses the key: check embedding.openai.api_key or {_KEY_VARIABLE}",
    403: f"it refuses the key: check embedding.openai.api_key or {_KEY_VARIABLE}",
    404: "it does not know the model or the address: check embedding.openai.model and embedding.openai.base_url",
    429: "it limits the rate or the quota is used up",
}


class OpenAIProvider:
    """Embeds through `/v1/embeddings` of any base URL. Safe to use from many threads.

    Whatever goes wrong at the service is EMBEDDING_UNAVAILABLE, a refused key too: a write is then kept and its vectors
    are caught up with when the service answers again. What can be retried is retried with a growing delay, and never
    beyond the caller's time: the SDK's own retries would follow a `Retry-After` of two minutes in a call of one second.

    Raises:
        MnemicError: INVALID_FIELD without a key; EMBEDDING_UNAVAILABLE when the dimension must be asked and cannot be.
    """

    is_local = False

    def __init__(self, settings: OpenAISettings) -> None:
        self._settings = settings
        self._client = openai.OpenAI(
            api_key=_key(settings),
            base_url=settings.base_url,
            max_retries=0,
            timeout=settings.timeout_seconds,
        )
        self._title = f"the embedding service {self._client.base_url}"
        self._dimension = settings.dimensions
        if self._dimension is None:
            try:
                self._dimension = len(self._request(["dimension"], deadline=None)[0])
            except BaseException:
                self._client.close()
                raise

    @property
    def dimension(self) -> int:
        """The length of a vector: as set, or as the service gives it."""
        if self._dimension is None:
            raise AssertionError("set by the constructor")
        return self._dimension

    @property
    def identity(self) -> str:
        """Names the model and the dimension, and not the address: a proxy serves the same vectors."""
        return f"openai:{self._settings.model}@{self.dimension}"

    def embed(self, texts: Sequence[str], *, timeout_seconds: float | None = None) -> Vectors:
        """See `EmbeddingProvider.embed`."""
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        vectors = np.empty((len(texts), self.dimension), np.float32)
        size = self._settings.batch_size
        for start in range(0, len(texts), size):
            rows = self._request(texts[start : start + size], deadline=deadline)
            vectors[start : start + size] = unit_rows(self._checked(rows), self._title)
        return vectors

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def _request(self, texts: Sequence[str], *, deadline: float | None) -> list[list[float]]:
        attempt = 0
        while True:
            try:
                return self._try(texts, self._time_for_one_try(deadline))
            except openai.APIError as error:
                delay = _delay(error, attempt)
                time_left = deadline is None or time.monotonic() + delay < deadline
                if not _may_retry(error) or attempt >= self._settings.max_retries or not time_left:
                    raise self._unavailable(error) from error
            time.sleep(delay)
            attempt += 1

    def _try(self, texts: Sequence[str], timeout_seconds: float) -> list[list[float]]:
        dimensions = self._settings.dimensions
        try:
            answer = self._client.embeddings.create(
                input=list(texts),
                model=self._settings.model,
                dimensions=openai.omit if dimensions is None else dimensions,
                # Every server speaks it; some that claim compatibility know no base64.
                encoding_format="float",
                timeout=timeout_seconds,
            )
            rows = [list(item.embedding) for item in sorted(answer.data, key=lambda item: item.index)]
        except (AttributeError, TypeError, ValueError) as error:
            # The SDK does not check the shape of what it is given.
            raise self._failure(f"answered with something else than embeddings: {error}") from error
        if len(rows) != len(texts):
            raise self._failure(f"answered with {len(rows)} vectors for {len(texts)} texts")
        return rows

    def _checked(self, rows: Sequence[Sequence[float]]) -> NDArray[np.float64]:
        for row in rows:
            if len(row) != self.dimension:
                raise self._failure(
                    f"answered with a vector of {len(row)} dimensions where {self.dimension} are expected: "
                    "check embedding.openai.model and embedding.openai.dimensions"
                )
        try:
            return np.asarray(rows, np.float64).reshape(len(rows), self.dimension)
        except (TypeError, ValueError) as error:
            raise self._failure(f"answered with something else than numbers: {error}") from error

    def _time_for_one_try(self, deadline: float | None) -> float:
        if deadline is None:
            return self._settings.timeout_seconds
        left = deadline - time.monotonic()
        if left <= 0:
            raise MnemicError(Reason.DEADLINE_EXCEEDED, f"the deadline passed before {self._title} was asked")
        return min(left, self._settings.timeout_seconds)

    def _unavailable(self, error: openai.APIError) -> MnemicError:
        if isinstance(error, openai.APITimeoutError):
            return self._failure("did not answer in time")
        if isinstance(error, openai.APIConnectionError):
            return self._failure(f"cannot be reached: {error.__cause__ or error}")
        if not isinstance(error, openai.APIStatusError):
            return self._failure(f"answered with something that cannot be read: {error.message}")
        explanation = _EXPLANATIONS.get(error.status_code, "")
        detail = f"{explanation} ({error.message})" if explanation else error.message
        return self._failure(f"answered {error.status_code}: {detail}", status=str(error.status_code))

    def _failure(self, description: str, **metadata: str) -> MnemicError:
        return MnemicError(
            Reason.EMBEDDING_UNAVAILABLE,
            f"{self._title} {description}",
            metadata={"model": self._settings.model, "base_url": str(self._client.base_url)} | metadata,
        )


def _key(settings: OpenAISettings) -> str:
    if settings.api_key is not None:
        return settings.api_key.get_secret_value()
    key = os.environ.get(_KEY_VARIABLE)
    if key:
        return key
    if settings.base_url is not None or os.environ.get(_URL_VARIABLE):
        # Servers of one's own mostly want none, and the SDK insists on one.
        return "none"
    raise invalid_field("embedding.openai.api_key", f"must be set, here or as {_KEY_VARIABLE}")


def _may_retry(error: openai.APIError) -> bool:
    if isinstance(error, openai.APIStatusError):
        return error.status_code in _RETRIED_STATUSES or error.status_code >= 500
    return isinstance(error, openai.APIConnectionError)


def _delay(error: openai.APIError, attempt: int) -> float:
    """Seconds: as the service asks, else growing, with jitter so that many clients do not return at once."""
    if isinstance(error, openai.APIStatusError):
        asked = _seconds(error.response.headers.get("retry-after"))
        if asked is not None:
            return asked
    delay: float = min(_FIRST_DELAY_SECONDS * 2**attempt, _LONGEST_DELAY_SECONDS)
    return delay * random.uniform(0.75, 1.0)  # noqa: S311 (no secret)


def _seconds(header: str | None) -> float | None:
    try:
        return None if header is None else max(0.0, float(header))
    except ValueError:
        return None
