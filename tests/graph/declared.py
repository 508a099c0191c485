"""Steps declared for graphs: what matters is what they say of themselves."""

from __future__ import annotations

from typing import Any

from motia_django.graph import Edge, Graph, Node
from motia_django.registry import Registry
from motia_django.steps import Step
from tests.factories import make_step, nothing

HTTP = {"type": "http", "method": "POST", "path": "/orders"}
CRON = {"type": "cron", "schedule": "@daily"}
ODD_NAMES = [
    'a "quote"',
    "<b>&amp;</b>",
    "shop::Order",
    "back\\slash",
    "`tick`",
    "🦊 fox",
    "end",
    "#35;",
]


def hears(*topics: str, **more: Any) -> list[dict[str, Any]]:
    """Return queue triggers on these topics."""
    return [{"type": "queue", "topic": topic, **more} for topic in topics]


def named(name: str, *triggers: Any, **config: Any) -> Step:
    """Return a Step of that name; by default an http Step."""
    return make_step(nothing, *(triggers or (HTTP,)), name=name, **config)


def registry_of(*steps: Step) -> Registry:
    """Return a registry of these Steps, whatever its problems: graphs are drawn all the same."""
    return Registry(steps)


def ends(graph: Graph) -> set[tuple[str, str]]:
    """Return the edges by their ends."""
    return {(edge.source, edge.target) for edge in graph.edges}


def edge(graph: Graph, source: str, target: str) -> Edge:
    """Return the one edge between two nodes."""
    [found] = [each for each in graph.edges if (each.source, each.target) == (source, target)]
    return found


def node(graph: Graph, key: str) -> Node:
    """Return the node of that key."""
    return next(each for each in graph.nodes if each.key == key)
