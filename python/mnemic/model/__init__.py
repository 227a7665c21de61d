"""Domain types: memories, scopes, filters, searches and errors. Imports nothing else of Mnemic and does no I/O."""
