"""From the Steps as they are declared to their graph; what only their code knows is not in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from motia_django.exceptions import UnknownFlow
from motia_django.graph.model import Edge, Graph, Kind, Node, Start, key_of, merged
from motia_django.registry import Registry
from motia_django.steps import Step
from motia_django.triggers import QueueTrigger, StateTrigger, StreamTrigger, Trigger, state, stream
from motia_django.triggers.base import Condition


def read(registry: Registry, flow: str | None = None, seen: Collection[str] | None = None) -> Graph:
    """Return the graph of one flow, or of everything; raise `UnknownFlow`.

    A flow's graph has the Steps of other flows too that its messages go to or come from. Steps that
    are not among `seen` are left out, but who hears and who sends is asked of all.
    """
    steps = [step for step in registry if seen is None or step.name in seen]
    flows = {name for step in steps for name in step.flows}
    if flow is not None and flow not in flows:
        raise UnknownFlow(flow, flows)
    everything = list(merged(edge for step in registry for edge in _edges(step)))
    nodes = {node.key: node for node in _nodes(registry, everything)}
    members = {key_of(Kind.STEP, step.name) for step in steps if flow in (None, *step.flows)}
    hidden = {key_of(Kind.STEP, step.name) for step in registry if step not in steps}
    shown = _around(members, everything) - hidden
    return Graph(
        flow=flow or "",
        nodes=tuple(
            replace(node, is_outside=node.kind is Kind.STEP and key not in members)
            for key, node in nodes.items()
            if key in shown
        ),
        edges=tuple(each for each in everything if {each.source, each.target} <= shown),
    )


def _edges(step: Step) -> Iterator[Edge]:
    """Yield what a Step says of itself: what starts it, and what follows from it."""
    key = key_of(Kind.STEP, step.name)
    for trigger in step.triggers:
        source = _source(trigger)
        if source is not None:
            yield Edge(
                source=source,
                target=key,
                label=_label(trigger),
                is_conditional=trigger.condition is not None,
                condition=_named(trigger.condition),
            )
    for topic in step.virtual_subscribes:
        yield Edge(source=key_of(Kind.TOPIC, topic), target=key, is_virtual=True)
    for is_virtual, topics in ((False, step.enqueues), (True, step.virtual_enqueues)):
        for each in topics:
            yield Edge(
                source=key,
                target=key_of(Kind.TOPIC, each.name),
                label=each.label,
                is_conditional=each.conditional,
                is_virtual=is_virtual,
            )
    if step.on_dead:
        yield Edge(source=key, target=key_of(Kind.TOPIC, step.on_dead), is_failure=True)


def _named(condition: Condition | None) -> str:
    name = str(getattr(condition, "__name__", ""))
    return "" if name == "<lambda>" else name


def _source(trigger: Trigger) -> str | None:
    """Return the key of the node that a trigger listens to; a route or a schedule has none."""
    if isinstance(trigger, QueueTrigger):
        return key_of(Kind.TOPIC, trigger.topic)
    if isinstance(trigger, StateTrigger):
        return key_of(Kind.STATE, trigger.group_id or "")
    if isinstance(trigger, StreamTrigger):
        return key_of(Kind.STREAM, trigger.stream_name)
    return None


def _label(trigger: Trigger) -> str:
    """Return what of a group or a stream a trigger listens for, if not for all of it."""
    if isinstance(trigger, StateTrigger):
        return _narrowed([trigger.item_id], trigger.events, state.EVENTS)
    if isinstance(trigger, StreamTrigger):
        return _narrowed([trigger.group_id, trigger.item_id], trigger.events, stream.EVENTS)
    return ""


def _narrowed(place: list[str | None], events: tuple[str, ...], all_events: tuple[str, ...]) -> str:
    where = "/".join(part or "*" for part in place) if any(place) else ""
    what = "" if set(events) == set(all_events) else ", ".join(events)
    return " ".join(filter(None, (where, what)))


def _nodes(steps: Iterable[Step], edges: Collection[Edge]) -> Iterator[Node]:
    """Yield every node, Steps first, with the marks that its edges give it."""
    sent = {edge.target for edge in edges}
    heard = {edge.source for edge in edges}
    really_sent = {edge.target for edge in edges if not edge.is_virtual}
    incoming: dict[str, list[str]] = {}
    for edge in edges:
        incoming.setdefault(edge.target, []).append(edge.source)
    for step in steps:
        key = key_of(Kind.STEP, step.name)
        only_messages = {each.kind for each in step.triggers} == {QueueTrigger.kind}
        yield Node(
            kind=Kind.STEP,
            name=step.name,
            description=step.description,
            starts=tuple(Start(kind=each.kind, source=each.source) for each in step.triggers),
            is_unsent=only_messages and not sent.intersection(incoming.get(key, ())),
        )
    for key in dict.fromkeys(end for edge in edges for end in (edge.source, edge.target)):
        kind, _, name = key.partition(":")
        if kind != Kind.STEP:
            unheard = key in really_sent and key not in heard
            yield Node(kind=Kind(kind), name=name, is_unheard=unheard)


def _around(members: set[str], edges: Collection[Edge]) -> set[str]:
    """Return the members, what is between them, and the Steps right before and after them."""
    after = {edge.target for edge in edges if edge.source in members}
    before = {edge.source for edge in edges if edge.target in members}
    topics = {key for key in before if key.startswith(f"{Kind.TOPIC}:")}
    next_ones = {edge.target for edge in edges if edge.source in after}
    senders = {edge.source for edge in edges if edge.target in topics}
    return members | after | before | next_ones | senders
