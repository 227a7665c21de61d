"""How fast the server answers, beside other ways to serve the same engine.

Everything is measured from outside by a native load generator (`bench/serve/load`), one process that uses one thread.
"""
