"""Whether searches find the evidence: `python -m bench.quality`.

Public question sets in their original formats, ingested and asked through the public API, beside plain methods and
peers. Weights are found by `python -m bench.quality.tune`, which reports nothing about the default profile.
"""
