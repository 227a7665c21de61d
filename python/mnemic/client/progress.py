"""A line on standard error that tells how far the pull of a model is."""

from __future__ import annotations

import sys


class ProgressLine:
    """Told (step, fraction): rewrites one line on a terminal; elsewhere writes a line for each step."""

    def __init__(self) -> None:
        self._step = ""
        self._width = 0

    def __call__(self, step: str, fraction: float) -> None:
        """Shows how far a step is, from 0 to 1."""
        if not sys.stderr.isatty():
            if step != self._step:
                self._step = step
                sys.stderr.write(f"mnemic: {step}\n")
            return
        text = f"mnemic: {step} {fraction:4.0%}"
        sys.stderr.write("\r" + text.ljust(self._width))
        sys.stderr.flush()
        self._width = len(text)

    def finish(self) -> None:
        """Ends the line, if one was begun."""
        if self._width:
            sys.stderr.write("\n")
            self._width = 0
