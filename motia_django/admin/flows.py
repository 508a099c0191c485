"""Flows: each with its Steps, and the topics between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from motia_django.admin import triggers
from motia_django.admin.links import Links
from motia_django.admin.pages import ReadOnlyAdmin
from motia_django.admin.steps import listeners
from motia_django.registry import registry
from motia_django.steps import Step, Topic


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """A topic that a Step sends to, and who hears it."""

    topic: Topic
    heard_by: list[tuple[str, str, bool]]
    """Each listening Step's name, its page's address, and whether it is outside the flow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One Step of a flow."""

    step: Step
    url: str
    triggers: list[triggers.Described]
    hops: list[Hop]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A flow as the page shows it."""

    name: str
    members: list[Member]


class FlowAdmin(ReadOnlyAdmin):
    """The flows that the Steps of this process name."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show all flows, or the one that `?flow=` names."""
        flows, only = registry().flows(), request.GET.get("flow")
        if only is not None and only not in flows:
            raise Http404(_("There is no flow named %s.") % only)
        links = self.links(request)
        shown = [_flow(name, flows[name], links) for name in flows if only in (None, name)]
        return self.page(
            request, "admin/motia/flow/flows.html", _("Flows"), flows=shown, is_narrowed=bool(only)
        )

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> Any:
        """A flow has no page besides the list."""
        raise Http404


def _flow(name: str, steps: list[Step], links: Links) -> Flow:
    inside = {step.name for step in steps}
    members = [
        Member(
            step=step,
            url=links.step(step.name),
            triggers=triggers.described(step),
            hops=[_hop(topic, inside, links) for topic in step.enqueues],
        )
        for step in steps
    ]
    return Flow(name=name, members=members)


def _hop(topic: Topic, inside: set[str], links: Links) -> Hop:
    heard = listeners(topic.name, links)
    return Hop(topic=topic, heard_by=[(name, url, name not in inside) for name, url in heard])
