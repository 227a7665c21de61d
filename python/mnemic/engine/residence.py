"""A partition's stay in memory, and when its state is worth a snapshot."""

from __future__ import annotations

from dataclasses import dataclass

# The store gives so many rows in about ten milliseconds: smaller partitions need no file.
SMALLEST_ROWS = 256
# While it is in use a partition's file is renewed when this share of the rows changed: a growing partition is then
# written about five times over in its life, not once for each batch.
_SHARE_IN_USE = 0.25
# A partition at rest is loaded next by somebody who waits: this share, and never more than so many rows, may be left to
# catch up with.
_SHARE_AT_REST = 1 / 16
_MOST_AT_REST = 2_500
# After so many changes the upkeep looks at the partition.
_NOTED_CHANGES = 256


@dataclass(slots=True, eq=False, kw_only=True)
class Residence:
    """One stay of a partition in memory; a later stay is another object.

    Attributes:
        bytes: What it takes, mapped or not, measured when it was loaded and by the upkeep, and estimated since.
        bytes_per_row: For the estimate.
        rows: How many rows it has, counted in the same way.
        unsaved: The rows and ends that its snapshot file does not hold; all rows if there is none.
        unnoted: Changes since the upkeep was told.
        is_mapped: Whether it was made from a snapshot.
        is_verified: Whether all of that snapshot was found undamaged, if it was.
    """

    bytes: int
    bytes_per_row: int
    rows: int
    unsaved: int
    unnoted: int
    is_mapped: bool
    is_verified: bool

    def grow(self, rows: int, closes: int) -> int:
        """Counts a write; the bytes that it added."""
        added = rows * self.bytes_per_row
        self.bytes += added
        self.rows += rows
        self.unsaved += rows + closes
        self.unnoted += rows + closes
        return added

    def is_to_be_noted(self) -> bool:
        """Whether enough has changed for the upkeep to look; counts anew if so."""
        if self.unnoted < _NOTED_CHANGES:
            return False
        self.unnoted = 0
        return True

    def is_worth_a_snapshot(self, *, at_rest: bool) -> bool:
        """Whether writing its state now spares enough."""
        if self.rows < SMALLEST_ROWS:
            return False
        tolerated = min(self.rows * _SHARE_AT_REST, _MOST_AT_REST) if at_rest else self.rows * _SHARE_IN_USE
        return self.unsaved >= max(SMALLEST_ROWS, tolerated)
