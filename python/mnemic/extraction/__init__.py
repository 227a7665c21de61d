"""From messages to facts: local rules without a model, or an LLM behind an OpenAI-compatible service.

Knows no store and no index: a caller gives the messages with what surrounds them and stores what comes back.
"""
