"""The flows as a list: for those who do not see the picture, and where there is none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from motia_django.admin import triggers
from motia_django.admin.figures import Board, Told
from motia_django.admin.links import Links
from motia_django.admin.windows import Window
from motia_django.graph.model import Edge, Graph, Kind, key_of
from motia_django.steps import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """A topic that a Step sends to, and who hears it."""

    topic: str
    edge: Edge
    is_unheard: bool
    heard_by: list[tuple[str, str, bool]]
    """Each listening Step's name, its page's address, and whether it is outside the flow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One Step of a flow."""

    step: Step
    url: str
    triggers: list[triggers.Described]
    hops: list[Hop]
    is_unsent: bool
    told: Told | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A flow as the page shows it."""

    name: str
    members: list[Member]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """A flow to go to."""

    label: str
    url: str
    steps: int
    failed: int
    is_chosen: bool


def tabs(
    steps: Sequence[Step], only: str, window: Window, board: Board | None, links: Links
) -> list[Tab]:
    """Return everything and each flow, with how many of its runs failed."""
    by_flow = {"": list(steps), **_by_flow(steps)}
    return [
        Tab(
            label=flow or _("Everything"),
            url=links.flows(window=window.key, **({"flow": flow} if flow else {})),
            steps=len(members),
            failed=_failed(members, board),
            is_chosen=flow == only,
        )
        for flow, members in by_flow.items()
    ]


def flows(steps: Sequence[Step], found: Graph, board: Board | None, links: Links) -> list[Flow]:
    """Return the flows of a graph, those Steps last that are in none."""
    by_flow = _by_flow(steps)
    if found.flow:
        by_flow = {found.flow: by_flow[found.flow]}
    else:
        by_flow |= {"": [step for step in steps if not step.flows]}
    listing = _Listing(found, board, links)
    return [
        Flow(name=flow, members=[listing.member(step, members) for step in members])
        for flow, members in by_flow.items()
        if members
    ]


class _Listing:
    """Looks up who is next to whom in a graph."""

    def __init__(self, found: Graph, board: Board | None, links: Links) -> None:
        self._board = board
        self._links = links
        self._in_force = triggers.InForce()
        self._nodes = {node.key: node for node in found.nodes}
        self._after: dict[str, list[Edge]] = {}
        for edge in found.edges:
            self._after.setdefault(edge.source, []).append(edge)

    def member(self, step: Step, members: Iterable[Step]) -> Member:
        key = key_of(Kind.STEP, step.name)
        inside = {each.name for each in members}
        return Member(
            step=step,
            url=self._links.step(step.name),
            triggers=triggers.described(step, self._in_force),
            hops=[self._hop(edge, inside) for edge in self._after.get(key, ())],
            is_unsent=self._nodes[key].is_unsent,
            told=self._board.of(step.name) if self._board else None,
        )

    def _hop(self, edge: Edge, inside: set[str]) -> Hop:
        names = [self._nodes[each.target].name for each in self._after.get(edge.target, ())]
        return Hop(
            topic=self._nodes[edge.target].name,
            edge=edge,
            is_unheard=self._nodes[edge.target].is_unheard,
            heard_by=[(name, self._links.step(name), name not in inside) for name in names],
        )


def _by_flow(steps: Iterable[Step]) -> dict[str, list[Step]]:
    flows: dict[str, list[Step]] = {}
    for step in steps:
        for flow in dict.fromkeys(step.flows):
            flows.setdefault(flow, []).append(step)
    return dict(sorted(flows.items()))


def _failed(steps: Iterable[Step], board: Board | None) -> int:
    told = [(step, board.of(step.name)) for step in steps] if board else []
    return sum(board.measured.of(step.name).failed for step, each in told if each and board)
