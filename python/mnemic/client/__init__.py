"""Clients: over gRPC (`MnemicClient`, `AsyncMnemicClient`) and in process (`Memory`, `AsyncMemory`).

All four take the same friendly arguments and give the same typed results. Import them from `mnemic`.
"""
