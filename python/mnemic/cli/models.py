"""`mnemic models list` and `mnemic models pull`."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnemic.cli.documents import print_json
from mnemic.cli.failures import bad_input
from mnemic.cli.options import ConfigOption, JsonOption
from mnemic.cli.terminal import Column, Row, bytes_text, fraction_bar, print_line, print_remark, print_table
from mnemic.model.errors import MnemicError, Reason

if TYPE_CHECKING:
    from mnemic.embedding.catalogue import ModelEntry

models_application = typer.Typer(help="The embedding models: which there are, and install one.")

ModelsDirectoryOption = Annotated[
    Path | None,
    typer.Option(
        "--models-directory", metavar="DIRECTORY", help="Where installed models are kept; else the settings'."
    ),
]


@models_application.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """The embedding models: which there are, and install one."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@dataclass(frozen=True, slots=True)
class _Found:
    """How a model of the catalogue is installed.

    Attributes:
        entry: The model.
        directory: Where, or None.
        state: `installed`, `not installed` or `damaged`.
        problem: What is wrong with a damaged one.
    """

    entry: ModelEntry
    directory: Path | None
    state: str
    problem: str = ""


@models_application.command("list")
def list_models(
    *, models_directory: ModelsDirectoryOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Show the embedding models that can be installed, and whether they are.

    Example: mnemic models list
    """
    from mnemic.embedding.catalogue import CATALOGUE  # noqa: PLC0415 (start-up time)

    directory = _models_directory(models_directory, config)
    found = [_find(entry, directory) for entry in CATALOGUE.values()]
    if as_json:
        print_json({"models": [_document(item) for item in found]})
        return
    columns = [
        Column("Name", style="bold"),
        Column("State"),
        Column("Licence"),
        Column("To fetch", justify="right"),
        Column("Model", flexible=True),
    ]
    rows = []
    for item in found:
        size = bytes_text(sum(file.size for file in item.entry.files))
        note = item.problem or str(item.directory or "")
        rows.append(Row((item.entry.name, item.state, item.entry.licence, size, item.entry.title), note))
    print_table(columns, rows, note_title="where")


def _find(entry: ModelEntry, models_directory: Path | None) -> _Found:
    from mnemic.embedding.install import find_model  # noqa: PLC0415 (start-up time: loads onnx)

    try:
        return _Found(entry, find_model(entry.name, models_directory=models_directory).directory, "installed")
    except MnemicError as error:
        if error.reason is Reason.MODEL_NOT_INSTALLED:
            return _Found(entry, None, "not installed")
        return _Found(entry, None, "damaged", error.message)


def _document(item: _Found) -> dict[str, object]:
    return {
        "name": item.entry.name,
        "title": item.entry.title,
        "identity": item.entry.identity,
        "licence": item.entry.licence,
        "download_bytes": sum(file.size for file in item.entry.files),
        "state": item.state.replace(" ", "_"),
        "directory": None if item.directory is None else str(item.directory),
    }


@models_application.command("pull")
def pull(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Which, as `mnemic models list` names it.")],
    *,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="DIRECTORY",
            help="Take the published files from here and ask no network; their digests are verified.",
        ),
    ] = None,
    models_directory: ModelsDirectoryOption = None,
    config: ConfigOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Install an embedding model; nothing is done when it is installed and sound.

    Example: mnemic models pull minilm
    """
    from mnemic.embedding.install import find_model, pull_model  # noqa: PLC0415 (start-up time: loads onnx)

    if source is not None and not source.is_dir():
        raise bad_input(f"--from: {source} is no directory")
    directory = _models_directory(models_directory, config)
    with ExitStack() as stack:
        report = None if quiet else stack.enter_context(fraction_bar(f"Installing {name}"))
        pull_model(name, source_directory=source, models_directory=directory, progress=report)
    installed = find_model(name, models_directory=directory)
    if as_json:
        print_json({"name": name, "identity": installed.identity, "directory": str(installed.directory)})
        return
    print_line(str(installed.directory))
    if not quiet:
        print_remark(f"{name} is installed: {installed.identity}")


def _models_directory(given: Path | None, config: Path | None) -> Path | None:
    """The flag's, else the settings'; None for the default place."""
    if given is not None:
        return given.expanduser()
    from mnemic.engine.settings import load_settings  # noqa: PLC0415 (start-up time: loads pydantic)

    return load_settings(config=config).embedding.models_directory
