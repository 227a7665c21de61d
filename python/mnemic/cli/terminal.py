"""What people see: a table on a terminal, tab-separated lines anywhere else; progress on standard error."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mnemic.model.memory import Memory, Role, from_micros
from mnemic.model.scope import Scope

if TYPE_CHECKING:
    from rich.console import Console

_LONGEST_SHOWN = 400
_DAY_MICROS = 24 * 3600 * 1_000_000
# What a stored text must not do to a terminal: move its cursor, set its title, turn its lines around.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        title: Its heading.
        justify: Numbers go right.
        flexible: Whether it takes the space that is left, over several lines.
        style: Of its cells, on a terminal.
        wrap_at: Where its cells go on in a second line; 0 for never.
    """

    title: str
    justify: Literal["left", "right"] = "left"
    flexible: bool = False
    style: str = ""
    wrap_at: int = 0


def clean(text: str) -> str:
    """A text on one line, without control characters."""
    return _CONTROL.sub(" ", text).strip()


def shortened(text: str, limit: int = _LONGEST_SHOWN) -> str:
    """The beginning of a text."""
    cleaned = clean(text)
    return cleaned if len(cleaned) <= limit else f"{cleaned[: limit - 1].rstrip()}…"


def is_terminal() -> bool:
    """Whether standard output is one."""
    return sys.stdout.isatty()


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table.

    Attributes:
        cells: One per column.
        note: A dim line under the flexible cell on a terminal, the last column elsewhere; such as an id.
        style: Of the cells whose column has none, on a terminal.
    """

    cells: Sequence[str]
    note: str = ""
    style: str = ""


def print_table(columns: Sequence[Column], rows: Sequence[Row], *, note_title: str = "") -> None:
    """Prints rows of texts.

    Args:
        columns: What the cells are.
        rows: One cell per column.
        note_title: What the rows' notes are, where they are a column.
    """
    if not is_terminal():
        _print_plain(columns, rows, note_title)
        return
    from rich import box  # noqa: PLC0415 (start-up time)
    from rich.table import Table  # noqa: PLC0415 (the same)
    from rich.text import Text  # noqa: PLC0415 (the same)

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(
            column.title,
            justify=column.justify,
            no_wrap=not (column.flexible or column.wrap_at),
            overflow="fold" if column.flexible else "ellipsis",
            max_width=column.wrap_at or None,
            ratio=1 if column.flexible else None,
        )
    for row in rows:
        cells = []
        for column, cell in zip(columns, row.cells, strict=True):
            text = Text(shortened(cell) if column.flexible else clean(cell), style=column.style or row.style)
            if column.flexible and row.note:
                text.append(f"\n{clean(row.note)}", style="dim")
            cells.append(text)
        table.add_row(*cells)
    console().print(table)


def _print_plain(columns: Sequence[Column], rows: Sequence[Row], note_title: str) -> None:
    titles = [column.title.lower() for column in columns]
    if note_title:
        titles.append(note_title)
    lines = [titles, *([*row.cells, row.note] if note_title else row.cells for row in rows)]
    sys.stdout.writelines("\t".join(clean(cell) for cell in line) + "\n" for line in lines)


def print_line(text: str) -> None:
    """One line of standard output."""
    sys.stdout.write(f"{text}\n")


def print_remark(text: str) -> None:
    """One line about the result on standard error, so that it does not get into what is piped on."""
    sys.stderr.write(f"{text}\n")


def console(*, stderr: bool = False) -> Console:
    """Rich's console; it respects NO_COLOR and the terminal's width."""
    from rich.console import Console  # noqa: PLC0415 (start-up time)

    return Console(stderr=stderr, highlight=False)


Report = Callable[[str, float], None]


# A day and, below it, the time of day.
WHEN = Column("When (UTC)", wrap_at=11)


@contextmanager
def progress_bar(title: str, unit: str = "") -> Iterator[Callable[[str, int, int], None]]:
    """A bar on standard error while the block runs; nothing when that is no terminal.

    Yields:
        To be told (step, done, total).
    """
    if not sys.stderr.isatty():
        yield lambda _step, _done, _total: None
        return
    from rich.progress import (  # noqa: PLC0415 (start-up time)
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    amounts = (MofNCompleteColumn(), TextColumn(unit)) if unit else (TaskProgressColumn(),)
    # Fractions are of one step of several, so only what has gone by is known.
    clock = TimeRemainingColumn() if unit else TimeElapsedColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), *amounts, clock)
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=None)
        yield lambda step, done, total: progress.update(task, description=step, completed=done, total=total)


@contextmanager
def fraction_bar(title: str) -> Iterator[Report]:
    """As `progress_bar`, for work that tells (step, fraction); elsewhere than on a terminal, a line per step.

    It appears with the first report: work that turns out to be done already shows nothing.
    """
    last_step = ""

    def report_line(step: str, _fraction: float) -> None:
        nonlocal last_step
        if step != last_step:
            last_step = step
            print_remark(step)

    if not sys.stderr.isatty():
        yield report_line
        return
    with ExitStack() as bar:
        shown: list[Callable[[str, int, int], None]] = []

        def report_bar(step: str, fraction: float) -> None:
            if not shown:
                shown.append(bar.enter_context(progress_bar(title)))
            shown[0](step, round(fraction * 1000), 1000)

        yield report_bar


def moment_text(micros: int | None) -> str:
    """Minutes of UTC, or a dash; a day alone at exactly its beginning, which is what a date without a time becomes."""
    if micros is None:
        return "–"
    if micros % _DAY_MICROS == 0:
        return f"{from_micros(micros):%Y-%m-%d}"
    return f"{from_micros(micros):%Y-%m-%d %H:%M}"


def when_text(memory: Memory) -> str:
    """When it happened; when that is not known, when it was heard."""
    if memory.event_time_micros is not None:
        return moment_text(memory.event_time_micros)
    return f"({moment_text(memory.create_time_micros)})"


def who_text(memory: Memory) -> str:
    """The speaker's name, else the role; the kind when nobody spoke."""
    if memory.name:
        return shortened(memory.name, 24)
    return (memory.kind.name if memory.role is Role.NONE else memory.role.name).lower()


def scope_text(scope: Scope) -> str:
    """The ids that are set."""
    named = (("user", scope.user_id), ("agent", scope.agent_id), ("session", scope.session_id), ("app", scope.app_id))
    return " ".join(f"{name}={value}" for name, value in named if value is not None)


def bytes_text(count: int) -> str:
    """A size for people."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def counted(count: int, noun: str, plural: str = "") -> str:
    """`1 memory`, `2 memories`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
