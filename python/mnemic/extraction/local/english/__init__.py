"""English: what people say about themselves and those around them, read by patterns."""
