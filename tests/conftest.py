"""Fixtures that several rooms share: a real engine over a real store with a real (small) model."""

import urllib.request
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from prometheus_client.parser import text_string_to_metric_families

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


@pytest.fixture
def metrics_page() -> Callable[[str], dict[tuple, float]]:
    """Reads the page for Prometheus: each sample by its name and its labels in order."""

    def read(address: str) -> dict[tuple, float]:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        return {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    return read
