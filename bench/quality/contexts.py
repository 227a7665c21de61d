"""Measures contexts: `python -m bench.quality.contexts --locomo … --beam …`.

Asks for a context to every question, in several budgets and with several numbers of neighbours, and looks whether the
messages that hold the answer are in it: evidence recall within a budget of tokens, which is what a model that answers
from it can reach at best. Beside it stand the bare texts of the hits, best first, as many as fit: what the block's
numbers, dates and names cost. Also the CPU time (of one thread, all that it takes) of composing beyond its search.
Writes `contexts.json` to `bench/results`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.harness import Report
from bench.quality.corpora import Conversation, Question
from bench.quality.goals import DEFAULT_MODEL
from bench.quality.opening import add_corpus_arguments, load_corpora, opened, remembered_in
from bench.quality.remembering import Remembered
from bench.quality.running import TokenCounter
from mnemic.model.context import hits_for_budget

BUDGETS = (250, 500, 1000, 2000)
WINDOWS = (0, 1, 2)
BARE = "bare texts"


@dataclass(frozen=True)
class Got:
    """What one question got.

    Attributes:
        recall: The share of its evidence.
        tokens: By the word pieces of the default model.
        included: How many memories.
        omitted: How many hits did not fit.
        search: CPU seconds of the search alone; 0 where it is not measured.
        compose: CPU seconds of search and block.
    """

    recall: float
    tokens: int
    included: int
    omitted: int
    search: float = 0.0
    compose: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_corpus_arguments(parser)
    report = Report("contexts")
    corpora = load_corpora(parser.parse_args(), print)
    if not corpora:
        raise SystemExit("nothing was given to ask: see --help")
    tokens = TokenCounter()
    with (
        tempfile.TemporaryDirectory(prefix="mnemic-bench-") as temporary,
        opened(Path(temporary), DEFAULT_MODEL) as memory,
    ):
        for remembered in remembered_in(memory, DEFAULT_MODEL, corpora):
            remembered.warm()
            for budget in BUDGETS:
                _row(report, remembered, budget, BARE, [_bare(*asked, budget, tokens) for asked in _all(remembered)])
                for window in WINDOWS:
                    got = [_composed(*asked, budget, window) for asked in _all(remembered)]
                    _row(report, remembered, budget, f"{window} neighbours", got)
    report.finish()


def _all(remembered: Remembered) -> Iterator[tuple[Remembered, Conversation, Question]]:
    for conversation in remembered.corpus.conversations:
        for question in conversation.questions:
            yield remembered, conversation, question


def _composed(remembered: Remembered, conversation: Conversation, question: Question, budget: int, window: int) -> Got:
    user = remembered.users[conversation.conversation_id]
    options = {"top_k": hits_for_budget(budget), "context_window": window, "reference_time": question.asked_at}
    # The embedding of the question is known to both.
    remembered.backend.search(question.text, user_id=user, match="exact", **options)
    begin = time.thread_time()
    remembered.backend.search(question.text, user_id=user, match="exact", **options)
    middle = time.thread_time()
    composed = remembered.backend.compose(
        question.text, user_id=user, match="exact", token_budget=budget, include_instructions=False, **options
    )
    end = time.thread_time()
    turns = {remembered.turn_of[memory_id] for memory_id in composed.memory_ids}
    recall = len(turns & question.evidence) / len(question.evidence)
    count = len(composed.memory_ids)
    return Got(recall, composed.token_count, count, composed.omitted, middle - begin, end - middle)


def _bare(
    remembered: Remembered, conversation: Conversation, question: Question, budget: int, tokens: TokenCounter
) -> Got:
    found = remembered.ask(conversation, question, top_k=hits_for_budget(budget))
    turns: set[str] = set()
    used = included = 0
    for brought, body in zip(found.turns, found.bodies, strict=True):
        count = tokens([body])
        if used + count <= budget:
            used, included = used + count, included + 1
            turns |= set(brought)
    return Got(len(turns & question.evidence) / len(question.evidence), used, included, len(found.turns) - included)


def _row(report: Report, remembered: Remembered, budget: int, name: str, got: Sequence[Got]) -> None:
    def mean(attribute: str) -> float:
        return float(np.mean([getattr(one, attribute) for one in got]))

    beyond = [one.compose - one.search for one in got]
    report.row(
        corpus=remembered.corpus.name,
        budget=budget,
        context=name,
        questions=len(got),
        evidence=mean("recall"),
        all_evidence=float(np.mean([one.recall == 1.0 for one in got])),
        tokens=mean("tokens"),
        most_tokens=max(one.tokens for one in got),
        memories=mean("included"),
        omitted=mean("omitted"),
        search_cpu_p50_us=float(np.median([one.search for one in got])) * 1e6,
        beyond_cpu_p50_us=float(np.median(beyond)) * 1e6,
        beyond_cpu_p99_us=float(np.percentile(beyond, 99)) * 1e6,
    )


if __name__ == "__main__":
    main()
