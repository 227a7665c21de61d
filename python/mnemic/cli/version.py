"""`mnemic version`."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as distribution_version

from mnemic.cli.documents import print_json
from mnemic.cli.options import JsonOption
from mnemic.cli.terminal import print_line

UNKNOWN = "unknown"


def installed_version(distribution: str) -> str:
    """The version of an installed distribution, or `unknown`."""
    try:
        return distribution_version(distribution)
    except PackageNotFoundError:
        return UNKNOWN


def version(*, as_json: JsonOption = False) -> None:
    """Print the version.

    Example: mnemic version --json
    """
    found = installed_version("mnemic")
    if as_json:
        print_json({"version": found})
    else:
        print_line(f"mnemic {found}")
