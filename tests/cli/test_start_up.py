"""Asking for help is quick, and help teaches."""

import subprocess
import sys

import pytest
from typer.main import get_command

from mnemic.cli.application import application

HEAVY = [
    "grpc",
    "numpy",
    "onnx",
    "onnxruntime",
    "openai",
    "pydantic_settings",
    "sqlalchemy",
    "tokenizers",
    "mnemic._core",
]


@pytest.mark.parametrize("arguments", [["--help"], ["search", "--help"], ["version"]], ids=" ".join)
def test_nothing_heavy_is_loaded_before_a_command_needs_it(arguments):
    program = (
        "import sys, mnemic.cli\n"
        f"sys.argv[1:] = {arguments!r}\n"
        "try:\n    mnemic.cli.main()\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print('loaded:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "loaded: []"


def commands():
    group = get_command(application)
    for name, command in group.commands.items():
        nested = getattr(command, "commands", None)
        yield from ((f"{name} {inner}", found) for inner, found in nested.items()) if nested else [(name, command)]


def test_every_command_of_the_issue_is_there():
    names = {name for name, _ in commands()}
    asked = "serve add search list get delete history import stats reembed doctor"
    assert set(asked.split()) <= names
    assert {"update", "scopes", "version", "models list", "models pull"} <= names


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_every_command_explains_itself_with_an_example(run, name):
    outcome = run(*name.split(), "--help")
    assert outcome.code == 0
    assert f"Example: mnemic {name}" in outcome.out


def test_every_option_has_words():
    for name, command in commands():
        for parameter in command.params:
            if parameter.param_type_name == "option" and parameter.name != "help":
                assert parameter.help, f"{name} {parameter.name}"


def test_no_command_shows_the_help(run):
    outcome = run()
    assert outcome.code == 0
    assert "Usage: mnemic" in outcome.out
    assert "models" in run("models").out
