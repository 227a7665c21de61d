"""From settings to a reranker."""

from __future__ import annotations

from mnemic.reranking.reranker import Reranker
from mnemic.reranking.settings import RerankingSettings


def open_reranker(settings: RerankingSettings) -> Reranker | None:
    """Opens the reranker that the settings name; None when they name none.

    Raises:
        MnemicError: INVALID_FIELD for a setting that is missing or wrong; CORRUPT_DATA when a file cannot be read.
    """
    # What each brings along takes time to import, and most who search rerank nothing.
    match settings.provider:
        case "none":
            return None
        case "onnx":
            from mnemic.reranking.onnx_cross_encoder import OnnxCrossEncoder  # noqa: PLC0415

            return OnnxCrossEncoder(settings.onnx)
        case "http":
            from mnemic.reranking.http_service import HttpReranker  # noqa: PLC0415

            return HttpReranker(settings.http)
