"""Checks the contract: lint, format, and that nothing breaks what clients of the last release were built on.

The last release's contract is checked in as a buf image, `proto/released.binpb`, rather than looked up in the git
history: a shallow clone, a source archive and a build of `main` itself have no history to compare with.

Usage:
    python scripts/check_contract.py            check
    python scripts/check_contract.py --release  make the contract as it is now the released one
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RELEASED = Path("proto", "released.binpb")
HINTS = {
    "lint": "buf.yaml says which rules hold; every message, field and RPC needs a comment",
    "format": "run `buf format -w`",
    "breaking": "clients of the last release would break: add a field or an RPC instead, and mark the old one "
    "deprecated (docs/contract.md)",
}


def buf(*arguments: str) -> int:
    """Runs the buf beside this interpreter in the repository; its exit code."""
    program = Path(sys.executable).with_name("buf")
    if not program.exists():
        sys.exit(f"buf is not installed in {sys.prefix}; install the development group of pyproject.toml")
    return subprocess.run([program, *arguments], cwd=ROOT, check=False).returncode  # noqa: S603 (our own arguments)


def main() -> None:
    """Checks, or records a release."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--release", action="store_true", help="record the contract as it is now as the released one")
    if parser.parse_args().release:
        sys.exit(buf("build", "--exclude-source-info", "--output", str(RELEASED)))
    checks = {
        "lint": ("lint",),
        "format": ("format", "--diff", "--exit-code"),
        "breaking": ("breaking", "--against", str(RELEASED)),
    }
    failed = [name for name, arguments in checks.items() if buf(*arguments) != 0]
    if failed:
        sys.exit("\n".join(f"buf {name} failed: {HINTS[name]}" for name in failed))


if __name__ == "__main__":
    main()
