"""What writing costs and whether knowledge comes out right: `python -m bench.ingest` (`make bench-ingest`).

- The time until a message is durable and found, embedded locally.
- Stories of contradictions, corrections, additions and late news (`bench.ingest.stories`): with slots given by the
  caller, and as messages from which the rules draw facts. Right is a story if what holds at its end, and what held at
  each of its moments, is what was told; `bench.ingest.told_otherwise` has a second set of words beside the first. A
  wrong retirement is a value that should hold and does not. The rules were written in view of both; 80 stories of a
  stranger (`bench/ingest/strangers/held_out.json`) are the test of them. `--stories FILE` judges the stories of a file
  instead.
- 64 threads that add the same facts.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.harness import Goal, Report, carried_texts, console, measure
from bench.ingest import told_otherwise
from bench.ingest.stories import KINDS, Story, stories
from bench.ingest.story_files import judge_written, read_stories
from bench.quality import precision
from bench.quality.opening import opened as memory_opened
from mnemic.engine.engine import Engine
from mnemic.engine.settings import load_settings
from mnemic.model.memory import Memory, MemoryInput, MemoryKind, to_micros
from mnemic.model.requests import AddMode, ListRequest, WaitFor
from mnemic.model.scope import Scope
from mnemic.model.search import SearchRequest

# Written by somebody who did not see the rules, and read by nobody who wrote them; the development sets beside it were
# read.
UNSEEN = Path(__file__).with_name("strangers") / "held_out.json"
TENANT = "default"
THREADS = 64
SHARED_FACTS = 50
# The best mean precision of a general memory system in PrecisionMemBench's published table.
BEST_GENERAL_SYSTEM = 0.43
Teller = Callable[[Engine, Scope, Story], None]


@dataclass
class Outcomes:
    """What came of stories, by kind."""

    told: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    checked_values: int = 0
    wrongly_retired: int = 0

    def share(self, kind: str | None = None) -> float:
        """Percent of the stories, or of one kind, that came out right."""
        if kind is not None:
            return 100 * self.right[kind] / max(self.told[kind], 1)
        return 100 * self.right.total() / max(self.told.total(), 1)


@contextmanager
def opened(embedding: str) -> Iterator[Engine]:
    with tempfile.TemporaryDirectory(prefix="mnemic-bench-") as directory:
        settings = load_settings(data_directory=Path(directory), embedding={"provider": embedding})
        with Engine.open(settings, pull_missing_model=True) as engine:
            yield engine


def tell_with_slots(engine: Engine, scope: Scope, story: Story) -> None:
    """As facts whose slot the caller names; values that stand beside each other have none."""
    first = story.statements[0]
    for statement in story.statements:
        # Who corrects says when what was wrong had been told to hold.
        since = first.when if statement.is_correction else statement.when
        item = MemoryInput(
            body=f"{story.name}: {statement.text}",
            kind=MemoryKind.FACT,
            event_time_micros=to_micros(since),
            slot="" if story.is_additive else story.slot,
            slot_value="" if story.is_additive else statement.value,
        )
        engine.add(TENANT, scope, [item])


def tell_as_messages(engine: Engine, scope: Scope, story: Story) -> None:
    """As messages, from which the rules draw what they can."""
    for statement in story.statements:
        item = MemoryInput(body=statement.text, name=story.name, event_time_micros=to_micros(statement.when))
        engine.add(TENANT, scope, [item], mode=AddMode.LOCAL, wait=WaitFor.EXTRACTED)


def facts(engine: Engine, scope: Scope, as_of_micros: int | None = None) -> list[Memory]:
    page = engine.list_memories(TENANT, ListRequest(scope=scope, page_size=1000, as_of_micros=as_of_micros))
    return [memory for memory in page.memories if memory.kind is MemoryKind.FACT]


def values_in(story: Story, found: list[Memory]) -> frozenset[str]:
    """The values of the story that facts tell."""
    told = {statement.value for statement in story.statements if statement.value}
    return frozenset(value for value in told if any(_tells(memory, value) for memory in found))


def _tells(memory: Memory, value: str) -> bool:
    # "a dog called Rex" may come as "Anna has a dog" and "Anna's dog is called Rex".
    return value.rsplit(maxsplit=1)[-1].casefold() in memory.body.casefold()


def judge(engine: Engine, tell: Teller, told: Iterable[Story], show: int) -> Outcomes:
    """Tells stories, each to a user of its own, and looks at what holds."""
    outcomes = Outcomes()
    for number, story in enumerate(told):
        scope = Scope(user_id=f"user {number}")
        tell(engine, scope, story)
        expected = [(None, story.now), *((to_micros(moment), values) for moment, values in story.then)]
        found = [(values_in(story, facts(engine, scope, moment)), values) for moment, values in expected]
        outcomes.told[story.kind] += 1
        is_right = all(held == values for held, values in found)
        outcomes.right[story.kind] += is_right
        now, should = found[0]
        ever = values_in(story, _every_fact(engine, scope))
        outcomes.checked_values += len(should)
        # What was never drawn was not retired.
        outcomes.wrongly_retired += len((should & ever) - now)
        if not is_right and show > 0:
            show -= 1
            console.print(f"{story.kind}: {[statement.text for statement in story.statements]} -> {found}", style="dim")
    return outcomes


def _every_fact(engine: Engine, scope: Scope) -> list[Memory]:
    request = ListRequest(scope=scope, page_size=1000, include_superseded=True)
    return [m for m in engine.list_memories(TENANT, request).memories if m.kind is MemoryKind.FACT]


def judge_file(path: Path, show: int) -> Outcomes:
    """Stories that somebody has written, found by the rules."""
    outcomes = Outcomes()
    with opened("static") as engine:
        for story in read_stories(path):
            judgement = judge_written(engine, story)
            outcomes.told[story.kind] += 1
            outcomes.right[story.kind] += judgement.is_right
            outcomes.checked_values += len(story.expected_current)
            outcomes.wrongly_retired += len(judgement.wrongly_retired)
            if not judgement.is_right and show > 0:
                show -= 1
                told = [text for text, _, _ in story.messages]
                console.print(f"{story.name}: {told} -> {judgement}", style="dim", highlight=False)
    return outcomes


def report_stories(report: Report, label: str, outcomes: Outcomes, goal_percent: float) -> None:
    for kind in KINDS:
        report.row(what=f"stories, {label}", kind=kind, stories=outcomes.told[kind], right_percent=outcomes.share(kind))
    share = outcomes.share()
    wrong = 100 * outcomes.wrongly_retired / max(outcomes.checked_values, 1)
    report.goals.append(Goal(f"stories right, {label}", share, f">= {goal_percent} %", share >= goal_percent))
    report.goals.append(Goal(f"wrong retirements, {label}", wrong, "<= 0.5 %", wrong <= 0.5))


def time_to_searchable(report: Report, adds: int) -> None:
    """From the call until the message is durable and the next search finds it."""
    texts = carried_texts()
    with opened("minilm") as engine:
        scope = Scope(user_id="single")
        single = measure(
            lambda i: engine.add(TENANT, scope, [MemoryInput(body=f"{texts[i % len(texts)]} ({i})")]), repeats=adds
        )
        hits = engine.search(TENANT, SearchRequest(scope=scope, query=texts[0], top_k=1)).hits
    milliseconds = single.median / 1000
    report.row(what="add 1 message, verbatim, durable", p50_ms=milliseconds, p99_ms=single.p99 / 1000, found=len(hits))
    report.goals.append(
        Goal("time to searchable, verbatim p50", milliseconds, "<= 5 ms", milliseconds <= 5, "embedded by minilm")
    )


def beliefs_as_messages(report: Report, directory: Path) -> None:
    """PrecisionMemBench's beliefs, said as messages: with and without facts drawn from them."""
    fixtures = precision.load(directory)
    for mode in (AddMode.VERBATIM, AddMode.LOCAL):
        with (
            tempfile.TemporaryDirectory(prefix="mnemic-bench-") as scratch,
            memory_opened(Path(scratch), "minilm") as memory,
        ):
            outcomes, drawn = precision.measure_as_messages(memory, fixtures, mode)
        goal = precision.goal_of(outcomes)
        plain = outcomes[0]
        what = f"{precision.NAME}, beliefs as messages, {mode.name}"
        report.row(what=what, precision=plain.precision, recall=plain.recall, facts=drawn)
        met = goal.value is not None and goal.value >= BEST_GENERAL_SYSTEM
        report.goals.append(
            Goal(
                f"{what}, mean precision",
                goal.value,
                f">= {BEST_GENERAL_SYSTEM}",
                met,
                f"{goal.note}; {drawn} facts found",
            )
        )


def same_facts_from_many_threads(report: Report) -> None:
    with opened("static") as engine:
        scope = Scope(user_id="shared")
        sources = [engine.add(TENANT, scope, [MemoryInput(body=f"said {n}")]).memories[0] for n in range(THREADS)]
        begin = threading.Barrier(THREADS)

        def work(worker: int) -> None:
            begin.wait()
            for number in range(SHARED_FACTS):
                body = f"Anna knows thing {(number + worker) % SHARED_FACTS}"
                item = MemoryInput(body=body, kind=MemoryKind.FACT, source_ids=(sources[worker].memory_id,))
                engine.add(TENANT, scope, [item])

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        kept = facts(engine, scope)
        damage = engine.check()
    duplicates = len(kept) - len({memory.body for memory in kept})
    lost = SHARED_FACTS * THREADS - sum(len(memory.source_ids) for memory in kept)
    report.row(what=f"{THREADS} threads, {SHARED_FACTS} facts each", facts=len(kept), duplicates=duplicates, lost=lost)
    report.goals.append(Goal("duplicates of 64 threads", duplicates, "0", duplicates == 0 and not damage))
    report.goals.append(Goal("sources lost by 64 threads", lost, "0", lost == 0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=600, help="how many stories of each set are told")
    parser.add_argument("--stories", type=Path, help="judge the stories of this file and nothing else")
    parser.add_argument("--precisionmembench", type=Path, help="the directory of its fixtures")
    parser.add_argument("--adds", type=int, default=200)
    parser.add_argument("--show", type=int, default=0, help="print so many stories that came out wrong")
    arguments = parser.parse_args()
    report = Report("ingest")
    if arguments.stories is not None:
        report = Report("ingest-stories")
        report_stories(report, f"of {arguments.stories.name}", judge_file(arguments.stories, arguments.show), 90)
        report.finish()
        return
    time_to_searchable(report, arguments.adds)
    for label, tell, told, goal in (
        ("slots given", tell_with_slots, stories, 99),
        ("found by LOCAL", tell_as_messages, stories, 90),
        ("found by LOCAL, told otherwise", tell_as_messages, told_otherwise.stories, 90),
    ):
        with opened("static") as engine:
            report_stories(report, label, judge(engine, tell, told(arguments.count), arguments.show), goal)
    report_stories(report, "found by LOCAL, a stranger's words", judge_file(UNSEEN, arguments.show), 90)
    same_facts_from_many_threads(report)
    if arguments.precisionmembench is not None:
        beliefs_as_messages(report, arguments.precisionmembench)
    report.finish()


if __name__ == "__main__":
    main()
