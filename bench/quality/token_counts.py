"""Measures counts of tokens: `python -m bench.quality.token_counts --locomo … --beam …`.

What each tokenizer counts of the same blocks of text, beside the encodings of OpenAI (`mnemic[openai-tokens]`).
Writes `token_counts.json` to `bench/results`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from bench.harness import Report
from bench.quality.corpora import Corpus
from bench.quality.opening import add_corpus_arguments, load_corpora
from mnemic.embedding.factory import tokenizer_file
from mnemic.embedding.settings import EmbeddingSettings
from mnemic.engine.tokens import ESTIMATE, OPENAI_ENCODINGS, TokenCounter, Tokenizers

CHARACTERS = 4000
OWN = ("minilm", "static")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_corpus_arguments(parser)
    report = Report("token_counts")
    for corpus in load_corpora(parser.parse_args(), print):
        blocks = list(_blocks(corpus))
        counts = {name: np.array([counter.exact(block) for block in blocks]) for name, counter in _counters()}
        for name in (ESTIMATE, *OWN):
            for encoding in OPENAI_ENCODINGS:
                ratios = counts[name] / counts[encoding]
                report.row(
                    corpus=corpus.name,
                    blocks=len(blocks),
                    counted_by=name,
                    of=encoding,
                    least=float(ratios.min()),
                    median=float(np.median(ratios)),
                    most=float(ratios.max()),
                )
    report.finish()


def _counters() -> Iterator[tuple[str, TokenCounter]]:
    for name in OWN:
        tokenizers = Tokenizers(tokenizer_file(EmbeddingSettings(provider=name)), {})
        yield name, tokenizers.counter(name)
    for name in (ESTIMATE, *OPENAI_ENCODINGS):
        yield name, tokenizers.counter(name)


def _blocks(corpus: Corpus) -> Iterator[str]:
    texts: list[str] = []
    for conversation in corpus.conversations:
        for turn in conversation.turns:
            texts.append(turn.body)
            if sum(map(len, texts)) > CHARACTERS:
                yield "\n".join(texts)
                texts = []


if __name__ == "__main__":
    main()
