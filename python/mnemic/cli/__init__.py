"""The command line: `mnemic serve | add | search | …`.

Importing it must stay quick: what is heavy (numpy, onnxruntime, grpc, sqlalchemy, pydantic) is imported inside the
commands that need it, and a test holds that.
"""

from __future__ import annotations

from mnemic.cli.application import main

__all__ = ["main"]
