"""The other side of `mnemic.extraction.worker`: a process that is started when it is needed, and anew when it ended."""

from __future__ import annotations

import os
import pickle
import select
import subprocess
import sys
import time
from contextlib import suppress

from mnemic.extraction.extractor import ExtractionFailedError, ExtractionUnavailableError
from mnemic.extraction.settings import ExtractionSettings
from mnemic.extraction.worker import FRAME_HEADER_BYTES, Outcome, Task, frame_length, write_frame
from mnemic.model.fact import ExtractionRequest, ExtractionResult

# After its deadline a worker has this long to say so; then it is ended.
_GRACE_SECONDS = 5.0
_ENDING_SECONDS = 5.0
# Not as the main module, whose classes would be others than those here.
_PROGRAM = "from mnemic.extraction.worker import main; main()"


class ExtractionWorker:
    """One process; for one thread at a time. Waiting for it holds no interpreter.

    Args:
        settings: What it draws facts by.
    """

    def __init__(self, settings: ExtractionSettings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process_id(self) -> int | None:
        """The process, if there is one."""
        return None if self._process is None else self._process.pid

    def extract(self, method: str, request: ExtractionRequest, seconds: float) -> tuple[str, ExtractionResult]:
        """Draws the facts of a batch.

        Args:
            method: By which extractor.
            request: The batch.
            seconds: How long it may take.

        Returns:
            The identity of the extractor, and what it drew.

        Raises:
            ExtractionUnavailableError: Not now; also when the process ended or did not answer.
            ExtractionFailedError: Not later either.
        """
        try:
            process = self._started()
            write_frame(process.stdin, Task(method, request, seconds))  # type: ignore[arg-type]  # it has a pipe
            outcome = self._answer(process, time.monotonic() + seconds + _GRACE_SECONDS)
        except (OSError, EOFError, TimeoutError) as error:
            self.stop()
            words = str(error) or "it ended"
            raise ExtractionUnavailableError(f"the extraction process gave no answer: {words}") from error
        if outcome.result is not None:
            return outcome.identity, outcome.result
        if outcome.failure is not None:
            raise ExtractionFailedError(
                outcome.error,
                reason=outcome.failure,
                prompt_tokens=outcome.prompt_tokens,
                completion_tokens=outcome.completion_tokens,
            )
        raise ExtractionUnavailableError(
            outcome.error,
            retry_after_seconds=outcome.retry_after_seconds,
            prompt_tokens=outcome.prompt_tokens,
            completion_tokens=outcome.completion_tokens,
        )

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.stop()
        # A plain child and not multiprocessing's, which would run the caller's main module again.
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self._process = subprocess.Popen(  # noqa: S603 (this interpreter, and a text of this file)
            [sys.executable, "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            # An interrupt at the terminal is the server's, which ends its workers when it has drained.
            start_new_session=True,
        )
        write_frame(self._process.stdin, self._settings)  # type: ignore[arg-type]  # it has a pipe
        return self._process

    @staticmethod
    def _answer(process: subprocess.Popen[bytes], until: float) -> Outcome:
        descriptor = process.stdout.fileno()  # type: ignore[union-attr]  # it has a pipe
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        data, wanted = bytearray(), FRAME_HEADER_BYTES
        while len(data) < wanted:
            remaining = until - time.monotonic()
            if remaining <= 0 or not poll.poll(remaining * 1000):
                raise TimeoutError("it took too long")
            part = os.read(descriptor, wanted - len(data))
            if not part:
                raise EOFError
            data += part
            if wanted == FRAME_HEADER_BYTES and len(data) == wanted:
                wanted += frame_length(bytes(data))
        outcome: Outcome = pickle.loads(data[FRAME_HEADER_BYTES:])  # noqa: S301 (from a process of this program)
        return outcome

    def stop(self) -> None:
        """Ends the process, if there is one; the next batch starts another."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait(_ENDING_SECONDS)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                # What was still to be written is of no use.
                with suppress(OSError):
                    pipe.close()
