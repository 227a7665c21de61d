"""From settings to extractors."""

from __future__ import annotations

from mnemic.extraction.extractor import Extractor
from mnemic.extraction.local.extractor import LocalExtractor
from mnemic.extraction.settings import ExtractionSettings


def open_local_extractor() -> Extractor:
    """The rules, which need no settings and are always there."""
    return LocalExtractor()


def open_llm_extractor(settings: ExtractionSettings) -> Extractor | None:
    """The LLM that the settings name; None if they name none. Calls nobody yet.

    Raises:
        MnemicError: INVALID_FIELD without a key where the service needs one.
    """
    if settings.llm.model is None:
        return None
    # The SDK takes most of a second to import, and the rules do without it.
    from mnemic.extraction.llm.extractor import LlmExtractor  # noqa: PLC0415

    return LlmExtractor(settings.llm)


def open_summarizer(settings: ExtractionSettings) -> Extractor | None:
    """What makes summaries by the LLM that the settings name; None if they name none.

    Raises:
        MnemicError: INVALID_FIELD without a key where the service needs one.
    """
    if settings.llm.model is None:
        return None
    from mnemic.extraction.llm.summarizer import LlmSummarizer  # noqa: PLC0415 (as above)

    return LlmSummarizer(settings.llm)
