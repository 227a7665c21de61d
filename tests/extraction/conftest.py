"""The extractors: the rules, and the one that asks an LLM, here a server of our own."""

import pytest
from pydantic import SecretStr

from mnemic.extraction.llm.extractor import LlmExtractor
from mnemic.extraction.local.extractor import LocalExtractor
from mnemic.extraction.settings import LlmSettings
from mnemic.model.deadline import NO_DEADLINE
from tests.embedding.embedding_servers import serving
from tests.extraction.chat_services import KEY, ChatService
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


@pytest.fixture
def service():
    return ChatService()


@pytest.fixture
def llm(service):
    """Makes an extractor that asks the fake service."""
    made = []
    with serving(service.handler()) as address:

        def make(**settings):
            values = {"base_url": f"{address}/v1", "api_key": SecretStr(KEY), "model": "m"} | settings
            made.append(LlmExtractor(LlmSettings(**values)))
            return made[-1]

        yield make
        for extractor in made:
            extractor.close()
