"""Options that many commands share, as groups: a parameter of a command that is one of these dataclasses is offered
as its fields.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from mnemic.cli.failures import bad_input
from mnemic.model.scope import Scope

# Not MNEMIC_SERVER: the settings would read that as their table `server`.
ADDRESS_VARIABLE = "MNEMIC_ADDRESS"
API_KEY_VARIABLE = "MNEMIC_API_KEY"

_SCOPE_PANEL = "Whose memories"
_TARGET_PANEL = "Where they are"


@dataclass(frozen=True, slots=True)
class ScopeOptions:
    """The ids of a scope."""

    user: Annotated[
        str | None, typer.Option("--user", "-u", metavar="ID", help="The person.", rich_help_panel=_SCOPE_PANEL)
    ] = None
    agent: Annotated[
        str | None, typer.Option("--agent", metavar="ID", help="The agent.", rich_help_panel=_SCOPE_PANEL)
    ] = None
    session: Annotated[
        str | None,
        typer.Option("--session", "-s", metavar="ID", help="The conversation.", rich_help_panel=_SCOPE_PANEL),
    ] = None
    app: Annotated[
        str | None, typer.Option("--app", metavar="ID", help="The application.", rich_help_panel=_SCOPE_PANEL)
    ] = None

    def scope(self) -> Scope:
        """As the domain has it."""
        return Scope(user_id=self.user, agent_id=self.agent, session_id=self.session, app_id=self.app)

    def given(self) -> Scope | None:
        """The scope, or None when no id is given."""
        scope = self.scope()
        return None if scope.is_empty else scope


ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="Settings, as TOML; else $MNEMIC_CONFIG.", rich_help_panel=_TARGET_PANEL
    ),
]
DataDirectoryOption = Annotated[
    Path | None,
    typer.Option(
        "--data-directory",
        "-d",
        metavar="DIRECTORY",
        help="Work directly on this directory; the default comes from the settings.",
        rich_help_panel=_TARGET_PANEL,
    ),
]
EmbeddingOption = Annotated[
    str | None,
    typer.Option(
        "--embedding",
        metavar="NAME",
        help="The embedding model of the data directory, such as minilm or static.",
        rich_help_panel=_TARGET_PANEL,
    ),
]
AsOfOption = Annotated[str | None, typer.Option("--as-of", metavar="TIME", help="As things stood then, as ISO 8601.")]

ProfileOption = Annotated[
    str,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="A named set of weights: balanced, fast, precise, semantic or lexical; unset: the node's default.",
    ),
]

MinScoreOption = Annotated[float, typer.Option("--min-score", metavar="N", help="Leave out hits below, 0 to 1.")]

RerankOption = Annotated[bool, typer.Option("--rerank", help="Have the configured reranker order the first hits.")]

ContextWindowOption = Annotated[
    int, typer.Option("--context-window", metavar="N", help="Up to N messages before and after each hit, 0 to 10.")
]

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@dataclass(frozen=True, slots=True)
class DirectoryOptions:
    """A data directory and the settings that go with it."""

    data_directory: DataDirectoryOption = None
    config: ConfigOption = None
    embedding: EmbeddingOption = None


@dataclass(frozen=True, slots=True)
class TargetOptions(DirectoryOptions):
    """A server or a data directory."""

    server: Annotated[
        str | None,
        typer.Option(
            "--server",
            metavar="ADDRESS",
            help=f"Ask the server at host:port; else ${ADDRESS_VARIABLE}.",
            rich_help_panel=_TARGET_PANEL,
        ),
    ] = None

    api_key: Annotated[
        str | None,
        typer.Option(
            "--api-key",
            metavar="KEY",
            help=f"The credential, a key or a token; better in ${API_KEY_VARIABLE}, which other users cannot see.",
            rich_help_panel=_TARGET_PANEL,
        ),
    ] = None
    tls: Annotated[bool, typer.Option("--tls", help="Speak TLS with the server.", rich_help_panel=_TARGET_PANEL)] = (
        False
    )
    authority: Annotated[
        Path | None,
        typer.Option(
            "--tls-ca",
            metavar="FILE",
            help="TLS, and whose certificates the server may have, as PEM.",
            rich_help_panel=_TARGET_PANEL,
        ),
    ] = None
    certificate: Annotated[
        Path | None,
        typer.Option(
            "--tls-certificate",
            metavar="FILE",
            help="TLS, and a certificate for a server that asks for one, as PEM.",
            rich_help_panel=_TARGET_PANEL,
        ),
    ] = None
    certificate_key: Annotated[
        Path | None,
        typer.Option(
            "--tls-key", metavar="FILE", help="The private key of --tls-certificate.", rich_help_panel=_TARGET_PANEL
        ),
    ] = None

    def credential(self) -> str | None:
        """What the server asks for, from the flag or the environment."""
        return self.api_key or os.environ.get(API_KEY_VARIABLE) or None

    def address(self) -> str | None:
        """The server to ask, or None for the data directory. Flags win over the environment.

        Raises:
            CommandError: Both are named.
        """
        local = [
            name
            for name, value in (
                ("--data-directory", self.data_directory),
                ("--config", self.config),
                ("--embedding", self.embedding),
            )
            if value is not None
        ]
        if self.server is not None and local:
            raise bad_input(
                f"--server and {local[0]} exclude each other",
                hint="a server has its own data directory and settings",
            )
        return self.server or (None if local else os.environ.get(ADDRESS_VARIABLE) or None)


def with_option_groups(function: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameters that are option groups are spread into the groups' options."""
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, type[Any]] = {}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(function).parameters.values():
        hint = hints[parameter.name]
        if not (isinstance(hint, type) and is_dataclass(hint)):
            parameters.append(parameter.replace(annotation=hint, kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        groups[parameter.name] = hint
        field_hints = get_type_hints(hint, include_extras=True)
        parameters += [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=field_hints[field.name],
            )
            for field in fields(hint)
        ]

    @functools.wraps(function)
    def spread(**values: object) -> None:
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        function(**values)

    spread.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # functions may carry one
    spread.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return spread
