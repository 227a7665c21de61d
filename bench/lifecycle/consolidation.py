"""Which facts are merged that are not the same, which of the same are found, and how long a pass takes.

    python -m bench.lifecycle.consolidation [--seed 20] [--meanings 4000] [--facts 20000]

Prints and writes nothing: figures in docs name this command.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from itertools import combinations
from pathlib import Path

from bench.harness import console
from bench.lifecycle.sayings import Meaning, told
from mnemic.engine.consolidating_words import Words, words_of
from mnemic.engine.engine import Engine
from mnemic.engine.settings import load_settings
from mnemic.model.memory import MemoryInput, MemoryKind
from mnemic.model.scope import Scope

_EACH = 4
_ADDED_AT_ONCE = 100


def judge(texts: list[tuple[Meaning, str]]) -> tuple[list[tuple[str, str]], int, int]:
    """Pairs of texts that are merged and differ in meaning; how many pairs of one meaning are merged, and there are."""
    meant: dict[Words, dict[Meaning, str]] = defaultdict(dict)
    forms: dict[Meaning, list[Words]] = defaultdict(list)
    for meaning, text in texts:
        form = words_of(text)
        meant[form].setdefault(meaning, text)
        forms[meaning].append(form)
    wrong = [pair for found in meant.values() for pair in combinations(found.values(), 2)]
    pairs = [pair for found in forms.values() for pair in combinations(found, 2)]
    return wrong, sum(one == other for one, other in pairs), len(pairs)


def pass_over(texts: list[str]) -> tuple[float, float, int]:
    """Seconds of a pass over facts of one user, of a second one that finds nothing, and how many were merged."""
    with tempfile.TemporaryDirectory() as directory:
        settings = load_settings(data_directory=Path(directory), embedding={"provider": "static"})
        with Engine.open(settings, pull_missing_model=True) as engine:
            for first in range(0, len(texts), _ADDED_AT_ONCE):
                part = texts[first : first + _ADDED_AT_ONCE]
                inputs = [MemoryInput(body=text, kind=MemoryKind.FACT) for text in part]
                engine.add("t", Scope(user_id="u"), inputs)
            seconds = []
            merged = 0
            for _ in range(2):
                begin = time.perf_counter()
                merged += engine.consolidation.consolidate("t").report.merged_count
                seconds.append(time.perf_counter() - begin)
    return seconds[0], seconds[1], merged


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--meanings", type=int, default=4000)
    parser.add_argument("--facts", type=int, default=20_000)
    asked = parser.parse_args()
    texts = list(told(asked.seed, asked.meanings, _EACH))
    wrong, found, pairs = judge(texts)
    console.print(f"{len(texts):,} texts of {asked.meanings:,} meanings, seed {asked.seed}")
    console.print(f"merged and not the same: {len(wrong):,} pairs")
    for one, other in wrong[:10]:
        console.print(f"  {one!r} and {other!r}")
    console.print(f"merged of the same: {found:,} of {pairs:,} pairs ({found / pairs:.1%})")
    facts = [text for _, text in told(asked.seed + 1, asked.facts // _EACH, _EACH)]
    first, second, merged = pass_over(facts)
    console.print(
        f"a pass over {len(facts):,} facts of one user merges {merged:,} in {first:.1f} s; the next one {second:.1f} s"
    )


if __name__ == "__main__":
    main()
