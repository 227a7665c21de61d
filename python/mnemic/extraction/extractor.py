"""What every extractor gives."""

from __future__ import annotations

from typing import Protocol

from mnemic.extraction.reasons import Failure
from mnemic.model.deadline import Deadline
from mnemic.model.fact import ExtractionRequest, ExtractionResult


class Extractor(Protocol):
    """Draws facts from messages. Safe to use from many threads; keeps nothing of one request for the next."""

    @property
    def identity(self) -> str:
        """Names the method and its version, such as `local:1` or `llm:gpt-5-mini`: what drew a fact."""

    def extract(self, request: ExtractionRequest, deadline: Deadline) -> ExtractionResult:
        """Draws the facts of a batch.

        Args:
            request: The messages and what surrounds them.
            deadline: After it the answer is of no use; no call to a service is begun or waited for beyond it.

        Returns:
            The facts, and what was thrown away. Messages without facts give none: that is no error.

        Raises:
            ExtractionUnavailableError: Not now, but perhaps later: the service is away, busy or too slow.
            ExtractionFailedError: Not later either: the service refuses these messages, or answers nonsense to them.
        """

    def close(self) -> None:
        """Frees what it holds; `extract` may not be called after it."""


class ExtractionUnavailableError(Exception):
    """The batch may succeed later, unchanged.

    Attributes:
        description: Why, in words.
        retry_after_seconds: How long the service asks to wait; None when it does not say.
        prompt_tokens: What was spent in vain, as far as the service told.
        completion_tokens: The same, written.
    """

    def __init__(
        self,
        description: str,
        *,
        retry_after_seconds: float | None = None,
        prompt_tokens: int = 0,
        completion_tokens: int = 0,
    ) -> None:
        super().__init__(description)
        self.description = description
        self.retry_after_seconds = retry_after_seconds
        self.prompt_tokens = prompt_tokens
        self.completion_tokens = completion_tokens


class ExtractionFailedError(Exception):
    """The batch will not succeed, however often it is tried: a refused key, a content filter, an answer without sense.

    Attributes:
        description: Why, in words.
        reason: Why, for a program and a counter: the label of the metrics.
        prompt_tokens: What was spent in vain, as far as the service told.
        completion_tokens: The same, written.
    """

    def __init__(
        self, description: str, *, reason: Failure, prompt_tokens: int = 0, completion_tokens: int = 0
    ) -> None:
        super().__init__(description)
        self.description = description
        self.reason = reason
        self.prompt_tokens = prompt_tokens
        self.completion_tokens = completion_tokens
