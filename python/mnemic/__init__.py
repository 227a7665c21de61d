"""Mnemic: a memory service for AI agents."""
