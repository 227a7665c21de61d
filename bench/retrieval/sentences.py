"""Real sentences to remember and to ask, found without a network.

LoCoMo's turns and observations if a file is given, the conversation that the repository carries, and the sentences of
the documentation strings of every installed package and of the standard library. Two machines with the same packages
find the same sentences.
"""

from __future__ import annotations

import ast
import hashlib
import json
import random
import re
import sysconfig
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

from bench.harness import ROOT, carried_texts, console
from bench.quality.locomo import turns_of

CACHE = ROOT / "bench" / "results" / "cache"
LOCOMO_QUESTIONS = 100
QUESTIONS = 200
WORDS = range(5, 41)
# What reads as a sentence: a capital, words, a full stop; neither tables nor code.
SENTENCE = re.compile(r"[A-Z][A-Za-z0-9 ,;:'’`()/\-\"_.]+[.!?]")
BOUNDARY = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


@dataclass(frozen=True)
class Corpus:
    """What is remembered, conversations first, and what is asked: nobody remembers a question."""

    texts: list[str]
    questions: list[str]
    sources: dict[str, int]


def load_corpus(locomo: Path | None) -> Corpus:
    """The sentences of this machine; the scan of the packages is kept in the cache."""
    conversations, asked = _locomo(locomo) if locomo else ([], [])
    conversations = _distinct([*conversations, *carried_texts()])
    documentation = [text for text in _documentation() if text not in set(conversations)]
    chance = random.Random(7)
    chance.shuffle(documentation)
    asked = chance.sample(asked, min(LOCOMO_QUESTIONS, len(asked)))
    held_out = QUESTIONS - len(asked)
    questions = [*asked, *documentation[:held_out]]
    chance.shuffle(questions)
    sources = {"conversations": len(conversations), "documentation": len(documentation) - held_out}
    return Corpus([*conversations, *documentation[held_out:]], questions, sources)


def crossed(texts: list[str], count: int) -> list[str]:
    """`count` texts: the given ones, then the first half of one with the second half of another."""
    made = texts[:count]
    halves = [(words[: len(words) // 2], words[len(words) // 2 :]) for words in (text.split() for text in texts)]
    step = 1
    while len(made) < count:
        for i, (first, _) in enumerate(halves[: count - len(made)]):
            made.append(" ".join([*first, *halves[(i + 7919 * step) % len(halves)][1]]))
        step += 1
    return made


def _locomo(path: Path) -> tuple[list[str], list[str]]:
    texts, questions = [], []
    for conversation in json.loads(path.read_text(encoding="utf-8")):
        texts += [f"{turn.name}: {turn.body}" for turn in turns_of(conversation["conversation"])]
        for session in conversation.get("observation", {}).values():
            texts += [fact for facts in session.values() for fact, *_ in facts]
        questions += [str(entry["question"]) for entry in conversation["qa"]]
    return texts, _distinct(questions)


def _documentation() -> list[str]:
    installed = sorted({f"{item.metadata['Name']}=={item.version}" for item in distributions()})
    fingerprint = hashlib.sha256("\n".join(installed).encode()).hexdigest()[:16]
    path = CACHE / f"sentences-{fingerprint}.json"
    if not path.exists():
        console.print("reading the documentation of the installed packages …", style="dim")
        directories = [Path(sysconfig.get_path("purelib")), Path(sysconfig.get_path("stdlib"))]
        # In a layout where one lies within the other, the second finds nothing new.
        sentences = _distinct([text for directory in directories for text in _sentences(directory)])
        CACHE.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(sentences), encoding="utf-8")
    return list(json.loads(path.read_text(encoding="utf-8")))


def _sentences(directory: Path) -> Iterator[str]:
    for path in sorted(directory.rglob("*.py")):
        for documentation in _docstrings(path):
            for paragraph in re.split(r"\n\s*\n", documentation):
                for text in BOUNDARY.split(" ".join(paragraph.split())):
                    if len(text.split()) in WORDS and SENTENCE.fullmatch(text):
                        yield text


def _docstrings(path: Path) -> Iterator[str]:
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError):
        return  # templates and files for other versions
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def _distinct(texts: list[str]) -> list[str]:
    return list(dict.fromkeys(text.strip() for text in texts if text.strip()))
