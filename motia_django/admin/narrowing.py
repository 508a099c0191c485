"""What the dead letters are narrowed to, a Step or a flow, and in what order they are shown."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.translation import gettext as _

from motia_django import ledger
from motia_django.admin.run_filters import no_such
from motia_django.exceptions import did_you_mean
from motia_django.registry import registry

STEP, FLOW, ORDER = "step", "flow", "order"
ORDERS = ("last", "first", "runs", "step")


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """Which errors are to be shown."""

    step: str
    flow: str
    order: str
    among: list[str] | None
    """The Steps whose errors they are; None means all."""
    flows: list[str]
    """The flows that may be asked for."""
    problems: list[str]
    """What of the address cannot be understood, in sentences."""

    @property
    def is_narrow(self) -> bool:
        """Whether it is less than all that may be seen."""
        return bool(self.step or self.flow)


def asked(request: HttpRequest) -> dict[str, str]:
    """Return the part of an address that the links between the pages of dead letters keep."""
    names = (STEP, FLOW, ORDER)
    return {name: request.GET[name] for name in names if request.GET.get(name)}


def narrowing(request: HttpRequest, seen: list[str] | None) -> Narrowing:
    """Return what is asked for of the Steps that may be `seen`; None means all."""
    given = asked(request)
    step, flow, order = (given.get(name, "") for name in (STEP, FLOW, ORDER))
    flows = {
        name: [each.name for each in steps if seen is None or each.name in seen]
        for name, steps in registry().flows().items()
    }
    known = [name for name, steps in flows.items() if steps]
    problems = [_unknown_step(step, seen)] if step and not _may_be(step, seen) else []
    if flow and flow not in known:
        problems.append(no_such(_("flow"), flow, known))
    among = [] if problems else _among(step, flows[flow] if flow else seen)
    if order and order not in ORDERS:
        problems.append(no_such(_("order"), order, ORDERS))
        order = ""
    return Narrowing(step=step, flow=flow, order=order, among=among, flows=known, problems=problems)


def _among(step: str, others: list[str] | None) -> list[str] | None:
    if not step:
        return others
    return [step] if others is None or step in others else []


def _may_be(step: str, seen: list[str] | None) -> bool:
    """Return whether this is a Step, or once was one, as far as may be seen."""
    if seen is not None:
        return step in seen
    return step in registry() or ("\x00" not in step and ledger.rows(step=step).exists())


def _unknown_step(step: str, seen: list[str] | None) -> str:
    names = [each.name for each in registry()] if seen is None else seen
    text = _("There is no Step named “%s”, nor a run of one.") % step[:200]
    return text + did_you_mean(step, names)
