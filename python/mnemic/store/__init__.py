"""The source of truth: one interface, SQLite behind it."""
