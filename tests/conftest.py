"""Fixtures that several rooms share: a real engine over a real store with a real (small) model."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from mnemic.engine.engine import Engine
from mnemic.engine.settings import Settings, load_settings

hypothesis_settings.register_profile(
    "house", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
hypothesis_settings.load_profile("house")


@pytest.fixture
def settings(tmp_path) -> Settings:
    """A fresh data directory and the static model, which embeds in microseconds."""
    return load_settings(data_directory=tmp_path / "data", embedding={"provider": "static"})


@pytest.fixture
def engine(settings) -> Iterator[Engine]:
    with Engine.open(settings, pull_missing_model=True) as opened:
        yield opened
