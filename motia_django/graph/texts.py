"""The graph as text for other tools: Mermaid, DOT, and plain values for JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any
from unicodedata import category

from motia_django.graph.model import Edge, Graph, Kind, Node

_SHAPES = {
    Kind.STEP: ('["', '"]'),
    Kind.TOPIC: ('(["', '"])'),
    Kind.STATE: ('[("', '")]'),
    Kind.STREAM: ('[["', '"]]'),
}
"""How Mermaid spells a box, a pill, a cylinder, and a box with double sides."""
_DOT_SHAPES = {
    Kind.STEP: 'shape=box, style="rounded"',
    Kind.TOPIC: 'shape=box, style="rounded,dashed"',
    Kind.STATE: "shape=cylinder",
    Kind.STREAM: "shape=box, peripheries=2",
}


def mermaid(graph: Graph) -> str:
    """Return the graph as a flowchart of Mermaid."""
    return "\n".join(_mermaid(graph)) + "\n"


def dot(graph: Graph) -> str:
    """Return the graph in DOT, the language of Graphviz."""
    return "\n".join(_dot(graph)) + "\n"


def plain(graph: Graph) -> dict[str, Any]:
    """Return the graph as plain values: its nodes and its edges, which name them by `id`."""
    return {
        "flow": graph.flow or None,
        "nodes": [{"id": node.key, **asdict(node), "kind": str(node.kind)} for node in graph.nodes],
        "edges": [asdict(edge) for edge in graph.edges],
    }


def _mermaid(graph: Graph) -> Iterator[str]:
    yield "flowchart TD"
    ids = _ids(graph)
    for node in graph.nodes:
        before, after = _SHAPES[node.kind]
        lines = [_entities(line) for line in _lines(node)]
        yield f"    {ids[node.key]}{before}{'<br/>'.join(lines)}{after}"
    for edge in graph.edges:
        arrow = "-.->" if edge.is_virtual else "-->"
        label = f'|"{_entities(_label(edge))}"|' if _label(edge) else ""
        yield f"    {ids[edge.source]} {arrow}{label} {ids[edge.target]}"
    for kind in Kind:
        of_kind = [ids[node.key] for node in graph.of_kind(kind)]
        if of_kind and kind is Kind.TOPIC:
            yield "    classDef topic stroke-dasharray: 4 3"
            yield f"    class {','.join(of_kind)} topic"


def _dot(graph: Graph) -> Iterator[str]:
    yield f"digraph {_quoted([graph.flow or 'motia'])} {{"
    yield '    node [fontname="Helvetica"]; edge [fontname="Helvetica", fontsize=10]'
    ids = _ids(graph)
    for node in graph.nodes:
        yield f"    {ids[node.key]} [label={_quoted(_lines(node))}, {_DOT_SHAPES[node.kind]}]"
    for edge in graph.edges:
        style = ", style=dashed" if edge.is_virtual else ""
        label = _quoted([_label(edge)])
        yield f"    {ids[edge.source]} -> {ids[edge.target]} [label={label}{style}]"
    yield "}"


def _ids(graph: Graph) -> dict[str, str]:
    """Return a name for each node that is a plain word in any language."""
    return {node.key: f"n{place}" for place, node in enumerate(graph.nodes)}


def _lines(node: Node) -> list[str]:
    """Return what a node says: a Step's name below what starts it."""
    if node.kind is not Kind.STEP:
        named = node.name or "any group"
        return [named if node.kind is Kind.TOPIC else f"{node.kind} {named}"]
    starts = [f"{each.kind} {each.source}" for each in node.starts if each.kind in ("http", "cron")]
    return [*starts, node.name]


def _label(edge: Edge) -> str:
    """Return an edge's label, and on what it depends if it does."""
    sometimes = f"if {edge.condition}" if edge.condition else "sometimes"
    when = "when dead" if edge.is_failure else ""
    return ", ".join(filter(None, (edge.label, when, sometimes if edge.is_conditional else "")))


def _entities(text: str) -> str:
    """Return a text for a quoted label of Mermaid: what means anything to it as an entity."""
    return "".join(
        each if each.isalnum() or each in " ._-/" else f"#{ord(each)};" for each in _one_line(text)
    )


def _quoted(lines: list[str]) -> str:
    """Return these lines as a string of DOT, in which Graphviz finds no escape and no entity."""
    escaped = (
        _one_line(line).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
        for line in lines
    )
    return '"' + "\\n".join(escaped) + '"'


def _one_line(text: str) -> str:
    """Return a text without line breaks and other characters that are not to be seen."""
    return "".join(
        " " if category(each)[0] == "C" or category(each) in ("Zl", "Zp") else each for each in text
    )
