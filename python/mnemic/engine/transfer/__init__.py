"""Leaving and coming: files of memories, ours and other systems'."""
