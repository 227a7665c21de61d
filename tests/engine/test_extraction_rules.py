"""What a tenant wants of extraction, and what it may cost: kept, carried out, and nothing lost when it is used up."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from mnemic.engine.engine import Engine
from mnemic.engine.tenant_rules import offset_minutes
from mnemic.model.access import Tenant
from mnemic.model.errors import MnemicError, Reason
from mnemic.model.extraction_rules import CategoryDefinition, ExtractionRules, end_of_month, month_of
from mnemic.model.fact import ExtractionResult
from mnemic.model.memory import MemoryInput, MemoryKind, to_micros
from mnemic.model.operations import OperationState
from mnemic.model.requests import AddMode, ListRequest, WaitFor
from mnemic.model.scope import Scope

ANNA = Scope(user_id="anna")
SPOKEN = "I moved to Porto."


@pytest.fixture
def settings(settings):
    """Of an engine that has a language model, which nothing in these tests asks."""
    llm = settings.extraction.llm.model_copy(
        update={
            "model": "m",
            "api_key": SecretStr("k"),
            "price_per_million_prompt_tokens": 1.0,
            "price_per_million_completion_tokens": 10.0,
        }
    )
    return settings.model_copy(update={"extraction": settings.extraction.model_copy(update={"llm": llm})})


class Scripted:
    """In the place of a worker's process."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []

    def extract(self, _method, request, _seconds):
        self.requests.append(request)
        return "scripted:1", self.answers.pop(0) if self.answers else ExtractionResult()

    def stop(self):
        pass


@pytest.fixture
def quiet(engine):
    """An engine whose workers do nothing by themselves."""
    extraction = engine._extraction
    with extraction._changed:
        extraction._stopping = True
        extraction._changed.notify_all()
    for thread in extraction._threads:
        thread.join()
    extraction._stopping = False
    engine.authority.create_tenant(Tenant("t"), caller="t")
    return engine


def change(engine, tenant="t", **rules):
    """Changes some rules of a tenant."""
    return engine.authority.update_tenant(
        tenant, lambda old: replace(old, extraction=replace(old.extraction, **rules)), caller="default"
    ).thing


def add(engine, *texts, tenant="t", mode=AddMode.LLM, when=None, **more):
    inputs = [MemoryInput(body=text, event_time_micros=when) for text in texts]
    return engine.add(tenant, ANNA, inputs, mode=mode, **more)


def step(engine, *answers):
    """The requests that the next batch made of a worker; None if nothing was due."""
    worker = Scripted(*answers)
    return worker.requests if engine._extraction.work_once(worker) else None


def spent(tokens):
    return ExtractionResult(prompt_tokens=tokens, completion_tokens=0)


def test_what_the_tenant_wants_goes_to_the_extractor_before_what_the_add_wants(quiet):
    change(
        quiet,
        instructions="Write British English.",
        include_topics=("home",),
        exclude_topics=("health",),
        categories=(CategoryDefinition("home", "where somebody lives"), CategoryDefinition("work")),
    )
    add(quiet, SPOKEN, instructions="Only homes.")
    (request,) = step(quiet)
    assert request.instructions == "Write British English.\nOnly homes."
    assert (request.include_topics, request.exclude_topics) == (("home",), ("health",))
    assert (request.categories, request.category_descriptions) == (("home", "work"), {"home": "where somebody lives"})


def test_rules_change_for_the_next_batch(quiet):
    add(quiet, "one")
    assert step(quiet)[0].instructions == ""
    change(quiet, instructions="New.")
    add(quiet, "two")
    assert step(quiet)[0].instructions == "New."


def test_another_tenants_rules_are_its_own(quiet):
    change(quiet, instructions="Ours.")
    add(quiet, "one", tenant="other")
    assert step(quiet)[0].instructions == ""


def test_the_rules_of_english_leave_out_topics_that_are_not_wanted(engine):
    engine.authority.create_tenant(Tenant("t", extraction=ExtractionRules(exclude_topics=("Oslo",))), caller="t")
    result = add(engine, "I live in Oslo.", "My sister lives in Rome.", mode=AddMode.LOCAL, wait=WaitFor.EXTRACTED)
    assert engine.operation("t", result.operation_id).state is OperationState.DONE
    page = engine.list_memories("t", ListRequest(scope=ANNA))
    facts = [memory.body for memory in page.memories if memory.kind is MemoryKind.FACT]
    assert ["Rome" in fact for fact in facts] == [True]


@pytest.mark.parametrize(("zone", "day"), [("", 1), ("Asia/Tokyo", 2), ("+14:00", 2), ("-05:00", 1)])
def test_days_are_those_of_the_tenants_zone(engine, zone, day):
    engine.authority.create_tenant(Tenant("t", extraction=ExtractionRules(time_zone=zone)), caller="t")
    said = to_micros(datetime(2023, 5, 2, 20, tzinfo=UTC))
    add(engine, "I ran a race yesterday.", mode=AddMode.LOCAL, when=said, wait=WaitFor.EXTRACTED)
    (fact,) = [m for m in engine.list_memories("t", ListRequest(scope=ANNA)).memories if m.kind is MemoryKind.FACT]
    assert f"{day} May 2023" in fact.body


def test_messages_from_both_sides_of_a_clock_change_are_read_each_by_its_own_clock(quiet):
    change(quiet, time_zone="Europe/Lisbon")
    winter, summer = (to_micros(datetime(2023, month, 1, tzinfo=UTC)) for month in (1, 7))
    quiet.add(
        "t",
        ANNA,
        [MemoryInput(body=f"m {when}", event_time_micros=when) for when in (winter, summer, winter)],
        mode=AddMode.LLM,
    )
    requests = step(quiet)
    assert [(request.utc_offset_minutes, len(request.messages)) for request in requests] == [(0, 2), (60, 1)]


def test_an_add_without_a_mode_takes_the_tenants(quiet):
    assert add(quiet, "one", mode=None).operation_id == ""
    change(quiet, default_mode=AddMode.LOCAL)
    assert add(quiet, "two", mode=None).operation_id
    assert add(quiet, "three", mode=AddMode.VERBATIM).operation_id == ""


def test_what_is_spent_is_counted_by_tenant_and_month_and_outlives_a_restart(quiet, settings):
    add(quiet, "one")
    step(quiet, ExtractionResult(prompt_tokens=1000, completion_tokens=100))
    month = quiet.stats("t").extraction.month
    assert (month.batches, month.prompt_tokens, month.completion_tokens, month.cost_micros) == (1, 1000, 100, 2000)
    assert quiet.stats().extraction.month == month
    assert quiet.stats("default").extraction.month.batches == 0
    quiet.close()
    with Engine.open(settings) as again:
        assert again.stats("t").extraction.month == month


class TestBudget:
    @pytest.fixture(autouse=True)
    def budget(self, quiet):
        """A budget of a thousand tokens."""
        change(quiet, monthly_budget_micros=1000)

    def test_beyond_it_the_model_is_not_asked_and_nothing_is_lost(self, quiet):
        results = [add(quiet, text) for text in ("one", "two", "three")]
        assert len(step(quiet, spent(1500))) == 1
        # All that wait alike are held with the first of them.
        assert [step(quiet), step(quiet)] == [[], None]
        stats = quiet.stats("t").extraction
        assert (stats.pending, stats.held, stats.monthly_budget_micros) == (2, 2, 1000)
        assert stats.oldest_create_time_micros is None
        held = quiet.operation("t", results[1].operation_id)
        assert (held.state, held.attempts) == (OperationState.PENDING, 0)
        assert "monthly_budget" in held.last_error
        assert quiet.operation("t", results[2].operation_id).last_error == held.last_error
        assert held.next_attempt_time_micros == end_of_month(month_of(last_said(quiet)))

    def test_a_larger_budget_ends_the_wait(self, quiet):
        for text in ("one", "two"):
            add(quiet, text)
        step(quiet, spent(1500))
        assert (step(quiet), step(quiet)) == ([], None)
        change(quiet, monthly_budget_micros=2000)
        assert quiet.stats("t").extraction.held == 0
        assert [len(request.messages) for request in step(quiet, spent(10))] == [1]

    def test_what_is_wanted_otherwise_is_held_by_itself(self, quiet):
        add(quiet, "one")
        step(quiet, spent(1500))
        add(quiet, "two")
        add(quiet, "three", instructions="Only homes.")
        assert [step(quiet), step(quiet), step(quiet)] == [[], [], None]
        assert quiet.stats("t").extraction.held == 2

    def test_a_budget_that_is_raised_while_a_batch_is_being_held_lets_it_go_on(self, quiet, monkeypatch):
        add(quiet, "one")
        step(quiet, spent(1500))
        add(quiet, "two")
        held_until = quiet._extraction._spending.held_until

        def raised_meanwhile(tenant, rules):
            held = held_until(tenant, rules)
            change(quiet, monthly_budget_micros=5000)
            return held

        monkeypatch.setattr(quiet._extraction._spending, "held_until", raised_meanwhile)
        assert step(quiet) == []
        monkeypatch.undo()
        assert len(step(quiet)) == 1

    def test_no_budget_ends_the_wait_also_while_no_server_runs(self, quiet):
        add(quiet, "one")
        step(quiet, spent(1500))
        add(quiet, "two")
        step(quiet)
        change(quiet, monthly_budget_micros=None)
        assert len(step(quiet)) == 1

    def test_the_next_month_ends_the_wait(self, quiet, monkeypatch):
        add(quiet, "one")
        step(quiet, spent(1500))
        result = add(quiet, "two")
        step(quiet)
        due = quiet.operation("t", result.operation_id).next_attempt_time_micros
        monkeypatch.setattr("time.time_ns", lambda: (due + 1) * 1000)
        assert len(step(quiet)) == 1
        assert quiet.stats("t").extraction.month.batches == 1

    def test_rules_and_other_tenants_go_on(self, quiet):
        add(quiet, "one")
        step(quiet, spent(1500))
        add(quiet, "two", mode=AddMode.LOCAL)
        add(quiet, "three", tenant="other")
        assert [len(step(quiet)) for _ in range(2)] == [1, 1]

    def test_a_budget_of_nothing_asks_never(self, quiet):
        change(quiet, monthly_budget_micros=0)
        add(quiet, "one")
        assert step(quiet) == []


def last_said(engine):
    return max(memory.create_time_micros for memory in engine.list_memories("t", ListRequest(scope=ANNA)).memories)


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({"instructions": "x" * 4097}, "instructions"),
        ({"include_topics": ("x" * 129,)}, "include_topics[0]"),
        ({"include_topics": (" ",)}, "include_topics[0]"),
        ({"exclude_topics": ("x",) * 33}, "exclude_topics"),
        ({"categories": (CategoryDefinition("a"), CategoryDefinition("A"))}, "categories[1]"),
        ({"categories": (CategoryDefinition("a", "x" * 1025),)}, "categories[0].description"),
        ({"categories": (CategoryDefinition(""),)}, "categories[0]"),
        ({"monthly_budget_micros": -1}, "monthly_budget_micros"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../etc/passwd"}, "time_zone"),
        ({"time_zone": "+15:00"}, "time_zone"),
        ({"time_zone": "+01:60"}, "time_zone"),
    ],
)
def test_rules_that_mean_nothing_are_refused_by_the_field(quiet, rules, field):
    with pytest.raises(MnemicError) as refused:
        change(quiet, **rules)
    assert refused.value.reason is Reason.INVALID_FIELD
    assert [violation.field for violation in refused.value.violations] == [f"tenant.settings.extraction.{field}"]


class TestWithoutPrices:
    @pytest.fixture
    def settings(self, settings):
        none = {"price_per_million_prompt_tokens": None, "price_per_million_completion_tokens": None}
        llm = settings.extraction.llm.model_copy(update=none)
        return settings.model_copy(update={"extraction": settings.extraction.model_copy(update={"llm": llm})})

    def test_a_budget_is_refused(self, quiet):
        with pytest.raises(MnemicError) as refused:
            change(quiet, monthly_budget_micros=1)
        assert "price" in refused.value.message


rule_values = st.builds(
    ExtractionRules,
    instructions=st.text(max_size=20),
    include_topics=st.lists(st.text(max_size=5)).map(tuple),
    exclude_topics=st.lists(st.text(max_size=5)).map(tuple),
    categories=st.lists(st.builds(CategoryDefinition, st.text(max_size=5), st.text(max_size=5))).map(tuple),
    monthly_budget_micros=st.none() | st.integers(0, 1 << 62),
    time_zone=st.sampled_from(["", "Europe/Lisbon", "+05:30"]),
    default_mode=st.none() | st.sampled_from(AddMode),
)


@given(rule_values)
def test_rules_come_back_from_json_as_they_were(rules):
    assert ExtractionRules.from_values(json.loads(json.dumps(rules.to_values()))) == rules


@pytest.mark.parametrize(
    ("moment", "month", "following"),
    [
        (datetime(2026, 11, 30, 23, 59, tzinfo=UTC), 202611, datetime(2026, 12, 1, tzinfo=UTC)),
        (datetime(2026, 12, 1, tzinfo=UTC), 202612, datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_month_ends_where_the_next_begins(moment, month, following):
    assert month_of(to_micros(moment)) == month
    assert end_of_month(month) == to_micros(following)


def test_offsets_are_minutes_east():
    july = to_micros(datetime(2023, 7, 1, tzinfo=UTC))
    assert [offset_minutes(zone, july) for zone in ("", "Europe/Lisbon", "+05:30", "-03:30")] == [0, 60, 330, -210]


def test_facts_keep_only_labels_of_the_tenant(engine):
    rules = ExtractionRules(categories=(CategoryDefinition("Family"),))
    engine.authority.create_tenant(Tenant("t", extraction=rules), caller="t")
    add(engine, "My sister Emma lives in Porto.", mode=AddMode.LOCAL, wait=WaitFor.EXTRACTED)
    found = engine.list_memories("t", ListRequest(scope=ANNA)).memories
    labels = {label for memory in found if memory.kind is MemoryKind.FACT for label in memory.categories}
    assert labels <= {"Family"}
