"""What a graph of flows is made of: values that look nothing up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a node stands for."""

    STEP = "step"
    TOPIC = "topic"
    STATE = "state"
    STREAM = "stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What may start a Step: a kind of trigger, and what it listens for."""

    kind: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A Step, a topic, a group of state, or a stream."""

    kind: Kind
    name: str
    """The Step's name, the topic, the stream; of state the group, empty for any group."""
    starts: tuple[Start, ...] = ()
    """What may start a Step, in the order of its triggers."""
    description: str = ""
    is_outside: bool = False
    """Whether it is a Step of other flows only, shown because it is the next, or the one before."""
    is_unheard: bool = False
    """Whether it is a topic that some Step sends to and none listens on."""
    is_unsent: bool = False
    """Whether it is a Step that only messages start, of topics that no Step sends to."""

    @property
    def key(self) -> str:
        """What tells it from all other nodes: `step:CreateTodo`."""
        return key_of(self.kind, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """From what happens first to what it leads to, each by its node's key."""

    source: str
    target: str
    label: str = ""
    is_conditional: bool = False
    """Whether it depends: on the sender's code as its config says, or on a trigger's condition."""
    condition: str = ""
    """The name of the trigger's condition, if it has one that is a word."""
    is_virtual: bool = False
    """Whether it happens outside of the code, as a Step's config says."""
    is_failure: bool = False
    """Whether it happens when a run of the Step is dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Nodes and the edges between them, of one flow or of everything."""

    flow: str = ""
    """Empty for everything."""
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()

    def of_kind(self, kind: Kind) -> list[Node]:
        """Return the nodes of one kind."""
        return [node for node in self.nodes if node.kind is kind]


def key_of(kind: Kind, name: str) -> str:
    """Return the key of the node of that kind and name."""
    return f"{kind}:{name}"


def merged(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """Return the edges with those between the same two nodes made one.

    One that is sure, or real, or no failure's makes what it is merged with so, too.
    """
    found: dict[tuple[str, str], Edge] = {}
    for edge in edges:
        ends = (edge.source, edge.target)
        found[ends] = _joined(found[ends], edge) if ends in found else edge
    return tuple(found.values())


def _joined(first: Edge, second: Edge) -> Edge:
    is_conditional = first.is_conditional and second.is_conditional
    return Edge(
        source=first.source,
        target=first.target,
        label=_both(first.label, second.label),
        is_conditional=is_conditional,
        condition=_both(first.condition, second.condition) if is_conditional else "",
        is_virtual=first.is_virtual and second.is_virtual,
        is_failure=first.is_failure and second.is_failure,
    )


def _both(first: str, second: str) -> str:
    return ", ".join(dict.fromkeys(filter(None, (first, second))))
