"""What ComposeContext asks and what it answers."""

from __future__ import annotations

from dataclasses import dataclass

from mnemic.model.search import DEFAULT_TOP_K, MAX_TOP_K, SearchRequest

MIN_TOKEN_BUDGET = 16
MAX_TOKEN_BUDGET = 100_000
DEFAULT_TOKEN_BUDGET = 1000
# Facts with this label are preferences: with the instructions they stand, whatever the query is.
PREFERENCE_CATEGORY = "preference"
# A short message with its number, date and speaker takes about so many.
_TOKENS_OF_A_SHORT_MEMORY = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeRequest:
    """One block of prompt; the fields of `mnemic.v1.ComposeContextRequest`.

    Attributes:
        search: The search whose hits are rendered.
        token_budget: How many tokens the block may count, 16 to 100,000.
        tokenizer: The tokenizer to count by; empty for the default.
        include_instructions: Also what stands in the scope: instructions, and facts that are preferences.
    """

    search: SearchRequest
    token_budget: int
    tokenizer: str = ""
    include_instructions: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposedContext:
    """A block of prompt; see `mnemic.v1.ComposeContextResponse`.

    Attributes:
        text: The block.
        token_count: How many tokens it counts, at most the budget.
        memory_ids: The memories in it: the one that the block calls [1] first.
        revision: The revision that it reflects.
        omitted: How many hits and standing memories did not fit.
        vector_skipped: The query was searched by words and names only.
        rerank_skipped: Reranking was asked for and did not happen.
    """

    text: str
    token_count: int
    memory_ids: tuple[str, ...]
    revision: int
    omitted: int = 0
    vector_skipped: bool = False
    rerank_skipped: bool = False

    def __str__(self) -> str:
        return self.text


def hits_for_budget(token_budget: int) -> int:
    """The `top_k` of a request that says none: as many short memories as fill the budget, never fewer than ten."""
    if not isinstance(token_budget, int):
        return DEFAULT_TOP_K
    return max(DEFAULT_TOP_K, min(MAX_TOP_K, token_budget // _TOKENS_OF_A_SHORT_MEMORY))
