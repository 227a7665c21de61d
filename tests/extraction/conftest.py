"""The extractor without a model."""

import pytest

from mnemic.extraction.local.extractor import LocalExtractor
from mnemic.model.deadline import NO_DEADLINE
from tests.extraction.extraction_support import request


@pytest.fixture(scope="session")
def local():
    return LocalExtractor()


@pytest.fixture
def facts(local):
    """What Ana's messages give."""

    def extract(*bodies, **parts):
        return list(local.extract(request(*bodies, **parts), NO_DEADLINE).facts)

    return extract
