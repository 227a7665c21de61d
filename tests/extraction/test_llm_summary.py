"""Summaries by a language model: what it is asked, and that nothing is taken that the messages do not say."""

import pytest
from pydantic import SecretStr

from mnemic.extraction.extractor import ExtractionFailedError, ExtractionUnavailableError
from mnemic.extraction.llm.summarizer import LlmSummarizer
from mnemic.extraction.reasons import Dropped, Failure
from mnemic.extraction.settings import LlmSettings
from mnemic.model.deadline import NO_DEADLINE
from mnemic.model.memory import MemoryKind
from tests.embedding.embedding_servers import serving
from tests.extraction.chat_services import KEY, error, fact, facts
from tests.extraction.extraction_support import SAID_AT, request

TOLD = ("I moved to Porto.", "Rex likes the garden there.", "The rent is 900 euros.", "Remind me of the lease.")


@pytest.fixture
def summarizer(service):
    with serving(service.handler()) as address:
        made = LlmSummarizer(LlmSettings(base_url=f"{address}/v1", api_key=SecretStr(KEY), model="m"))
        yield made
        made.close()


def test_a_summary_is_the_sentences_that_the_messages_support(service, summarizer):
    service.answers = [
        facts(
            fact("Ana moved to Porto.", sources=(1,), entities=["Ana", "Porto"], categories=["home"], confidence=0.9),
            fact("Her dog Rex likes the garden.", sources=(2,), entities=["Rex"], confidence=0.7),
            fact("The rent in Porto is 950 euros.", sources=(3,)),
            fact("Ana works with Sebastian.", sources=(1,)),
            fact("The lease is signed.", sources=(9,)),
        )
    ]
    result = summarizer.extract(request(*TOLD), NO_DEADLINE)
    (summary,) = result.facts
    assert summary.body == "Ana moved to Porto. Her dog Rex likes the garden."
    assert (summary.kind, summary.source_ids) == (MemoryKind.SUMMARY, ("m1", "m2", "m3", "m4"))
    assert (summary.entities, summary.categories, summary.confidence) == (("Ana", "Porto", "Rex"), ("home",), 0.7)
    assert (summary.slot, summary.event_time_micros) == ("", SAID_AT + 1)
    assert result.dropped == {Dropped.UNSUPPORTED_NUMBER: 1, Dropped.UNSUPPORTED_NAME: 1, Dropped.UNKNOWN_SOURCE: 1}
    assert (result.prompt_tokens, result.completion_tokens) == (100, 20)
    assert summarizer.identity == "llm-summary:m:1"
    (asked,) = service.requests
    system, user = (message["content"] for message in asked["messages"])
    assert "summarise" in system
    assert "[3] 2023-05-08 Mon 13:56, Ana: The rent is 900 euros." in user


def test_a_summary_of_nothing_but_inventions_is_a_failure_and_its_tokens_are_told(service, summarizer):
    service.answers = [facts(fact("Sebastian lives in Atlantis.", sources=(1,)))]
    with pytest.raises(ExtractionFailedError) as failed:
        summarizer.extract(request(*TOLD), NO_DEADLINE)
    assert (failed.value.reason, failed.value.prompt_tokens) == (Failure.UNREADABLE, 100)


def test_a_service_that_is_busy_is_asked_again_later(service, summarizer):
    service.answers = [error(429, "slow down", headers={"retry-after": "7"})]
    with pytest.raises(ExtractionUnavailableError) as busy:
        summarizer.extract(request(*TOLD), NO_DEADLINE)
    assert busy.value.retry_after_seconds == 7.0


def test_it_is_bounded(service, summarizer):
    sentence = f"Ana moved {'to Porto ' * 80}in the end"
    service.answers = [facts(*(fact(f"{sentence}{'!' * number}", sources=(1,)) for number in range(9)))]
    (summary,) = summarizer.extract(request(*TOLD), NO_DEADLINE).facts
    assert len(sentence) < len(summary.body) <= 4000


def test_no_messages_are_no_call(service, summarizer):
    assert summarizer.extract(request(), NO_DEADLINE).facts == ()
    assert service.requests == []
