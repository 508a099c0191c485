"""The drawing: a graph as SVG, in classes for a page's style sheet, or with a style of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.template import Context, Engine, Template
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from motia_django.graph import boxes, lines
from motia_django.graph.boxes import Box, Extra, Figure
from motia_django.graph.layout import MOST_NODES, Layout, is_installed, laid_out
from motia_django.graph.model import Graph, Kind

__all__ = ["Extra", "Figure", "drawn"]

MARGIN = 16.0
_TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
_STYLE = "motia/graph.css"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What the template draws."""

    width: str
    height: str
    title: str
    description: str
    boxes: list[Box]
    lines: list[lines.Line]


def drawn(
    graph: Graph,
    extras: Mapping[str, Extra] | None = None,
    kind_word: Callable[[str], str] = str,
    *,
    is_file: bool = False,
) -> SafeString | None:
    """Return the graph as an SVG element, or None where it cannot be laid out: `why_not` says why.

    `extras` are what is known of Steps and other nodes besides, by the nodes' keys. As a file it
    brings its own colours, and stands alone.
    """
    sketched = [boxes.sketched(node, extras or {}, kind_word) for node in graph.nodes]
    places = {node.key: place for place, node in enumerate(graph.nodes)}
    links = tuple(lines.link(edge, places) for edge in graph.edges)
    layout = laid_out(tuple(each.size for each in sketched), links)
    if layout is None:
        return None
    return _rendered(_drawing(graph, sketched, layout), is_file)


def why_not(graph: Graph) -> str:
    """Return why a graph could not be drawn, and what can be done."""
    if not graph.nodes:
        return _("There is nothing to draw: there is no Step.")
    if len(graph.nodes) > MOST_NODES:
        return _("There is too much for one picture. Choose a flow.")
    if not is_installed():
        return _("To draw it takes graphlay: pip install 'motia-django[graph]'.")
    return _("It could not be drawn; the logger motia.graph says why.")


def _drawing(graph: Graph, sketched: list[boxes.Sketch], layout: Layout) -> Drawing:
    pairs = zip(sketched, layout.centres, strict=True)
    routed = zip(graph.edges, layout.routes, strict=True)
    return Drawing(
        width=f"{layout.width + 2 * MARGIN:.0f}",
        height=f"{layout.height + 2 * MARGIN:.0f}",
        title=_("Flow %s") % graph.flow if graph.flow else _("All Steps"),
        description=_described(graph),
        boxes=[boxes.placed(each, (x + MARGIN, y + MARGIN)) for each, (x, y) in pairs],
        lines=[lines.line(edge, route, MARGIN) for edge, route in routed],
    )


def _described(graph: Graph) -> str:
    steps = len(graph.of_kind(Kind.STEP))
    topics = len(graph.of_kind(Kind.TOPIC))
    counted = [
        ngettext("%d Step", "%d Steps", steps) % steps,
        ngettext("%d topic", "%d topics", topics) % topics,
    ]
    return _("%s, from top to bottom in the order of what starts what.") % ", ".join(counted)


def _rendered(drawing: Drawing, is_file: bool) -> SafeString:
    # The style is a file of this package, and no text of anybody's.
    style = SafeString((_TEMPLATES / _STYLE).read_text("utf-8") if is_file else "")
    context = Context({"drawing": drawing, "style": style, "is_file": is_file}, use_l10n=False)
    return _template().render(context)


@cache
def _template() -> Template:
    """Return the template, by an engine of its own: a project without templates can draw, too."""
    return Engine(dirs=[str(_TEMPLATES)], autoescape=True).get_template("motia/graph.svg")
