"""A real model behind a real server: the protocol, and the guard against what a small model invents.

Needs `xllamacpp` (dependency group `extraction-model`) and a GGUF file of an instruction-tuned model, named by
MNEMIC_TEST_GGUF. A model of 135 million parameters holds to the schema and knows nothing: which facts it gives is no
matter here, but that none of them says what no message says.
"""

import os
from pathlib import Path

import pytest

from mnemic import _core
from mnemic.extraction.extractor import ExtractionFailedError
from mnemic.extraction.llm.extractor import LlmExtractor
from mnemic.extraction.settings import LlmSettings
from mnemic.model.deadline import NO_DEADLINE
from tests.extraction.extraction_support import request

MODEL = os.environ.get("MNEMIC_TEST_GGUF", "")
SAID = (
    "Hey Mel! I moved to Lisbon last month with my dog Rex.",
    "I work as a nurse at Santa Maria Hospital.",
)
SAID_NAMES = {"Ana", "Mel", "Lisbon", "Rex", "Santa", "Maria", "Hospital"}


@pytest.fixture(scope="module")
def address():
    xllamacpp = pytest.importorskip("xllamacpp", reason="xllamacpp is not installed (group extraction-model)")
    if not Path(MODEL).is_file():
        pytest.skip("MNEMIC_TEST_GGUF names no GGUF file")
    parameters = xllamacpp.CommonParams()
    parameters.model.path = MODEL
    parameters.n_ctx = 4096
    parameters.n_parallel = 1
    # More threads than cores wait for each other by spinning.
    parameters.cpuparams.n_threads = 1
    parameters.cpuparams_batch.n_threads = 1
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    server = xllamacpp.Server(parameters)
    yield f"{server.listening_address}/v1"
    del server


@pytest.fixture
def extractor(address, request):
    structured_output = getattr(request, "param", "json_schema")
    made = LlmExtractor(
        LlmSettings(
            base_url=address,
            model="local",
            structured_output=structured_output,
            max_output_tokens=400,
            timeout_seconds=280,
        )
    )
    yield made
    made.close()


@pytest.mark.parametrize("extractor", ["json_schema", "none"], indirect=True)
def test_a_small_model_is_held_to_what_was_said(extractor):
    try:
        result = extractor.extract(request(*SAID), NO_DEADLINE)
    except ExtractionFailedError:
        # Without a schema such a model may write anything; that is a failure by name and no fact.
        return
    assert min(result.prompt_tokens, result.completion_tokens) > 0
    assert result.facts or result.dropped
    for fact in result.facts:
        assert set(fact.source_ids) <= {"m1", "m2"}
        names = {word for name in _core.find_entities(fact.body) for word in name.split()}
        assert names <= SAID_NAMES
