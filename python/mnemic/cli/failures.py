"""How a failed command ends: one `error:` line, a `hint:` where one helps, an exit code; never a traceback."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from mnemic.model.errors import Code, MnemicError, Reason

EXIT_FAILURE = 1
EXIT_BAD_INPUT = 2

# Newer typer carries its own copy of click and exports only the leaves of its exceptions; older ones use click's.
# The bases are the same classes whichever copy is in use.
_UsageError: type[Any] = typer.BadParameter.__mro__[1]
_ClickException: type[Any] = typer.BadParameter.__mro__[2]

_HINTS: dict[Reason, str] = {
    Reason.SCOPE_MISSING: "say whose memories: --user, --agent, --session or --app",
    Reason.MODEL_MISMATCH: "`mnemic reembed` migrates the vectors; or set --embedding back",
    Reason.MODEL_NOT_INSTALLED: "`mnemic models list` shows which are installed; --embedding NAME uses another",
    Reason.MEMORY_NOT_FOUND: "`mnemic list` shows the ids of a scope, `mnemic scopes` the scopes",
    Reason.VERSION_CONFLICT: "somebody changed it meanwhile; read it again with `mnemic get`",
    Reason.CORRUPT_DATA: "`mnemic doctor` says what is damaged",
    Reason.OVERLOADED: "try again in a moment",
    Reason.UNAUTHENTICATED: "give a key with --api-key or MNEMIC_API_KEY; `mnemic keys create` makes one",
    Reason.PERMISSION_DENIED: "use a key of a higher role; `mnemic keys list` shows what each may do",
}

# By what the clients found when a connection was not agreed on.
_CONNECTION_HINTS = {
    "server_certificate": "name the authority of its certificate with --tls-ca FILE",
    "server_name": "use a name that its certificate has as the --server",
    "no_tls": "leave out --tls, --tls-ca, --tls-certificate and --tls-key",
    "client_certificate": "give a certificate that it takes with --tls-certificate FILE and --tls-key FILE",
    "closed": "try --tls or --tls-ca FILE; if it asks for certificates, --tls-certificate FILE and --tls-key FILE",
}


class CommandError(Exception):
    """A failure of the command line itself.

    Attributes:
        message: What went wrong, in one line.
        hint: What to do, or empty.
        exit_code: 2 for bad input, 1 otherwise.
    """

    def __init__(self, message: str, *, hint: str = "", exit_code: int = EXIT_FAILURE) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code


def bad_input(message: str, *, hint: str = "") -> CommandError:
    """A refusal of what the user typed."""
    return CommandError(message, hint=hint, exit_code=EXIT_BAD_INPUT)


class CommandGroup(TyperGroup):
    """The root command; it reports failures in the one form."""

    debug = False

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 (typer's signature)
        windows_expand_args: bool = True,  # noqa: FBT001, FBT002 (the same)
        **extra: Any,  # noqa: ANN401 (the same)
    ) -> Any:  # noqa: ANN401 (the same)
        """Runs a command line; ends the process unless `standalone_mode` is off."""
        CommandGroup.debug = False
        try:
            result = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)  # noqa: FBT003 (the same)
        except Exception as error:
            if not standalone_mode:
                raise
            # The last resort of a process: whatever it was, it is reported and not raised into the user's face.
            sys.exit(_report(error))
        if standalone_mode:
            # Without standalone mode an Exit's code comes back as the result.
            sys.exit(result if isinstance(result, int) else 0)
        return result


def _report(error: Exception) -> int:
    if CommandGroup.debug:
        traceback.print_exception(error)
    message, hint, code = _describe(error)
    lines = [f"error: {_one_line(message)}"]
    if hint:
        lines.append(f"hint: {hint}")
    sys.stdout.flush()
    sys.stderr.write("\n".join(lines) + "\n")
    return code


def _one_line(message: str) -> str:
    return " ".join(message.split())


def _describe(error: Exception) -> tuple[str, str, int]:
    """What to tell, what to advise and the exit code."""
    if isinstance(error, CommandError):
        return error.message, error.hint, error.exit_code
    if isinstance(error, MnemicError):
        code = EXIT_BAD_INPUT if error.code is Code.INVALID_ARGUMENT else EXIT_FAILURE
        return error.message, hint_for(error), code
    if isinstance(error, typer.Abort):
        return "aborted", "", EXIT_FAILURE
    if isinstance(error, _UsageError):
        command = error.ctx.command_path if error.ctx is not None else "mnemic"
        return error.format_message(), f"`{command} --help` shows how it is used", EXIT_BAD_INPUT
    if isinstance(error, _ClickException):
        return error.format_message(), "", EXIT_BAD_INPUT
    if isinstance(error, OSError):
        return str(error), "", EXIT_FAILURE
    return f"unexpected {type(error).__name__}: {error}", "`mnemic --debug …` shows the traceback", EXIT_FAILURE


def hint_for(error: MnemicError) -> str:
    """What the user of the command line can do about a failure, or empty."""
    address = error.metadata.get("holder_address")
    if address and address.endswith(":0"):
        return "a server is running on it: use --server with the address that it printed"
    if address:
        return f"a server is running on it: use --server {address}"
    cause = error.metadata.get("cause")
    if cause in _CONNECTION_HINTS:
        return _CONNECTION_HINTS[cause]
    if error.metadata.get("grpc_code") == "UNAVAILABLE":
        return f"`mnemic serve --address {error.metadata.get('address', '')}` starts one"
    return _HINTS.get(error.reason, "")
