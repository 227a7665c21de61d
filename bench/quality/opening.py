"""The corpora that a caller gives, and memories that hold them: what the report and the tuning share."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.harness import console
from bench.quality import beam, locomo, longmemeval
from bench.quality.corpora import Corpus
from bench.quality.remembering import Backend, Remembered
from bench.quality.vectors import KnownVectors
from mnemic import Memory
from mnemic.embedding.settings import ProviderName
from mnemic.engine.settings import load_settings

QUICK_CONVERSATIONS, QUICK_QUESTIONS, QUICK_IN_ALL = 2, 50, 20
LOADERS: dict[str, tuple[str, Callable[[Path], Corpus], str]] = {
    "locomo": (locomo.NAME, locomo.load, "locomo10.json, or a part of its list"),
    "beam": (beam.NAME, beam.load, "the directory of BEAM's chats (chats/100K)"),
    "longmemeval": (longmemeval.NAME, longmemeval.load, "longmemeval_s.json or its like"),
}


def add_corpus_arguments(parser: argparse.ArgumentParser) -> None:
    for option, (_, _, words) in LOADERS.items():
        parser.add_argument(f"--{option}", type=Path, help=words)
    parser.add_argument("--quick", action="store_true", help="few conversations and questions of each")


def load_corpora(arguments: argparse.Namespace, note: Callable[[str], None]) -> list[Corpus]:
    """What was given; `note` is told what there is, and what was left out."""
    corpora = []
    for option, (name, load, _) in LOADERS.items():
        path = getattr(arguments, option)
        if path is None:
            note(f"{name} was not given (--{option}): left out")
            continue
        corpus = load(path)
        if arguments.quick:
            corpus = corpus.subset(QUICK_CONVERSATIONS, QUICK_QUESTIONS, QUICK_IN_ALL)
        counts = f"{len(corpus.conversations)} conversations, {corpus.turns:,} turns, {corpus.questions:,} questions"
        note(f"{name}: {counts}")
        corpora.append(corpus)
    return corpora


@contextmanager
def opened(directory: Path, model: ProviderName) -> Iterator[Memory]:
    """A memory in this process, with one of the local models."""
    settings = load_settings(data_directory=directory, embedding={"provider": model})
    with Memory(settings=settings) as memory:
        yield memory


def remembered_in(backend: Backend, model: ProviderName, corpora: Sequence[Corpus]) -> Iterator[Remembered]:
    """Each corpus, written when it is asked for."""
    vectors = KnownVectors(model)
    try:
        for corpus in corpora:
            begin = time.perf_counter()
            remembered = Remembered.by(backend, corpus, vectors)
            seconds = time.perf_counter() - begin
            console.print(f"{corpus.name}, {model}: {corpus.turns:,} turns added in {seconds:.1f} s", style="dim")
            yield remembered
    finally:
        vectors.close()
