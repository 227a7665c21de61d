"""Reranking providers: a local cross-encoder and services with a rerank endpoint."""
