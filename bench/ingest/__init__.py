"""Measures how what is written becomes knowledge."""
