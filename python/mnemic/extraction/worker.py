"""The process that draws facts, so that the server's interpreter is never busy with it.

The settings and then requests come as frames on standard input, answers go as frames to standard output; the end of
the input ends the process. `mnemic.engine.extraction_worker` is the other side.
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
from dataclasses import dataclass
from typing import Any, BinaryIO

from mnemic.extraction.extractor import ExtractionFailedError, ExtractionUnavailableError, Extractor
from mnemic.extraction.factory import open_llm_extractor, open_local_extractor, open_summarizer
from mnemic.extraction.reasons import Failure
from mnemic.extraction.settings import ExtractionSettings
from mnemic.model.deadline import Deadline
from mnemic.model.errors import MnemicError
from mnemic.model.fact import ExtractionRequest, ExtractionResult

LOCAL = "local"
LLM = "llm"
SUMMARY = "summary"
_LENGTH = struct.Struct("<Q")
# What a server is doing for its callers comes first.
_NICENESS = 5


@dataclass(frozen=True, slots=True)
class Task:
    """A batch to draw facts from.

    Attributes:
        method: By which extractor.
        request: The batch.
        seconds: How long it may take.
    """

    method: str
    request: ExtractionRequest
    seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it: exactly one of `result` and `error` is set.

    Attributes:
        identity: Of the extractor.
        result: What was drawn.
        error: Why nothing was, in words.
        failure: Why it will not be, however often it is tried; None if it may.
        retry_after_seconds: How long to wait before another try, where that is known.
        prompt_tokens: What was spent in vain.
        completion_tokens: The same, written.
    """

    identity: str = ""
    result: ExtractionResult | None = None
    error: str = ""
    failure: Failure | None = None
    retry_after_seconds: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0


def write_frame(stream: BinaryIO, value: object) -> None:
    """Sends a value to the other side, which trusts this one: both are one program."""
    data = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def frame_length(header: bytes) -> int:
    """How many bytes follow a frame's header."""
    length: int = _LENGTH.unpack(header)[0]
    return length


FRAME_HEADER_BYTES = _LENGTH.size


def read_frame(stream: BinaryIO) -> Any:  # noqa: ANN401 (what the other side sent)
    """The next value; None at the end."""
    header = stream.read(FRAME_HEADER_BYTES)
    return pickle.loads(stream.read(frame_length(header))) if header else None  # noqa: S301 (from the process that started this one)


def open_extractors(settings: ExtractionSettings) -> dict[str, Extractor]:
    """What a worker can do, by its name."""
    extractors: dict[str, Extractor] = {LOCAL: open_local_extractor()}
    llm, summarizer = open_llm_extractor(settings), open_summarizer(settings)
    return extractors if llm is None or summarizer is None else extractors | {LLM: llm, SUMMARY: summarizer}


def draw(extractors: dict[str, Extractor], task: Task) -> Outcome:
    """Carries out a task; never raises."""
    extractor = extractors.get(task.method)
    if extractor is None:
        # It was there when the work was enqueued.
        return Outcome(error=f"no extractor {task.method!r} is configured", failure=Failure.REFUSED)
    try:
        result = extractor.extract(task.request, Deadline.after(task.seconds))
    except ExtractionUnavailableError as error:
        return Outcome(
            extractor.identity,
            error=error.description,
            retry_after_seconds=error.retry_after_seconds,
            prompt_tokens=error.prompt_tokens,
            completion_tokens=error.completion_tokens,
        )
    except ExtractionFailedError as error:
        return Outcome(
            extractor.identity,
            error=error.description,
            failure=error.reason,
            prompt_tokens=error.prompt_tokens,
            completion_tokens=error.completion_tokens,
        )
    except MnemicError as error:
        return Outcome(extractor.identity, error=str(error))
    except Exception as error:  # noqa: BLE001 (a defect of an extractor must not end the process for the next batch)
        return Outcome(extractor.identity, error=f"defect: {type(error).__name__}: {error}")
    return Outcome(extractor.identity, result)


def main() -> None:
    """Answers frames until there are no more."""
    os.nice(_NICENESS)
    requests = sys.stdin.buffer
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Whatever prints must not end up between the frames.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    extractors = open_extractors(read_frame(requests))
    while (task := read_frame(requests)) is not None:
        write_frame(answers, draw(extractors, task))
