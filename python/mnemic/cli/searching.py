"""`mnemic search`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from mnemic.cli.backend import open_backend
from mnemic.cli.documents import print_json, search_document
from mnemic.cli.failures import bad_input
from mnemic.cli.filters import FilterOption, MatchOption, nothing_there, parse_filter, parse_match
from mnemic.cli.options import (
    AsOfOption,
    ContextWindowOption,
    JsonOption,
    MinScoreOption,
    ProfileOption,
    RerankOption,
    ScopeOptions,
    TargetOptions,
)
from mnemic.cli.terminal import (
    WHEN,
    Column,
    Row,
    clean,
    counted,
    is_terminal,
    print_line,
    print_remark,
    print_table,
    shortened,
    when_text,
    who_text,
)
from mnemic.cli.values import parse_time
from mnemic.model.search import DEFAULT_TOP_K, ContextMessage, SearchHit, SearchRequest, SearchResult, SignalWeights

# Signals in the order in which they are shown; a signal that gave no hit anything is left out of the table.
_SIGNALS = ("vector", "lexical", "entity", "time", "actor", "recency", "context", "rerank")


def search(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="The question, in words.")],
    *,
    scope: ScopeOptions,
    top_k: Annotated[int, typer.Option("--top-k", "-k", metavar="N", help="How many hits at most, up to 1,000.")] = (
        DEFAULT_TOP_K
    ),
    match: MatchOption = "visible",
    filter_json: FilterOption = None,
    as_of: AsOfOption = None,
    profile: ProfileOption = "",
    weight: Annotated[
        list[str] | None,
        typer.Option("--weight", "-w", metavar="SIGNAL=N", help="One weight over the profile's; repeat it for more."),
    ] = None,
    min_score: MinScoreOption = 0.0,
    superseded: Annotated[bool, typer.Option("--include-superseded", help="Also what was superseded.")] = False,
    rerank: RerankOption = False,
    context_window: ContextWindowOption = 0,
    separate: Annotated[
        bool, typer.Option("--separate", help="A rank for each hit, also where several say the same.")
    ] = False,
    min_confidence: Annotated[
        float, typer.Option("--min-confidence", metavar="N", help="Nothing where an answer is less likely, 0 to 1.")
    ] = 0.0,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say how each part of each score came about, and where the time went.")
    ] = False,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """Find what matters to a question, best first.

    The columns after the score are its parts and add up to it.

    Example: mnemic search "what does she eat?" --user u1
    """
    request = SearchRequest(
        scope=scope.scope(),
        match=parse_match(match),
        query=query,
        filter=parse_filter(filter_json),
        as_of_micros=None if as_of is None else parse_time(as_of, "--as-of")[0],
        top_k=top_k,
        profile=profile,
        weights=_weights(weight or []),
        min_score=min_score,
        explain=True,
        include_superseded=superseded,
        rerank=rerank,
        context_window=context_window,
        separate=separate,
        min_confidence=min_confidence,
    )
    with open_backend(target) as backend:
        result = backend.search(request)
    if as_json:
        print_json(search_document(result))
        return
    _print_hits(result.hits)
    _print_surroundings(result.hits)
    if explain:
        _print_explanation(result)
    _print_summary(request, result)


def _weights(pairs: Sequence[str]) -> SignalWeights:
    values: dict[str, float] = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator or name not in SignalWeights.__dataclass_fields__:
            signals = ", ".join(SignalWeights.__dataclass_fields__)
            raise bad_input(f"--weight: {pair!r} is not SIGNAL=N", hint=f"signals are {signals}")
        try:
            values[name] = float(text)
        except ValueError:
            raise bad_input(f"--weight: {text!r} is no number", hint="weights lie between 0 and 1") from None
    return SignalWeights(**values)


def _print_hits(hits: Sequence[SearchHit]) -> None:
    if not hits and is_terminal():
        return
    shown = [name for name in _SIGNALS if any(_part(hit, name) for hit in hits)]
    columns = [
        Column("#", justify="right"),
        Column("Score", justify="right", style="bold"),
        *(Column(name.capitalize(), justify="right", style="green") for name in shown),
        WHEN,
        Column("Who", style="cyan"),
        Column("Text", flexible=True),
    ]
    rows = []
    for position, hit in enumerate(hits, start=1):
        parts = (f"{_part(hit, name):.3f}" if _part(hit, name) else "–" for name in shown)
        cells = (str(position), f"{hit.score:.3f}", *parts, when_text(hit.memory), who_text(hit.memory), hit.body)
        rows.append(Row(cells, hit.memory_id))
    print_table(columns, rows, note_title="memory_id")


def _print_surroundings(hits: Sequence[SearchHit]) -> None:
    """What was said around each hit, and what says the same; the lines of a conversation in its order."""
    for position, hit in enumerate(hits, start=1):
        if hit.before or hit.after:
            print_line(f"#{position}  in its conversation")
            for message in hit.before:
                _print_said("  ", message)
            _print_said("> ", hit)
            for message in hit.after:
                _print_said("  ", message)
        if hit.grouped:
            # Nobody asked for them: who reads the table by a program finds nothing else among its lines.
            show = print_line if is_terminal() else print_remark
            show(f"#{position}  says the same as")
            for other in hit.grouped:
                show(f"    {other.memory_id}  {_said(other)}")


def _print_said(mark: str, message: SearchHit | ContextMessage) -> None:
    print_line(f"  {mark}{_said(message)}")


def _said(message: SearchHit | ContextMessage) -> str:
    who = message.name or message.role.name.lower()
    return f"{clean(who)}: {shortened(message.body)}"


def _part(hit: SearchHit, name: str) -> float:
    """What a signal gave to the score: the parts add up to it."""
    part = hit.score_parts.get(name)
    return 0.0 if part is None else part.weight * part.normalized


def _print_explanation(result: SearchResult) -> None:
    for position, hit in enumerate(result.hits, start=1):
        print_line(f"#{position}  {hit.memory_id}")
        for name in _SIGNALS:
            part = hit.score_parts.get(name)
            if part is not None:
                rank = f", rank {part.rank} by it alone" if part.rank else ""
                print_line(
                    f"    {name:<8} {part.weight * part.normalized:.3f} = weight {part.weight:.3f} x normalised "
                    f"{part.normalized:.3f} (raw {part.raw:.3f}{rank})"
                )
    timings = result.timings
    print_line(
        f"time in microseconds: total {timings.total}, prepare {timings.prepare}, embed {timings.embed}, "
        f"load {timings.load}, search {timings.search}, rerank {timings.rerank}"
    )


def _print_summary(request: SearchRequest, result: SearchResult) -> None:
    considered = f"{counted(result.considered, 'memory', 'memories')} considered"
    if not result.hits:
        confidence = "" if result.confidence is None else f", confidence {result.confidence:.2f}"
        print_remark(f"no hit, {considered}{confidence}")
        if not result.considered:
            print_remark(nothing_there(request.match))
        return
    milliseconds = result.timings.total / 1000
    print_remark(f"{counted(len(result.hits), 'hit')}, {considered}, {milliseconds:.2f} ms, revision {result.revision}")
    if result.abstain:
        print_remark(f"nothing here seems to answer that (confidence {result.confidence:.2f})")
    if result.vector_skipped:
        print_remark("searched by words and names only: the embedding provider did not answer")
    if result.rerank_skipped:
        print_remark("not reranked: the reranker failed, was too slow or has too much to do")
