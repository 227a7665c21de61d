"""Zeroing what a SQLite file holds besides its contents: the bytes of its pages that nothing refers to.

`PRAGMA secure_delete` zeroes cells and pages as they are deleted. But when a page of a b-tree is split or merged,
SQLite leaves copies of the cells that moved away in the gap between the page's cell pointers and its cells: deleting
the row later zeroes the row, not the copy. And what was deleted before `secure_delete` was on lies in free blocks and
on free pages. SQLite never reads any of these bytes, so they can be zeroed in place (the file format is documented and
fixed: https://www.sqlite.org/fileformat2.html).

Pages can be looked at while others write, if it is known which were written since (`mnemic.store.written_pages`). Pages
are zeroed while nobody writes, if the write-ahead log has nothing newer of them. `mnemic.store.sqlite_cleaning` sees to
both.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Numbers = np.ndarray[Any, np.dtype[np.int64]]

_CHUNK_BYTES = 1024 * 1024
_HEADER_BYTES = 100
_INTERIOR_PAGES = (2, 5)
_TREE_PAGES = (2, 5, 10, 13)
# From so many pages on the number of an overflow page's successor could be taken for the type of a b-tree page.
_MOST_PAGES = 2 << 24


@dataclass(frozen=True, slots=True)
class _Layout:
    page_bytes: int
    usable_bytes: int
    pages: int
    first_trunk: int


class PageFile:
    """A database file, read and zeroed beside SQLite.

    Its descriptor stays open until `close`: closing any descriptor of a file drops the locks (POSIX) that the process,
    and so SQLite, has on it. Close it after the last connection.

    Args:
        path: The file, which must be there.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def close(self) -> None:
        """Closes the file; a second call does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        return self._descriptor < 0

    def page_count(self) -> int:
        """How many pages the file has."""
        return self._layout().pages

    def find_leftovers(self, numbers: Numbers) -> Numbers:
        """Those of the b-tree pages with these numbers, in ascending order, that have unused bytes other than zeros.

        Pages with free blocks are always among them, since those are looked at one by one when they are zeroed. A page
        that is written at this moment may be found or not.
        """
        layout = self._layout()
        numbers = numbers[numbers <= layout.pages]
        at_once = max(_CHUNK_BYTES // layout.page_bytes, 1)
        buffer = bytearray(at_once * layout.page_bytes + 1)
        found = [
            _leftovers_in(buffer, layout, self._read_into(buffer, layout, numbers[at : at + at_once]))
            for at in range(0, len(numbers), at_once)
        ]
        return np.concatenate([numbers[:0], *found])

    def zero_leftovers(self, numbers: Iterable[int], free: Mapping[int, int] | None = None) -> int:
        """Zeroes the unused bytes of pages. Nobody may write, and the log may hold nothing newer of them.

        Args:
            numbers: The pages.
            free: What `free_pages` says, if these may be pages that were freed without being zeroed.

        Returns:
            How many pages were changed; durably after `sync`.
        """
        layout = self._layout()
        zero = bytes(layout.page_bytes)
        changed = 0
        for number in numbers:
            if number > layout.pages:
                continue
            page = self._read(layout, number)
            if free and number in free:
                spans = [(free[number], layout.page_bytes)]
            else:
                spans = unused_spans(page, number, layout.usable_bytes)
            dirty = [(start, end) for start, end in spans if page[start:end] != zero[: end - start]]
            for start, end in dirty:
                os.pwrite(self._descriptor, zero[: end - start], (number - 1) * layout.page_bytes + start)
            changed += bool(dirty)
        return changed

    def free_pages(self) -> dict[int, int]:
        """The pages of the free list, each with the byte from which on it holds nothing: its trunks hold the numbers of
        its leaves, and those hold nothing at all. The log must be empty.
        """
        layout = self._layout()
        free: dict[int, int] = {}
        trunk = layout.first_trunk
        while 0 < trunk <= layout.pages and trunk not in free:
            page = self._read(layout, trunk)
            count = min(int.from_bytes(page[4:8]), layout.usable_bytes // 4 - 2)
            free[trunk] = 8 + 4 * count
            leaves = np.frombuffer(page, ">u4", count, 8)
            free.update(dict.fromkeys(leaves[(leaves > 0) & (leaves <= layout.pages)].tolist(), 0))
            trunk = int.from_bytes(page[:4])
        return free

    def sync(self) -> None:
        """Makes durable what was zeroed."""
        os.fsync(self._descriptor)

    def clean(self) -> int:
        """Zeroes all of a file that nobody else writes and that has no log; how many pages were changed, durably."""
        free = self.free_pages()
        numbers = self.find_leftovers(np.arange(1, self.page_count() + 1))
        changed = self.zero_leftovers(sorted({*numbers.tolist(), *free}), free)
        if changed:
            self.sync()
        return changed

    def _layout(self) -> _Layout:
        header = os.pread(self._descriptor, _HEADER_BYTES, 0)
        if len(header) < _HEADER_BYTES or not header.startswith(b"SQLite format 3\0"):
            raise ValueError("the file is no SQLite database")
        if any(header[52:56]):
            raise ValueError("the database vacuums itself: its pointer maps cannot be told from other pages")
        stored = int.from_bytes(header[16:18])
        page_bytes = 65536 if stored == 1 else stored
        pages = os.fstat(self._descriptor).st_size // page_bytes
        if pages >= _MOST_PAGES:
            raise ValueError(f"the database has {pages} pages; pages of more than {_MOST_PAGES} cannot be told apart")
        return _Layout(page_bytes, page_bytes - header[20], pages, int.from_bytes(header[32:36]))

    def _read(self, layout: _Layout, number: int) -> bytes:
        return os.pread(self._descriptor, layout.page_bytes, (number - 1) * layout.page_bytes)

    def _read_into(self, buffer: bytearray, layout: _Layout, numbers: Numbers) -> Numbers:
        """Reads pages one behind the other, those that follow each other in the file at once; gives their numbers."""
        size = layout.page_bytes
        at = 0
        for run in np.split(numbers, np.flatnonzero(np.diff(numbers) != 1) + 1):
            view = memoryview(buffer)[at : at + len(run) * size]
            read = os.preadv(self._descriptor, [view], (int(run[0]) - 1) * size)
            view[read:] = bytes(len(view) - read)
            at += len(view)
        return numbers


def _leftovers_in(buffer: bytearray, layout: _Layout, numbers: Numbers) -> Numbers:
    """Those of the pages in the buffer, which have these numbers, that have something in their gap, or free blocks."""
    size, count = layout.page_bytes, len(numbers)
    flat: np.ndarray[Any, np.dtype[np.uint8]] = np.frombuffer(buffer, np.uint8)[: count * size + 1]
    header: np.ndarray[Any, np.dtype[np.int64]] = flat[:-1].reshape(count, size)[:, :8].astype(np.int64)
    offset = np.zeros(count, np.int64)
    if numbers[0] == 1:
        header[0] = flat[_HEADER_BYTES : _HEADER_BYTES + 8]
        offset[0] = _HEADER_BYTES
    kind = header[:, 0]
    start = offset + np.where(np.isin(kind, _INTERIOR_PAGES), 12, 8) + 2 * (header[:, 3] * 256 + header[:, 4])
    end = header[:, 5] * 256 + header[:, 6]
    end[end == 0] = 65536
    is_tree = np.isin(kind, _TREE_PAGES) & (end <= layout.usable_bytes) & (start <= end)
    has_blocks = is_tree & ((header[:, 1] | header[:, 2]) != 0)
    with_gap = np.flatnonzero(is_tree & (start < end))
    is_dirty = has_blocks
    if len(with_gap):
        # The bytes of each gap combined: reduceat takes [start, end) at even places, what lies between at odd ones.
        places = np.empty(2 * len(with_gap), np.int64)
        places[0::2] = with_gap * size + start[with_gap]
        places[1::2] = with_gap * size + end[with_gap]
        is_dirty[with_gap] |= np.bitwise_or.reduceat(flat, places)[0::2] != 0
    dirty: Numbers = numbers[is_dirty]
    return dirty


def unused_spans(page: bytes, number: int, usable_bytes: int) -> list[tuple[int, int]]:
    """The unused bytes of a b-tree page, as (start, end): the gap before its cells, and its free blocks without their
    first four bytes, which chain them. None for a page of another kind, or one that contradicts itself.
    """
    header = _HEADER_BYTES if number == 1 else 0
    kind = page[header]
    if kind not in _TREE_PAGES:
        return []
    cells = int.from_bytes(page[header + 3 : header + 5])
    start = header + (12 if kind in _INTERIOR_PAGES else 8) + 2 * cells
    end = int.from_bytes(page[header + 5 : header + 7]) or 65536
    if not start <= end <= usable_bytes:
        return []
    spans = [(start, end)]
    block = int.from_bytes(page[header + 1 : header + 3])
    while block:
        following, size = int.from_bytes(page[block : block + 2]), int.from_bytes(page[block + 2 : block + 4])
        if block < end or size < 4 or block + size > usable_bytes or 0 < following < block + size:
            return []
        spans.append((block + 4, block + size))
        block = following
    return [span for span in spans if span[0] < span[1]]
