"""How an LLM is asked, and what becomes of its failures: against a real server that speaks the protocol."""

import time

import pytest

from mnemic.extraction.extractor import ExtractionFailedError, ExtractionUnavailableError
from mnemic.extraction.factory import open_llm_extractor, open_local_extractor
from mnemic.extraction.llm.extractor import LlmExtractor
from mnemic.extraction.llm.schema import SCHEMA
from mnemic.extraction.settings import ExtractionSettings, LlmSettings
from mnemic.model.deadline import NO_DEADLINE, Deadline
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.fact import ExtractionRequest
from tests.extraction.chat_services import completion, error, fact, facts
from tests.extraction.extraction_support import request

HOME = fact("Ana lives in Lisbon.", slot="ana.home", value="Lisbon", entities=["Ana", "Lisbon"])


def bodies_of(result):
    return [fact.body for fact in result.facts]


def numbered(sent):
    """The messages that a request numbers."""
    text = sent["messages"][1]["content"]
    return [line for line in text.splitlines() if line.startswith("[")]


def test_a_batch_is_one_call_with_a_schema(service, llm):
    service.answers = [facts(HOME)]
    result = llm().extract(request("I live in Lisbon.", "Hi!", "I love it."), NO_DEADLINE)
    (sent,) = service.requests
    assert sent["model"] == "m"
    assert sent["response_format"]["json_schema"]["schema"] == SCHEMA
    assert sent["response_format"]["json_schema"]["strict"] is True
    assert (sent["temperature"], sent["max_completion_tokens"]) == (0.0, 4096)
    assert len(numbered(sent)) == 3
    assert bodies_of(result) == ["Ana lives in Lisbon."]
    assert (result.prompt_tokens, result.completion_tokens, result.cost) == (100, 20, None)


def test_tokens_have_their_price(service, llm):
    service.answers = [facts(HOME, usage=(1000, 200))]
    extractor = llm(price_per_million_prompt_tokens=2.0, price_per_million_completion_tokens=10.0)
    assert extractor.extract(request("I live in Lisbon."), NO_DEADLINE).cost == pytest.approx(0.004)


def test_no_messages_are_no_call(service, llm):
    assert llm().extract(ExtractionRequest(messages=()), NO_DEADLINE).facts == ()
    assert service.requests == []


@pytest.mark.parametrize(
    ("refusal", "changed"),
    [
        (
            error(
                400,
                "Invalid parameter: 'response_format' of type 'json_schema' is not supported",
                param="response_format",
            ),
            lambda sent: sent["response_format"] == {"type": "json_object"},
        ),
        (
            error(400, "Unsupported value: 'temperature' does not support 0.0 with this model.", param="temperature"),
            lambda sent: "temperature" not in sent,
        ),
        (
            error(422, "extra fields not permitted: max_completion_tokens"),
            lambda sent: sent.get("max_tokens") == 4096 and "max_completion_tokens" not in sent,
        ),
        (
            error(500, "failed to parse grammar"),
            lambda sent: sent["response_format"] == {"type": "json_object"},
        ),
    ],
)
def test_what_a_service_refuses_is_left_out_from_then_on(service, llm, refusal, changed):
    service.answers = [refusal, facts(HOME)]
    extractor = llm()
    assert bodies_of(extractor.extract(request("I live in Lisbon."), NO_DEADLINE)) == ["Ana lives in Lisbon."]
    extractor.extract(request("I live in Lisbon."), NO_DEADLINE)
    assert len(service.requests) == 3
    assert all(changed(sent) for sent in service.requests[1:])


def test_a_service_without_any_structured_output_is_asked_in_words(service, llm):
    refusal = error(400, "response_format is not supported")
    service.answers = [
        refusal,
        refusal,
        completion('Sure!\n```json\n{"facts": [{"text": "Ana lives in Lisbon.", "sources": [1]}]}\n```'),
    ]
    assert bodies_of(llm().extract(request("I live in Lisbon."), NO_DEADLINE)) == ["Ana lives in Lisbon."]
    assert "response_format" not in service.requests[-1]


@pytest.mark.parametrize(
    ("answer", "retry_after"),
    [
        (error(429, "Rate limit reached", headers={"retry-after": "7"}), 7.0),
        (error(429, "Rate limit reached", headers={"retry-after-ms": "1500"}), 1.5),
        (error(503, "overloaded"), None),
        (error(500, "internal error"), None),
        (error(408, "timeout"), None),
        ((200, {}, "<html>our proxy is having a bad day</html>"), None),
        ((200, {}, {"object": "chat.completion"}), None),
    ],
)
def test_what_may_pass_is_for_later(service, llm, answer, retry_after):
    service.answers = [answer]
    with pytest.raises(ExtractionUnavailableError) as raised:
        llm().extract(request("I live in Lisbon."), NO_DEADLINE)
    assert raised.value.retry_after_seconds == retry_after
    assert len(service.requests) == 1


def test_a_service_that_is_away_is_for_later():
    extractor = LlmExtractor(LlmSettings(base_url="http://127.0.0.1:9/v1", model="m"))
    with pytest.raises(ExtractionUnavailableError, match="cannot be reached"):
        extractor.extract(request("I live in Lisbon."), NO_DEADLINE)
    extractor.close()


def test_nobody_waits_beyond_the_deadline(service, llm):
    service.delay = 30.0
    began = time.monotonic()
    with pytest.raises(ExtractionUnavailableError, match="in time"):
        llm().extract(request("I live in Lisbon."), Deadline.after(0.2))
    assert time.monotonic() - began < 20
    service.delay = 0.0
    asked = len(service.requests)
    with pytest.raises(ExtractionUnavailableError, match="time was up"):
        llm().extract(request("I live in Lisbon."), Deadline.after(0.0))
    assert len(service.requests) == asked


@pytest.mark.parametrize("answer", [error(401, "no"), error(403, "no"), error(404, "no such model"), error(400, "bad")])
def test_what_will_not_pass_is_a_failure(service, llm, answer):
    service.answers = [answer]
    with pytest.raises(ExtractionFailedError) as raised:
        llm().extract(request("I live in Lisbon."), NO_DEADLINE)
    assert raised.value.reason == "refused"


def test_a_wrong_key_is_a_failure(llm):
    from pydantic import SecretStr

    with pytest.raises(ExtractionFailedError, match="401"):
        llm(api_key=SecretStr("sk-wrong")).extract(request("I live in Lisbon."), NO_DEADLINE)


def test_an_answer_that_is_cut_off_is_asked_for_in_halves(service, llm):
    def answer(sent):
        lines = numbered(sent)
        if len(lines) > 1:
            return completion('{"facts": [{"text": "An', finish="length", usage=(10, 1))
        return facts(fact("Ana lives in Lisbon.") if "Lisbon" in lines[0] else fact("Ana has a dog."), usage=(10, 1))

    service.answers = [answer]
    result = llm().extract(request("I live in Lisbon.", "I have a dog."), NO_DEADLINE)
    assert [(fact.body, fact.source_ids) for fact in result.facts] == [
        ("Ana lives in Lisbon.", ("m1",)),
        ("Ana has a dog.", ("m2",)),
    ]
    assert (result.prompt_tokens, result.completion_tokens) == (30, 3)
    # The other half is there to be understood by.
    assert "I have a dog." in service.requests[1]["messages"][1]["content"]


def test_of_a_single_answer_that_is_cut_off_the_whole_facts_are_kept(service, llm):
    cut = '{"facts": [{"text": "Ana lives in Lisbon.", "sources": [1]}, {"text": "Ana has a d'
    service.answers = [completion(cut, finish="length")]
    assert bodies_of(llm().extract(request("I live in Lisbon and have a dog."), NO_DEADLINE)) == [
        "Ana lives in Lisbon."
    ]


def test_a_prompt_that_does_not_fit_is_halved(service, llm):
    def answer(sent):
        if len(numbered(sent)) > 1:
            return error(400, "This model's maximum context length is 512 tokens", code="context_length_exceeded")
        return facts(HOME) if "Lisbon" in numbered(sent)[0] else facts()

    service.answers = [answer]
    assert bodies_of(llm().extract(request("Hi.", "I live in Lisbon.", "Bye."), NO_DEADLINE)) == [
        "Ana lives in Lisbon."
    ]


@pytest.mark.parametrize(
    "refusal",
    [
        completion("", finish="content_filter"),
        completion("", refusal="I can't help with that."),
        error(400, "The response was filtered", code="content_filter"),
    ],
)
def test_one_message_that_is_refused_does_not_cost_the_others(service, llm, refusal):
    def answer(sent):
        lines = numbered(sent)
        if any("horrible" in line for line in lines):
            return refusal
        return facts(HOME) if any("Lisbon" in line for line in lines) else facts()

    service.answers = [answer]
    result = llm().extract(request("Something horrible.", "I live in Lisbon."), NO_DEADLINE)
    assert bodies_of(result) == ["Ana lives in Lisbon."]
    assert result.dropped == {"message_filtered": 1}
    with pytest.raises(ExtractionFailedError) as raised:
        llm().extract(request("Something horrible."), NO_DEADLINE)
    assert raised.value.reason == "content_filter"


def test_an_answer_that_cannot_be_read_is_asked_for_once_more(service, llm):
    service.answers = [completion("I found no JSON to write.", usage=(10, 5)), facts(HOME, usage=(20, 6))]
    result = llm().extract(request("I live in Lisbon."), NO_DEADLINE)
    assert bodies_of(result) == ["Ana lives in Lisbon."]
    assert (result.prompt_tokens, result.completion_tokens) == (30, 11)
    assert [message["role"] for message in service.requests[1]["messages"]] == ["system", "user", "assistant", "user"]


def test_a_model_that_never_answers_readably_fails_and_says_what_it_cost(service, llm):
    service.answers = [completion("no", usage=(10, 5))]
    with pytest.raises(ExtractionFailedError) as raised:
        llm().extract(request("I live in Lisbon."), NO_DEADLINE)
    assert (raised.value.reason, raised.value.prompt_tokens, raised.value.completion_tokens) == ("unreadable", 20, 10)


def test_a_service_that_counts_no_tokens_is_believed_to_use_none(service, llm):
    service.answers = [facts(HOME, usage=None)]
    assert llm().extract(request("I live in Lisbon."), NO_DEADLINE).prompt_tokens == 0


def test_settings_decide_which_extractors_there_are(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    assert open_local_extractor().identity == "local:en:2"
    assert open_llm_extractor(ExtractionSettings()) is None
    own = open_llm_extractor(ExtractionSettings(llm=LlmSettings(model="m", base_url="http://127.0.0.1:9/v1")))
    assert own.identity == "llm:m:1"
    own.close()
    with pytest.raises(MnemicError) as raised:
        open_llm_extractor(ExtractionSettings(llm=LlmSettings(model="m")))
    assert raised.value.reason is Reason.INVALID_FIELD
    with pytest.raises(MnemicError):
        LlmExtractor(LlmSettings())
