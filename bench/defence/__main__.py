"""How well the defence at write finds what it is for, and its cost: `python -m bench.defence` (`make bench-defence`).

Precision and recall are of labelled texts that a seed gives; they say that the detectors do what they are meant to,
not how people write. What is found in conversations between people (LoCoMo) and with an assistant (BEAM) is printed,
to be judged by eye: those have next to nothing to be found. Costs are CPU times: medians of rounds over a corpus.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.defence.labelled import INSTRUCTIONS, NO_INSTRUCTIONS, labelled
from bench.harness import Goal, Report, console
from bench.quality import locomo
from mnemic.defence.findings import ContentKind
from mnemic.defence.instructions import reads_as_instruction
from mnemic.defence.screening import Screen
from mnemic.model.defence import ContentAction

ROUNDS = 7
# Judged by eye: what is found of these kinds in the corpora is what it is taken for.
JUDGED = {ContentKind.EMAIL_ADDRESS.value, ContentKind.IP_ADDRESS.value}


def everything() -> Screen:
    """Looks for all that there is."""
    return Screen(dict.fromkeys(ContentKind, ContentAction.REDACT), ("US",))


def measure_labelled(report: Report, screen: Screen, seed: int, count: int) -> None:
    """Precision and recall of each kind: a value is found if all of it is covered."""
    there: Counter[str] = Counter()
    found: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for item in labelled(seed, count):
        findings = screen.find(item.text)
        if item.kind:
            there[item.kind] += 1
            found[item.kind] += any(each.start <= item.start and item.end <= each.end for each in findings)
        wrong.update(
            each.kind.value for each in findings if not item.kind or each.end <= item.start or item.end <= each.start
        )
    for kind in there:
        precision = found[kind] / max(1, found[kind] + wrong[kind])
        report.row(what=kind, texts=there[kind], recall=found[kind] / there[kind], precision=precision)
    recall = found.total() / there.total()
    precision = found.total() / (found.total() + wrong.total())
    report.row(what="all kinds", texts=there.total(), recall=recall, precision=precision)
    report.goals.append(Goal("recall of labelled values", recall, "≥ 0.98", recall >= 0.98))
    report.goals.append(Goal("precision of labelled values", precision, "≥ 0.98", precision >= 0.98))
    hits = sum(map(reads_as_instruction, INSTRUCTIONS))
    false = sum(map(reads_as_instruction, NO_INSTRUCTIONS))
    report.row(
        what="instructions", texts=len(INSTRUCTIONS), recall=hits / len(INSTRUCTIONS), precision=hits / (hits + false)
    )


def measure_corpus(report: Report, screen: Screen, name: str, texts: Sequence[str]) -> None:
    """What is found in a corpus, and what looking costs."""
    found: Counter[str] = Counter()
    for text in texts:
        for finding in screen.find(text):
            found[finding.kind.value] += 1
            console.print(
                f"  {name}: {finding.kind.value}: {text[finding.start : finding.end]!r}", style="dim", markup=False
            )
    instructions = [text for text in texts if reads_as_instruction(text)]
    for text in instructions[:20]:
        console.print(f"  {name}: instruction: {text[:160]!r}", style="dim", markup=False)
    rate = 1000 * found.total() / len(texts)
    doubtful = 1000 * sum(count for kind, count in found.items() if kind not in JUDGED) / len(texts)
    report.row(
        what=f"{name}, {len(texts):,} messages of {statistics.mean(map(len, texts)):.0f} characters",
        found=found.total(),
        per_1000=rate,
        instructions_per_1000=1000 * len(instructions) / len(texts),
        screen_us=cost(screen.find, texts),
        instructions_us=cost(reads_as_instruction, texts),
    )
    note = "besides e-mail and public IP addresses, which these corpora have: they are listed above, to be read"
    report.goals.append(Goal(f"found per 1,000 messages of {name}", doubtful, "≤ 1", doubtful <= 1, note))


def cost(look: Callable[[str], object], texts: Sequence[str]) -> float:
    """Microseconds of CPU for a text: the median of some rounds over all."""
    rounds = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        for text in texts:
            look(text)
        rounds.append((time.process_time() - begin) / len(texts) * 1e6)
    return statistics.median(rounds)


def locomo_texts(path: Path) -> list[str]:
    """The turns of LoCoMo."""
    return [turn.body for conversation in locomo.load(path).conversations for turn in conversation.turns]


def beam_texts(directory: Path) -> list[str]:
    """The messages of both sides of BEAM's chats."""
    return [
        message["content"]
        for path in sorted(directory.rglob("chat.json"))
        for batch in json.loads(path.read_text(encoding="utf-8"))
        for group in batch["turns"]
        for message in group
    ]


def main() -> None:
    """Measures what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=2026, help="of the labelled texts; the tests take others")
    parser.add_argument("--count", type=int, default=500, help="labelled texts of each kind")
    parser.add_argument("--locomo", type=Path, help="locomo10.json, or a part of it")
    parser.add_argument("--beam", type=Path, help="a directory of BEAM's chats")
    options = parser.parse_args()
    screen, report = everything(), Report("defence")
    measure_labelled(report, screen, options.seed, options.count)
    if options.locomo:
        measure_corpus(report, screen, "LoCoMo", locomo_texts(options.locomo))
    if options.beam:
        measure_corpus(report, screen, "BEAM", beam_texts(options.beam))
    report.finish()


if __name__ == "__main__":
    main()
