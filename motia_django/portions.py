"""What one statement may carry: rows with large texts, cut into portions that a database takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

_LARGEST = 3_000_000
"""Characters of the texts of one statement: MariaDB takes 16 MB, and each may be four bytes."""


def portions(rows: Sequence[T], size: Callable[[T], int], most: int) -> Iterator[Sequence[T]]:
    """Yield all rows, in their order, as many at a time as a statement can carry, up to `most`.

    `size` is how many characters the texts of a row have. One that is too large goes alone.
    """
    first, whole = 0, 0
    for at, row in enumerate(rows):
        own = size(row)
        whole += own
        if at > first and (at - first == most or whole > _LARGEST):
            yield rows[first:at]
            first, whole = at, own
    if rows:
        yield rows[first:]
