"""Links between the pages, for those who may follow them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.admin.sites import AdminSite
from django.contrib.admin.utils import quote
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from motia_django import models
from motia_django.admin import permits

_ORIGIN = "_changelist_filters"


@dataclass(frozen=True, slots=True)
class Links:
    """The addresses of pages; each is empty if this request's user may not see that page."""

    site: AdminSite
    request: HttpRequest

    def run(self, run_id: UUID | str) -> str:
        """Return the address of one run."""
        return self._to(models.Run, "change", quote(str(run_id)))

    def runs(self, **query: str) -> str:
        """Return the address of the list of runs, narrowed by `query`."""
        return self._to(models.Run, "changelist", **query)

    @property
    def origin(self) -> str:
        """The query by which a run's pages remember, as Django's do, how the list was narrowed."""
        filters = self.request.GET.get(_ORIGIN, "")
        return f"?{urlencode({_ORIGIN: filters})}" if filters else ""

    def runs_before(self) -> str:
        """Return the address of the list of runs that the reader came from, as it was narrowed."""
        url, filters = self.runs(), self.request.GET.get(_ORIGIN, "")
        return f"{url}?{filters}" if url and filters else url

    def dead_letters(self, **query: str) -> str:
        """Return the address of the errors of dead runs."""
        return self._to(models.DeadLetter, "changelist", **query)

    def dead(self) -> str:
        """Return the address of the errors of dead runs, else of the list of dead runs."""
        return self.dead_letters() or self.runs(status="dead")

    def dead_letter(self, fingerprint: str, **query: str) -> str:
        """Return the address of one error of dead runs."""
        return self._to(models.DeadLetter, "change", quote(fingerprint), **query)

    def batches(self) -> str:
        """Return the address of the list of batches."""
        return self._to(models.Batch, "changelist")

    def batch(self, number: int) -> str:
        """Return the address of one batch."""
        return self._to(models.Batch, "change", quote(number))

    def preview(self, deed: str, **query: str) -> str:
        """Return the address of the page that shows what would come of something done to many."""
        return self._to(models.Batch, "preview", deed=deed, **query)

    def choose(self, **query: str) -> str:
        """Return the address of the page on which many runs are chosen."""
        return self._to(models.Batch, "choose", **query)

    def step(self, name: str) -> str:
        """Return the address of one Step."""
        if not permits.may(self.request, "motia.view_step", name):
            return ""
        return self._to(models.Step, "change", quote(name))

    def steps(self) -> str:
        """Return the address of the list of Steps."""
        return self._to(models.Step, "changelist")

    def schedules(self) -> str:
        """Return the address of the list of schedules."""
        return self._to(models.Schedule, "changelist")

    def flow(self, name: str) -> str:
        """Return the address of the page on flows, narrowed to one."""
        return self._to(models.Flow, "changelist", flow=name)

    def flows(self, **query: str) -> str:
        """Return the address of the page on flows, narrowed by `query`."""
        return self._to(models.Flow, "changelist", **query)

    def state(self, group: str) -> str:
        """Return the address of the list of state, narrowed to a group if there is one."""
        return self._to(models.StateItem, "changelist", **({"group": group} if group else {}))

    def stream(self, name: str) -> str:
        """Return the address of the list of the items of streams, narrowed to one stream."""
        return self._to(models.StreamItem, "changelist", stream=name)

    def may_see(self, model: type[Model]) -> bool:
        """Return whether the user may see the pages of `model`."""
        if not self.site.is_registered(model):
            return False
        return self.site.get_model_admin(model).has_view_permission(self.request)

    def _to(self, model: type[Model], view: str, *args: Any, **query: str) -> str:
        if not self.may_see(model):
            return ""
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_{view}"
        url = reverse(name, args=args, current_app=self.site.name)
        return f"{url}?{urlencode(query)}" if query else url
