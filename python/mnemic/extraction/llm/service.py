"""One call to a chat service, in the dialect that it understands, with its failures in our words."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import openai

from mnemic.extraction.extractor import ExtractionFailedError, ExtractionUnavailableError
from mnemic.extraction.llm.schema import SCHEMA
from mnemic.extraction.reasons import Failure
from mnemic.extraction.settings import LlmSettings, StructuredOutput
from mnemic.model.deadline import Deadline
from mnemic.model.errors import invalid_field

_KEY_VARIABLE = "OPENAI_API_KEY"
_URL_VARIABLE = "OPENAI_BASE_URL"
_RETRIED_STATUSES = frozenset({408, 409, 425, 429})
_BAD_REQUESTS = frozenset({400, 404, 415, 422, 500, 501})
_WEAKER: dict[StructuredOutput, StructuredOutput] = {"json_schema": "json_object", "json_object": "none"}
_ABOUT_STRUCTURE = ("response_format", "json_schema", "json_object", "schema", "structured", "grammar", "guided")
_ABOUT_LENGTH = ("context_length", "context length", "maximum context", "context size", "too many tokens", "too long")
_ABOUT_CONTENT = ("content_filter", "content management policy", "content_policy", "safety")

ChatMessage = dict[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the service answered.

    Attributes:
        text: What the model wrote.
        end: Why it stopped.
        prompt_tokens: As the service counts; 0 if it does not.
        completion_tokens: The same.
    """

    text: str
    end: Literal["done", "cut_off", "filtered"]
    prompt_tokens: int
    completion_tokens: int


class TooLongError(Exception):
    """The messages are longer than the model takes."""


class FilteredError(Exception):
    """The service refuses the content of the messages."""


@dataclass(frozen=True, slots=True)
class _Dialect:
    """What the service was found to understand."""

    structured_output: StructuredOutput
    sends_temperature: bool
    limit_name: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"


class ChatService:
    """Asks a service. Safe to use from many threads; learns by refusals what the service understands.

    Args:
        settings: Where it is and how it is asked; `model` must be set.

    Raises:
        MnemicError: INVALID_FIELD without a key where one is needed.
    """

    def __init__(self, settings: LlmSettings, model: str) -> None:
        self._settings = settings
        self._model = model
        # The SDK's own retries would follow a `Retry-After` of minutes within the caller's time.
        self._client = openai.OpenAI(
            api_key=_key(settings), base_url=settings.base_url, max_retries=0, timeout=settings.timeout_seconds
        )
        self._title = f"the LLM service {self._client.base_url}"
        self._dialect = _Dialect(settings.structured_output, settings.temperature is not None)

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def ask(self, messages: Sequence[ChatMessage], deadline: Deadline) -> Reply:
        """The model's answer.

        Raises:
            ExtractionUnavailableError: Later perhaps.
            ExtractionFailedError: REFUSED: the key, the model or the request is wrong.
            TooLongError: The messages do not fit.
            FilteredError: The service refuses them.
        """
        dialect = self._dialect
        while True:
            try:
                reply = self._try(messages, dialect, self._time_for_one_try(deadline))
            except openai.APIStatusError as error:
                plainer = _plainer(dialect, error)
                if plainer is None:
                    raise self._failure(error) from error
                dialect = plainer
            except openai.APIError as error:
                raise self._unreachable(error) from error
            else:
                # Learnt only when it helped: a request may be refused for its content as well.
                self._dialect = dialect
                return reply

    def _try(self, messages: Sequence[ChatMessage], dialect: _Dialect, timeout_seconds: float) -> Reply:
        options: dict[str, Any] = {dialect.limit_name: self._settings.max_output_tokens}
        if dialect.sends_temperature:
            options["temperature"] = self._settings.temperature
        if dialect.structured_output == "json_schema":
            shape = {"name": "facts", "strict": True, "schema": SCHEMA}
            options["response_format"] = {"type": "json_schema", "json_schema": shape}
        elif dialect.structured_output == "json_object":
            options["response_format"] = {"type": "json_object"}
        answer = self._client.chat.completions.create(
            model=self._model,
            messages=list(messages),  # type: ignore[arg-type]  # plain roles and texts, which the SDK types as a union
            timeout=timeout_seconds,
            **options,
        )
        return self._reply(answer)

    def _reply(self, answer: Any) -> Reply:  # noqa: ANN401 (the SDK does not check what it was given)
        try:
            choice = answer.choices[0]
            text, refusal = choice.message.content or "", getattr(choice.message, "refusal", None)
            usage = answer.usage
            counts = (int(usage.prompt_tokens or 0), int(usage.completion_tokens or 0)) if usage else (0, 0)
        except (AttributeError, IndexError, TypeError, ValueError) as error:
            # A proxy's page with status 200, most likely: the service is not there at the moment.
            raise ExtractionUnavailableError(f"{self._title} answered with something else than a completion") from error
        end: Literal["done", "cut_off", "filtered"] = "done"
        if choice.finish_reason == "content_filter" or (refusal and not text):
            end = "filtered"
        elif choice.finish_reason == "length":
            end = "cut_off"
        return Reply(text, end, *counts)

    def _time_for_one_try(self, deadline: Deadline) -> float:
        left = deadline.remaining()
        if left is None:
            return self._settings.timeout_seconds
        if left <= 0:
            raise ExtractionUnavailableError(f"the time was up before {self._title} was asked")
        return min(left, self._settings.timeout_seconds)

    def _failure(self, error: openai.APIStatusError) -> Exception:
        words = _words(error)
        if error.status_code == 413 or any(sign in words for sign in _ABOUT_LENGTH):
            return TooLongError(str(error.message))
        if any(sign in words for sign in _ABOUT_CONTENT):
            return FilteredError(str(error.message))
        described = f"{self._title} answered {error.status_code}: {error.message}"
        if error.status_code in _RETRIED_STATUSES or error.status_code >= 500:
            return ExtractionUnavailableError(described, retry_after_seconds=_retry_after(error))
        return ExtractionFailedError(described, reason=Failure.REFUSED)

    def _unreachable(self, error: openai.APIError) -> ExtractionUnavailableError:
        if isinstance(error, openai.APITimeoutError):
            return ExtractionUnavailableError(f"{self._title} did not answer in time")
        return ExtractionUnavailableError(f"{self._title} cannot be reached: {error.__cause__ or error}")


def _plainer(dialect: _Dialect, error: openai.APIStatusError) -> _Dialect | None:
    """A dialect with less of what the service refused; None if it refused something else."""
    if error.status_code not in _BAD_REQUESTS:
        return None
    words = _words(error)
    if dialect.sends_temperature and "temperature" in words:
        return replace(dialect, sends_temperature=False)
    if dialect.limit_name == "max_completion_tokens" and "max_completion_tokens" in words:
        return replace(dialect, limit_name="max_tokens")
    weaker = _WEAKER.get(dialect.structured_output)
    if weaker is not None and any(sign in words for sign in _ABOUT_STRUCTURE):
        return replace(dialect, structured_output=weaker)
    return None


def _words(error: openai.APIStatusError) -> str:
    return f"{error.message} {error.body} {getattr(error, 'code', '')} {getattr(error, 'param', '')}".lower()


def _retry_after(error: openai.APIStatusError) -> float | None:
    headers = error.response.headers
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) / unit)
        except (KeyError, ValueError):
            continue
    return None


def _key(settings: LlmSettings) -> str:
    if settings.api_key is not None:
        return settings.api_key.get_secret_value()
    key = os.environ.get(_KEY_VARIABLE)
    if key:
        return key
    if settings.base_url is not None or os.environ.get(_URL_VARIABLE):
        # Servers of one's own mostly want none, and the SDK insists on one.
        return "none"
    raise invalid_field("extraction.llm.api_key", f"must be set, here or as {_KEY_VARIABLE}")
