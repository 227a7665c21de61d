"""`mnemic context`."""

from __future__ import annotations

from typing import Annotated

import typer

from mnemic.cli.backend import open_backend
from mnemic.cli.documents import context_document, print_json
from mnemic.cli.filters import FilterOption, MatchOption, parse_filter, parse_match
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
from mnemic.cli.terminal import counted, print_line, print_remark
from mnemic.cli.values import parse_time
from mnemic.model.context import DEFAULT_TOKEN_BUDGET, ComposedContext, ComposeRequest, hits_for_budget
from mnemic.model.search import SearchRequest


def context(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="The question, in words.")],
    *,
    scope: ScopeOptions,
    budget: Annotated[
        int, typer.Option("--budget", "-b", metavar="N", help="How many tokens at most, 16 to 100,000.")
    ] = DEFAULT_TOKEN_BUDGET,
    tokenizer: Annotated[
        str, typer.Option("--tokenizer", metavar="NAME", help="What counts; mnemic doctor lists what there is.")
    ] = "",
    instructions: Annotated[
        bool, typer.Option("--instructions/--no-instructions", help="Also standing instructions and preferences.")
    ] = True,
    top_k: Annotated[
        int | None,
        typer.Option("--top-k", "-k", metavar="N", help="How many hits at most; as the budget is unless given."),
    ] = None,
    context_window: ContextWindowOption = 0,
    match: MatchOption = "visible",
    filter_json: FilterOption = None,
    as_of: AsOfOption = None,
    profile: ProfileOption = "",
    min_score: MinScoreOption = 0.0,
    rerank: RerankOption = False,
    target: TargetOptions,
    as_json: JsonOption = False,
) -> None:
    """Put what matters to a question together, as text for a prompt.

    The memories are numbered, so that a model can cite them; --json says the id of each.

    Example: mnemic context "what does she eat?" --user u1 --budget 500
    """
    request = ComposeRequest(
        search=SearchRequest(
            scope=scope.scope(),
            match=parse_match(match),
            query=query,
            filter=parse_filter(filter_json),
            as_of_micros=None if as_of is None else parse_time(as_of, "--as-of")[0],
            top_k=hits_for_budget(budget) if top_k is None else top_k,
            profile=profile,
            min_score=min_score,
            context_window=context_window,
            rerank=rerank,
        ),
        token_budget=budget,
        tokenizer=tokenizer,
        include_instructions=instructions,
    )
    with open_backend(target) as backend:
        composed = backend.compose(request)
    if as_json:
        print_json(context_document(composed))
        return
    print_line(composed.text)
    _print_summary(composed)


def _print_summary(composed: ComposedContext) -> None:
    included = counted(len(composed.memory_ids), "memory", "memories")
    print_remark(f"{included}, {counted(composed.token_count, 'token')}, {composed.omitted} did not fit")
    if composed.vector_skipped:
        print_remark("searched by words and names only: the embedding provider did not answer")
    if composed.rerank_skipped:
        print_remark("not reranked: the reranker failed, was too slow or has too much to do")
