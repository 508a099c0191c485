"""How far the producers have come: each says so in a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.chaos.plan import PRODUCERS, home


def tell(producer: int, share: float) -> None:
    """Say what share of its transactions a producer has done."""
    _file(home(), producer).write_text(f"{share:.4f}")


def of_all(place: Path) -> float:
    """Return what share of all transactions is done, in the battle whose home that is."""
    return sum(_shares(place)) / PRODUCERS


def _shares(place: Path) -> Iterator[float]:
    for producer in range(PRODUCERS):
        try:
            yield float(_file(place, producer).read_text())
        except (OSError, ValueError):
            yield 0.0  # it has not begun, or writes just now


def _file(place: Path, producer: int) -> Path:
    return place / f"progress{producer}"
