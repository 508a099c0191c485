"""Where each node and edge of a drawing goes: by `graphlay`, behind one function."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from motia_django.graph.shelves import Piece, pieces_of, shelved

logger = logging.getLogger("motia.graph")

MOST_NODES = 600
"""Beyond that nobody finds anything in a picture, and to lay it out takes seconds."""

Point = tuple[float, float]
Size = tuple[float, float]
_MANY = 150
"""From so many nodes that hang together on, the best of all layouts takes too long to find."""
_OPTIONS = {
    "direction": "topbottom",
    "spacing": {"layer_gap": 40.0, "node_gap": 32.0, "isolated_gap": 32.0, "dummy_gap": 22.0},
    "self_loops": {"size": 24.0},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An edge to lay out, between two nodes by their places in the list."""

    source: int
    target: int
    label: Size | None = None
    """The room that its label takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where an edge goes, from border to border, and where the middle of its label is."""

    points: tuple[Point, ...]
    label_at: Point | None

    def moved(self, x: float, y: float) -> Route:
        """Return it so much further to the right and down."""
        label_at = (self.label_at[0] + x, self.label_at[1] + y) if self.label_at else None
        return Route(points=tuple((a + x, b + y) for a, b in self.points), label_at=label_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A drawing that begins at (0, 0)."""

    width: float
    height: float
    centres: tuple[Point, ...]
    routes: tuple[Route, ...]

    def moved(self, x: float, y: float) -> Layout:
        """Return the same further to the right and down, still as large."""
        return Layout(
            width=self.width,
            height=self.height,
            centres=tuple((a + x, b + y) for a, b in self.centres),
            routes=tuple(route.moved(x, y) for route in self.routes),
        )


@lru_cache(maxsize=128)
def laid_out(nodes: tuple[Size, ...], links: tuple[Link, ...]) -> Layout | None:
    """Return where everything goes, from top to bottom; what does not hang together side by side.

    Return None if graphlay is not installed (the extra `graph`), fails, or has too much to do.
    """
    if not 0 < len(nodes) <= MOST_NODES:
        return None
    try:
        import graphlay
    except ImportError:
        return None
    pieces = pieces_of(len(nodes), [(link.source, link.target) for link in links])
    try:
        layouts = [_piece(graphlay.layout, piece, nodes, links) for piece in pieces]
        corners = shelved([(each.width, each.height) for each in layouts])
        return _together(pieces, layouts, corners)
    except Exception:  # a young library: whatever it stumbles over, the list is there
        logger.warning("graphlay could not lay out %d nodes", len(nodes), exc_info=True)
        return None


def is_installed() -> bool:
    """Return whether there is a graphlay, the extra `graph`, to lay anything out."""
    return find_spec("graphlay") is not None


def _piece(
    engine: Callable[..., Any], piece: Piece, nodes: Sequence[Size], links: Sequence[Link]
) -> Layout:
    place = {node: number for number, node in enumerate(piece.nodes)}
    edges = [_edge(links[each], place) for each in piece.links]
    graph = {"nodes": [_node(nodes[each]) for each in piece.nodes], "edges": edges}
    effort = "balanced" if len(piece.nodes) <= _MANY else "fast"
    found = engine(graph, options={**_OPTIONS, "effort": effort})
    labels = [links[each].label for each in piece.links]
    return _read(found.bounds, found.nodes, found.edges, labels)


def _together(
    pieces: Sequence[Piece], layouts: Sequence[Layout], corners: Sequence[Point]
) -> Layout:
    """Return the pieces as one, each node and edge in its old place in the list."""
    centres: dict[int, Point] = {}
    routes: dict[int, Route] = {}
    ends = [
        (x + each.width, y + each.height) for each, (x, y) in zip(layouts, corners, strict=True)
    ]
    for piece, layout, corner in zip(pieces, layouts, corners, strict=True):
        moved = layout.moved(*corner)
        centres.update(zip(piece.nodes, moved.centres, strict=True))
        routes.update(zip(piece.links, moved.routes, strict=True))
    return Layout(
        width=max(right for right, _ in ends),
        height=max(bottom for _, bottom in ends),
        centres=tuple(centres[each] for each in sorted(centres)),
        routes=tuple(routes[each] for each in sorted(routes)),
    )


def _node(size: Size) -> dict[str, Any]:
    return {"size": {"width": size[0], "height": size[1]}, "shape": "box"}


def _edge(link: Link, place: Mapping[int, int]) -> dict[str, Any]:
    ends = {"source": place[link.source], "target": place[link.target]}
    edge: dict[str, Any] = {**ends, "weight": 1.0}
    if link.label:
        edge["label_size"] = {"width": link.label[0], "height": link.label[1]}
    return edge


def _read(
    bounds: Any, nodes: Sequence[Any], edges: Sequence[Any], labels: Sequence[Size | None]
) -> Layout:
    anchors = [_point(edge["label_anchor"]) if edge.get("label_anchor") else None for edge in edges]
    (left, top), (right, bottom) = _point(bounds["min"]), _point(bounds["max"])
    for anchor, size in zip(anchors, labels, strict=True):
        if anchor and size:  # the engine's bounds are without the labels
            left, right = min(left, anchor[0] - size[0] / 2), max(right, anchor[0] + size[0] / 2)
            top, bottom = min(top, anchor[1] - size[1] / 2), max(bottom, anchor[1] + size[1] / 2)
    layout = Layout(
        width=right - left,
        height=bottom - top,
        centres=tuple(_point(node["center"]) for node in nodes),
        routes=tuple(
            Route(points=tuple(map(_point, edge["points"])), label_at=anchor)
            for edge, anchor in zip(edges, anchors, strict=True)
        ),
    )
    return layout.moved(-left, -top)


def _point(raw: Any) -> Point:
    return (float(raw["x"]), float(raw["y"]))
