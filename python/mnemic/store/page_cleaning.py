"""Zeroing what a SQLite file holds besides its contents: the bytes of its pages that nothing refers to.

`PRAGMA secure_delete` zeroes cells and pages as they are deleted. But when a page of a b-tree is split or merged,
SQLite leaves copies of the cells that moved away in the gap between the page's cell pointers and its cells: deleting
the row later zeroes the row, not the copy. And what was deleted before `secure_delete` was on lies in free blocks and
on free pages. SQLite never reads any of these bytes, so they can be zeroed in place (the file format is documented and
fixed: https://www.sqlite.org/fileformat2.html).

A file is scanned while nobody writes it, which in write-ahead mode means while nothing is checkpointed. It is zeroed
while nobody writes at all and the log is empty. `mnemic.store.sqlite_cleaning` sees to both.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_CHUNK_BYTES = 4 * 1024 * 1024
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

    def find_leftovers(self, *, share: float = 1.0) -> list[int]:
        """The numbers of the pages with unused bytes that are not zero. Nobody may write the file meanwhile.

        Args:
            share: Of the time how much to work, so that others have the disk and the processor for the rest.
        """
        layout = self._layout()
        found: list[int] = []
        buffer = bytearray(max(_CHUNK_BYTES, layout.page_bytes) + 1)
        in_chunk = max(_CHUNK_BYTES // layout.page_bytes, 1)
        for first in range(1, layout.pages + 1, in_chunk):
            begin = time.perf_counter()
            count = min(in_chunk, layout.pages + 1 - first)
            view = memoryview(buffer)[: count * layout.page_bytes]
            read = os.preadv(self._descriptor, [view], (first - 1) * layout.page_bytes)
            view[read:] = bytes(len(view) - read)
            found.extend(_leftovers_in(buffer, layout, first, count))
            if share < 1.0:
                time.sleep((time.perf_counter() - begin) * (1.0 / share - 1.0))
        zero = bytes(layout.page_bytes)
        free = self._free_pages(layout)
        found.extend(page for page, start in free if self._read(layout, page)[start:] != zero[start:])
        return found

    def zero_leftovers(self, pages: Collection[int]) -> int:
        """Zeroes the unused bytes of pages, durably. Nobody may write, and the write-ahead log must be empty.

        Returns:
            How many pages were changed.
        """
        layout = self._layout()
        free = dict(self._free_pages(layout))
        zero = bytes(layout.page_bytes)
        changed = 0
        for number in pages:
            if number > layout.pages:
                continue
            page = self._read(layout, number)
            if number in free:
                spans = [(free[number], layout.page_bytes)]
            else:
                spans = unused_spans(page, number, layout.usable_bytes)
            dirty = [(start, end) for start, end in spans if page[start:end] != zero[: end - start]]
            for start, end in dirty:
                os.pwrite(self._descriptor, zero[: end - start], (number - 1) * layout.page_bytes + start)
            changed += bool(dirty)
        if changed:
            os.fsync(self._descriptor)
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

    def _free_pages(self, layout: _Layout) -> Iterator[tuple[int, int]]:
        """The pages of the free list, each with the byte from which on it holds nothing: its trunks hold the numbers of
        its leaves, and those hold nothing at all.
        """
        trunk, seen = layout.first_trunk, 0
        while 0 < trunk <= layout.pages and seen <= layout.pages:
            page = self._read(layout, trunk)
            count = min(int.from_bytes(page[4:8]), layout.usable_bytes // 4 - 2)
            yield trunk, 8 + 4 * count
            for place in range(8, 8 + 4 * count, 4):
                leaf = int.from_bytes(page[place : place + 4])
                if 0 < leaf <= layout.pages:
                    yield leaf, 0
            trunk, seen = int.from_bytes(page[:4]), seen + 1


def _leftovers_in(buffer: bytearray, layout: _Layout, first: int, count: int) -> list[int]:
    """Those of `count` pages, of which the first has a number, that have something in their gap, or free blocks."""
    size = layout.page_bytes
    flat: np.ndarray[Any, np.dtype[np.uint8]] = np.frombuffer(buffer, np.uint8)[: count * size + 1]
    header: np.ndarray[Any, np.dtype[np.int64]] = flat[:-1].reshape(count, size)[:, :8].astype(np.int64)
    if first == 1:
        header[0] = flat[_HEADER_BYTES : _HEADER_BYTES + 8]
    kind = header[:, 0]
    offset = np.zeros(count, np.int64)
    if first == 1:
        offset[0] = _HEADER_BYTES
    start = offset + np.where(np.isin(kind, _INTERIOR_PAGES), 12, 8) + 2 * (header[:, 3] * 256 + header[:, 4])
    end = header[:, 5] * 256 + header[:, 6]
    end[end == 0] = 65536
    is_tree = np.isin(kind, _TREE_PAGES) & (end <= layout.usable_bytes) & (start <= end)
    has_blocks = is_tree & ((header[:, 1] | header[:, 2]) != 0)
    with_gap = np.flatnonzero(is_tree & (start < end))
    dirty = with_gap
    if len(with_gap):
        # The bytes of each gap combined: reduceat takes [start, end) at even places, what lies between at odd ones.
        places = np.empty(2 * len(with_gap), np.int64)
        places[0::2] = with_gap * size + start[with_gap]
        places[1::2] = with_gap * size + end[with_gap]
        dirty = with_gap[np.bitwise_or.reduceat(flat, places)[0::2] != 0]
    return [int(page) + first for page in np.union1d(dirty, np.flatnonzero(has_blocks))]


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
