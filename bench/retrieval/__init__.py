"""The retrieval core beside its peers in one run: `python -m bench.retrieval`."""

import os

# Before anything with threads of its own is imported: one thread for a search, whoever searches.
for _variable in (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "LANCE_CPU_THREADS",
):
    os.environ[_variable] = "1"
