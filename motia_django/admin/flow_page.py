"""What the page of the flows shows, and the files that they are exported as."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import content_disposition_header, urlencode
from django.utils.translation import gettext as _

from motia_django import graph, ledger, payloads
from motia_django.admin import figures, flow_list, permits, windows, words
from motia_django.admin.figures import Board
from motia_django.admin.links import Links
from motia_django.exceptions import UnknownFlow
from motia_django.graph.model import Graph, Kind, Node
from motia_django.registry import registry
from motia_django.steps import Step

SEE = "motia.view_step"
EXPORTS = {
    "svg": ("SVG", "svg", "image/svg+xml"),
    "mermaid": ("Mermaid", "mmd", "text/plain; charset=utf-8"),
    "dot": ("DOT", "dot", "text/vnd.graphviz; charset=utf-8"),
    "json": ("JSON", "json", "application/json"),
}
"""Of each format its name, the ending of its files, and its content type."""


def shown(request: HttpRequest, links: Links) -> dict[str, Any]:
    """Return everything, or the flow that `?flow=` names, with figures of `?window=`."""
    window = windows.chosen(request)
    found = _graph(request)
    board = figures.board(request, links, window)
    picture = graph.drawn(found, _extras(found, board, links), words.kind)
    steps = _seen(request)
    return {
        "title": _("Flow %s") % found.flow if found.flow else _("Flows"),
        "only": found.flow,
        "tabs": flow_list.tabs(steps, found.flow, window, board, links),
        "windows": windows.choices(request, window) if board else [],
        "exports": _exports(found.flow, has_picture=picture is not None),
        "picture": picture,
        "why_not": "" if picture else graph.why_not(found),
        "legend": _legend(found),
        "has_virtual": any(edge.is_virtual for edge in found.edges),
        "has_conditional": any(edge.is_conditional for edge in found.edges),
        "is_measured": board is not None,
        "notes": board.notes if board else [],
        "flows": flow_list.flows(steps, found, board, links),
    }


def exported(request: HttpRequest, form: str) -> HttpResponse:
    """Return the graph of everything, or of the flow that `?flow=` names, as a file."""
    if form not in EXPORTS:
        raise Http404(_("There is no format %s.") % form)
    found = _graph(request)
    _name, ending, content_type = EXPORTS[form]
    response = HttpResponse(_written(found, form), content_type=content_type)
    name = f"{found.flow or 'flows'}.{ending}"
    response["Content-Disposition"] = content_disposition_header(True, name)
    return response


def _graph(request: HttpRequest) -> Graph:
    """Return the graph of what the address names, of the Steps that its reader may see."""
    try:
        return graph.read(
            registry(), request.GET.get("flow") or None, permits.visible(request, SEE)
        )
    except UnknownFlow as error:
        raise Http404(_("There is no flow named %s.") % error.name) from error


def _seen(request: HttpRequest) -> list[Step]:
    seen = permits.visible(request, SEE)
    return [step for step in registry() if seen is None or step.name in seen]


def _written(found: Graph, form: str) -> str | bytes:
    if form == "json":
        return payloads.dumps(graph.plain(found))
    if form == "dot":
        return graph.dot(found)
    if form == "mermaid":
        return graph.mermaid(found)
    drawing = graph.drawn(found, is_file=True)
    if drawing is None:
        raise Http404(graph.why_not(found))
    return drawing


def _exports(flow: str, *, has_picture: bool) -> list[tuple[str, str]]:
    """Return the names of the formats, each with its address."""
    query = f"?{urlencode({'flow': flow})}" if flow else ""
    return [
        (name, reverse("admin:motia_flow_export", args=[form]) + query)
        for form, (name, _ending, _type) in EXPORTS.items()
        if has_picture or form != "svg"
    ]


def _extras(found: Graph, board: Board | None, links: Links) -> dict[str, graph.Extra]:
    paused = ledger.paused()
    return {node.key: _extra(node, board, links, paused) for node in found.nodes}


def _extra(node: Node, board: Board | None, links: Links, paused: Mapping[str, Any]) -> graph.Extra:
    if node.kind is Kind.STATE:
        return graph.Extra(url=links.state(node.name))
    if node.kind is Kind.STREAM:
        return graph.Extra(url=links.stream(node.name))
    if node.kind is Kind.TOPIC:
        return graph.Extra()
    told = board.of(node.name) if board else None
    numbers = (told.runs, told.failed, told.waiting) if told else ()
    return graph.Extra(
        url=links.step(node.name),
        mark=_("paused") if node.name in paused else "",
        figures=tuple(
            graph.Figure(text=each.text, url=each.url, tone=each.tone)
            for place, each in enumerate(numbers)
            if each.tone or place == 0
        ),
        failed_share=told.failed_share if told else None,
    )


def _legend(found: Graph) -> list[tuple[str, str]]:
    """Return the kinds of triggers in the picture, each with its word."""
    kinds = {start.kind for node in found.nodes for start in node.starts}
    return [(kind, words.kind(kind)) for kind in words.KINDS if kind in kinds]
