"""Making any model's output into unit vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mnemic.embedding.provider import Vectors
from mnemic.model.errors import MnemicError, Reason


def unit_rows(rows: NDArray[np.floating], model: str) -> Vectors:
    """Scales each row to length 1.

    A row of zeros has no direction and becomes the first basis vector: the same for every such text, near no other.

    Args:
        rows: Shape (n, dimension).
        model: Named in the error.

    Raises:
        MnemicError: EMBEDDING_UNAVAILABLE when a component is not finite.
    """
    # Components such as 1e30 are finite, but their squares are not in float32.
    wide = rows.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    if not np.isfinite(lengths).all():
        position = int(np.flatnonzero(~np.isfinite(lengths[:, 0]))[0])
        raise MnemicError(
            Reason.EMBEDDING_UNAVAILABLE,
            f"{model} gave a vector with components that are not finite, for text {position} of {len(rows)}",
            metadata={"model": model, "position": str(position)},
        )
    empty = lengths[:, 0] == 0
    wide[empty, 0] = 1.0
    lengths[empty] = 1.0
    unit: Vectors = (wide / lengths).astype(np.float32)
    return unit
