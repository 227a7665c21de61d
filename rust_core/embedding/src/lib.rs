//! Embedding of queries without Python.
