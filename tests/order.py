"""The order of the tests where xdist's processes share them: what may take long comes first.

Otherwise a few long tests would be left for the end, while all processes but theirs have nothing
to do. xdist gives each process a part of the list, one after the other, and whoever is done steals
from the end of another's (`--dist worksteal`); so each part begins with its share of long tests.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypeVar

import pytest

T = TypeVar("T")
USUAL = 120.0
"""Seconds that a test may take unless it says otherwise, as in setup.cfg."""


def long_ones_first(items: Sequence[pytest.Item], processes: int) -> list[pytest.Item]:
    """Return the tests for so many processes: those with a time limit of their own come first."""
    modules: dict[str, list[pytest.Item]] = defaultdict(list)
    others: list[pytest.Item] = []
    for item in items:
        if _limit(item):
            modules[item.nodeid.partition("::")[0]].append(item)
        else:
            others.append(item)
    shares = dealt(((sum(map(_limit, each)), each) for each in modules.values()), processes)
    return in_parts(shares, others)


def _limit(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker and marker.args[0] > USUAL else 0.0


def dealt(modules: Iterable[tuple[float, list[T]]], processes: int) -> list[list[T]]:
    """Deal modules out, each as a whole, since its tests share fixtures: the heaviest first."""
    weights, shares = [0.0] * processes, [list[T]() for _ in range(processes)]
    for weight, tests in sorted(modules, key=lambda each: -each[0]):
        lightest = weights.index(min(weights))
        weights[lightest] += weight
        shares[lightest] += tests
    return shares


def in_parts(shares: Sequence[list[T]], others: list[T]) -> list[T]:
    """Put each share at the beginning of one of as many parts, which are as long as xdist's."""
    ordered: list[T] = []
    total = sum(map(len, shares)) + len(others)
    for number, share in enumerate(shares):
        length = (total - len(ordered)) // (len(shares) - number)
        filling = max(0, length - len(share))
        ordered += share + others[:filling]
        others = others[filling:]
    return ordered + others
