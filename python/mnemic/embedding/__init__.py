"""Embedding providers: local models and OpenAI-compatible services."""
