"""`mnemic serve`."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mnemic.cli.backend import directory_settings
from mnemic.cli.failures import bad_input
from mnemic.cli.options import DirectoryOptions
from mnemic.cli.terminal import fraction_bar, print_remark

if TYPE_CHECKING:
    from mnemic.engine.settings import Settings


def serve(
    *,
    address: Annotated[
        str | None, typer.Option("--address", metavar="HOST:PORT", help="Where to listen; port 0 takes a free one.")
    ] = None,
    front: Annotated[
        Literal["on", "off"] | None,
        typer.Option("--front", help="off: the Python server listens itself, without the native front."),
    ] = None,
    unix_socket: Annotated[
        Path | None, typer.Option("--unix-socket", metavar="PATH", help="One more address, for you alone.")
    ] = None,
    tls_certificate: Annotated[
        Path | None, typer.Option("--tls-certificate", metavar="FILE", help="PEM, with the chain: listen with TLS.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", metavar="FILE", help="PEM, its private key.")] = None,
    tls_client_ca: Annotated[
        Path | None,
        typer.Option("--tls-client-ca", metavar="FILE", help="PEM: only clients with a certificate of these."),
    ] = None,
    directory: DirectoryOptions,
    next_embedding: Annotated[
        str | None,
        typer.Option(
            "--next-embedding",
            metavar="NAME",
            help="Make the vectors of this model meanwhile, to start with it later; see `mnemic reembed --status`.",
        ),
    ] = None,
    log_level: Annotated[str | None, typer.Option("--log-level", help="debug, info, warning or error.")] = None,
    log_format: Annotated[str | None, typer.Option("--log-format", help="console or json.")] = None,
    pull: Annotated[
        bool, typer.Option("--pull/--no-pull", help="Fetch the embedding model if it is not installed.")
    ] = True,
    insecure_public: Annotated[
        bool,
        typer.Option(
            "--insecure-public",
            help="Listen on an address that others reach, although everyone who does reads and changes everything.",
        ),
    ] = False,
) -> None:
    """Run the server. Settings come from --config, the environment (MNEMIC_…) and these flags, in rising order.

    Example: mnemic serve --address 127.0.0.1:50551 --data-directory ./memories
    """
    settings = directory_settings(
        directory,
        next_embedding=next_embedding,
        address=address,
        front=front,
        unix_socket=unix_socket,
        tls_certificate=tls_certificate,
        tls_key=tls_key,
        tls_client_ca=tls_client_ca,
        log_level=log_level,
        log_format=log_format,
    )
    # Whoever has a certificate of the right authority was let in on purpose.
    _require_authentication(settings, allowed=insecure_public or settings.server.tls_client_ca is not None)
    _serve(settings, pull=pull)


def _require_authentication(settings: Settings, *, allowed: bool) -> None:
    address = settings.server.address
    if settings.authentication.mode == "none" and not allowed and not is_loopback(address):
        raise bad_input(
            f"--address: {address} can be reached from other machines, and authentication.mode is none",
            hint="set authentication.mode to keys (`mnemic keys create --role operator` makes the first), listen on "
            "127.0.0.1, or say --insecure-public if the network itself is closed",
        )


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach it."""
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _serve(settings: Settings, *, pull: bool) -> None:
    from mnemic.embedding.catalogue import CATALOGUE  # noqa: PLC0415 (start-up time)
    from mnemic.embedding.install import pull_model  # noqa: PLC0415 (start-up time: loads onnx)
    from mnemic.server.server import serve as run_server  # noqa: PLC0415 (start-up time: loads grpc)

    for embedding in (settings.embedding, settings.next_embedding):
        if pull and embedding is not None and embedding.provider in CATALOGUE:
            # Before the server starts, so that its log does not write into the bar.
            with fraction_bar(f"Installing the embedding model {embedding.provider}") as report:
                pull_model(embedding.provider, models_directory=embedding.models_directory, progress=report)
    run_server(settings, pull_missing_model=False, on_ready=lambda address: _print_banner(settings, address))


def _print_banner(settings: Settings, address: str) -> None:
    print_remark(f"  data       {settings.data_directory.expanduser().absolute()}")
    print_remark(f"  embedding  {settings.embedding.provider}")
    print_remark(f"  access     {_access_text(settings, address)}")
    tls = " --tls-ca FILE" if settings.server.tls_certificate and not address.startswith("unix:") else ""
    print_remark(f'  try        mnemic search "…" --user ID --server {address}{tls}')


def _access_text(settings: Settings, address: str) -> str:
    match settings.authentication.mode:
        case "keys":
            return "API keys"
        case "jwt":
            return "tokens"
        case "keys+jwt":
            return "API keys and tokens"
    reach = "this machine only" if is_loopback(address) else "EVERYONE WHO REACHES THIS ADDRESS"
    return f"no authentication; open to {reach}"
