"""The use cases: the one place where store, index, embedding and extraction meet."""
