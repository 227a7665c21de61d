"""Migrations of the database, applied by `mnemic.store.schema`."""
