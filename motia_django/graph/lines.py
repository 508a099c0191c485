"""The edges of a drawing: orthogonal lines with round corners, and their labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import hypot

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from motia_django.graph.layout import Link, Point, Route
from motia_django.graph.lettering import attributes, fitted, width_of
from motia_django.graph.model import Edge

LETTERS = 11.0
_WIDEST = 160.0
_CORNER = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An edge in its place."""

    classes: str
    path: SafeString
    """The `d` of the path."""
    is_conditional: bool
    label: str
    whole_label: str
    at: SafeString
    """The place of its label, as attributes."""


def link(edge: Edge, places: Mapping[str, int]) -> Link:
    """Return an edge as it is laid out: between its nodes, with room for its label."""
    label = fitted(_words(edge), _WIDEST, LETTERS)
    room = (width_of(label, LETTERS) + 8, 16.0) if label else None
    return Link(source=places[edge.source], target=places[edge.target], label=room)


def line(edge: Edge, route: Route, margin: float) -> Line:
    """Return an edge in its place, `margin` away from the drawing's rim."""
    points = _simple([(x + margin, y + margin) for x, y in route.points])
    x, y = route.label_at or _middle(route.points)
    return Line(
        classes=_classes(edge),
        path=SafeString(" ".join(_path(points))),
        is_conditional=edge.is_conditional,
        label=fitted(_words(edge), _WIDEST, LETTERS),
        whole_label=_words(edge),
        at=attributes(x=x + margin, y=y + margin + 4),
    )


def _classes(edge: Edge) -> str:
    marks = {"motia-virtual": edge.is_virtual, "motia-failure": edge.is_failure}
    return " ".join(["motia-edge", *(name for name, has in marks.items() if has)])


def _words(edge: Edge) -> str:
    condition = _("if %s") % edge.condition if edge.condition else ""
    when = _("when dead") if edge.is_failure else ""
    return ", ".join(filter(None, (edge.label, when, condition)))


def _simple(points: Sequence[Point]) -> list[Point]:
    """Return the points without those that are where the last one was."""
    kept = [points[0]]
    for point in points[1:]:
        if hypot(point[0] - kept[-1][0], point[1] - kept[-1][1]) > 0.5:
            kept.append(point)
    return kept if len(kept) > 1 else [points[0], points[-1]]


def _path(points: Sequence[Point]) -> Iterator[str]:
    yield f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        radius = min(_CORNER, _distance(before, corner) / 2, _distance(corner, after) / 2)
        ax, ay = _towards(corner, before, radius)
        bx, by = _towards(corner, after, radius)
        yield f"L{ax:.1f} {ay:.1f} Q{corner[0]:.1f} {corner[1]:.1f} {bx:.1f} {by:.1f}"
    # The arrow's head is drawn to the end, so that the line ends a little before.
    x, y = _towards(points[-1], points[-2], min(4, _distance(points[-1], points[-2]) / 2))
    yield f"L{x:.1f} {y:.1f}"


def _distance(one: Point, other: Point) -> float:
    return hypot(other[0] - one[0], other[1] - one[1])


def _towards(point: Point, other: Point, length: float) -> Point:
    whole = _distance(point, other) or 1.0
    return (
        point[0] + (other[0] - point[0]) * length / whole,
        point[1] + (other[1] - point[1]) * length / whole,
    )


def _middle(points: Sequence[Point]) -> Point:
    """Return the middle of the longest part."""
    parts = list(pairwise(points))
    (ax, ay), (bx, by) = max(parts, key=lambda part: _distance(*part))
    return ((ax + bx) / 2, (ay + by) / 2)
