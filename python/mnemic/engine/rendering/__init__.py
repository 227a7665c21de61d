"""Memories as text for a prompt: dated, numbered, grouped, and unable to pose as anything else. No I/O."""
