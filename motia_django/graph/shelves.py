"""A graph's pieces, which do not hang together: found, and put side by side like books."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 960.0
"""How wide a shelf is, unless one piece alone is wider: what fits beside the admin's sidebar."""
GAP = 44.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Nodes that hang together and the links between them, by their places in the lists."""

    nodes: list[int]
    links: list[int]


def pieces_of(nodes: int, links: Sequence[tuple[int, int]]) -> list[Piece]:
    """Return the pieces, in the order of their first nodes."""
    roots = list(range(nodes))
    for source, target in links:
        one, other = _root(roots, source), _root(roots, target)
        roots[max(one, other)] = min(one, other)
    pieces: dict[int, Piece] = {}
    for node in range(nodes):
        pieces.setdefault(_root(roots, node), Piece(nodes=[], links=[])).nodes.append(node)
    for place, (source, _target) in enumerate(links):
        pieces[_root(roots, source)].links.append(place)
    return list(pieces.values())


def shelved(sizes: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return where the upper left corner of each goes: the highest first, from left to right."""
    shelf = max(WIDTH, *(width for width, _ in sizes))
    corners: dict[int, tuple[float, float]] = {}
    x = top = height = 0.0
    for place in sorted(range(len(sizes)), key=lambda place: -sizes[place][1]):
        if x and x + sizes[place][0] > shelf:
            x, top, height = 0.0, top + height + GAP, 0.0
        corners[place] = (x, top)
        x += sizes[place][0] + GAP
        height = max(height, sizes[place][1])
    return [corners[place] for place in range(len(sizes))]


def _root(roots: list[int], node: int) -> int:
    while roots[node] != node:
        roots[node] = roots[roots[node]]
        node = roots[node]
    return node
