"""What may be done to a run from its page or from the list: to which runs, and by whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.admin.models import CHANGE, LogEntry
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from motia_django import models, operations, repeats
from motia_django.admin import permits, run_forms, traces
from motia_django.admin.run_forms import ReasonForm
from motia_django.ledger.interventions import FINAL, WAITING
from motia_django.operations import Result
from motia_django.registry import registry
from motia_django.runs import ANSWERED, Status

MOST_FOLLOWING = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervention:
    """One thing that may be done to a run."""

    name: str
    """In addresses and forms."""
    label: Promise
    """On buttons."""
    explained: Promise
    """What follows from it."""
    past: Callable[[int], str]
    permission: str
    statuses: tuple[Status, ...]
    """Of many, those to which it can be done."""
    applies: Callable[[models.Run], bool]
    """Whether it can be done to a run at all."""
    act: Callable[..., UUID | None] = operations.redrive
    form: type[ReasonForm] = ReasonForm
    of_many: bool = False
    """Whether the list offers it too."""
    usual: tuple[Status, ...] = ()
    """Those of many that are meant if no status is asked for; empty for all of `statuses`."""
    refusals: Callable[[Iterable[models.Run]], Iterator[Result]] | None = None
    """What says of many why it would be refused, if anything but a status is a reason."""
    at_once: bool = False
    """Whether the page's button does it, without a page that asks, if nothing has to be known."""
    begins: bool = False
    """Whether another run begins: one for each form, however often that is sent."""
    ends: bool = False
    """Whether the run will not run any more."""

    def note(self, row: models.Run) -> str:
        """Return what else there is to know before it is done to a run; mostly nothing."""
        is_ordered = registry().delivery(row.step, row.trigger, row.index, row.source).fifo
        return out_of_order() if self.requeues and is_ordered else ""

    def follows(self, row: models.Run, request: HttpRequest) -> list[models.Run]:
        """Return the first runs that the death of the run it is done to has started already."""
        return list(traces.of_death(row, request)[:MOST_FOLLOWING]) if self.requeues else []

    def hides(self, row: models.Run, request: HttpRequest) -> int:
        """Return how many it has started besides, which this request's user may not see."""
        return traces.hidden_of_death(row, request) if self.requeues else 0

    @property
    def is_of_death(self) -> bool:
        """Whether it answers a death, the one that was looked at."""
        return self.act in operations.OF_DEATHS

    @property
    def requeues(self) -> bool:
        """Whether a run is queued behind what was sent meanwhile: this one, or one like it."""
        return self.act in (operations.redrive, repeats.rerun)

    def allowed(self, request: HttpRequest, step: str | None = None) -> bool:
        """Return whether this request's user may do it; to runs of one Step if it is named."""
        return permits.may(request, self.permission, step)


def offered(row: models.Run, request: HttpRequest) -> list[Intervention]:
    """Return what this request's user may do to a run as it is now."""
    return [each for each in ALL if each.applies(row) and each.allowed(request, row.step)]


def offered_at_once(row: models.Run, request: HttpRequest) -> list[tuple[Intervention, bool]]:
    """Return what is `offered`, each with whether a click does it, without a page that asks."""

    def has_to_be_known(what: Intervention) -> bool:
        return bool(what.note(row) or what.follows(row, request) or what.hides(row, request))

    return [(each, each.at_once and not has_to_be_known(each)) for each in offered(row, request)]


def out_of_order() -> str:
    """Return what is said of runs of fifo groups that are to run later than they were sent."""
    return _(
        "In a fifo group such a run goes to the end: what was sent to its group meanwhile has run"
        " before it, or will."
    )


def who(request: HttpRequest) -> str:
    """Return the user, for timelines."""
    return f"{request.user.get_username()} (admin)"


def log(request: HttpRequest, rows: Iterable[Any], message: str) -> None:
    """Put what was done into the admin's log."""
    LogEntry.objects.log_actions(request.user.pk, list(rows), CHANGE, message)  # type: ignore[arg-type]


def logged(what: object, reason: str) -> str:
    """Return what the admin's log says of something done, for a reason or for none."""
    return f"{what}: {reason}" if reason else str(what)


def _is_dead(row: models.Run) -> bool:
    return row.status == Status.DEAD


def _waits(row: models.Run) -> bool:
    return row.status in WAITING


def _is_repeatable(row: models.Run) -> bool:
    return _is_dead(row) and row.step in registry() and row.trigger not in ANSWERED


def _is_rerunnable(row: models.Run) -> bool:
    return not _is_repeatable(row) and repeats.is_repeatable(row)


def _can_begin(row: models.Run) -> bool:
    return _waits(row) and row.step in registry()


def _is_movable(row: models.Run) -> bool:
    there = registry().takes(row.step, row.trigger, row.index, row.source)
    is_open = _is_dead(row) or (_waits(row) and not there)
    return is_open and row.trigger not in ANSWERED and bool(run_forms.takers(row))


def _redriven(count: int) -> str:
    return ngettext("%d run redriven.", "%d runs redriven.", count) % count


def _retried(count: int) -> str:
    return ngettext("%d run is tried now.", "%d runs are tried now.", count) % count


def _rerun(count: int) -> str:
    return ngettext("%d new run was started.", "%d new runs were started.", count) % count


def _discarded(count: int) -> str:
    return ngettext("%d run discarded.", "%d runs discarded.", count) % count


def _cancelled(count: int) -> str:
    return ngettext("%d run cancelled.", "%d runs cancelled.", count) % count


ALL = (
    Intervention(
        name="retry",
        label=gettext_lazy("Retry now"),
        explained=gettext_lazy(
            "Its message is sent at once: before its time if it waits for that, else once more."
        ),
        past=_retried,
        permission="motia.retry_run",
        statuses=WAITING,
        applies=_can_begin,
        act=repeats.retry,
        of_many=True,
        at_once=True,
    ),
    Intervention(
        name="redrive",
        label=gettext_lazy("Redrive"),
        explained=gettext_lazy(
            "It is queued again as the same run, with its attempts afresh, by today's code."
        ),
        past=_redriven,
        permission="motia.redrive_run",
        statuses=(Status.DEAD,),
        applies=_is_repeatable,
        form=run_forms.RedriveForm,
        of_many=True,
        refusals=operations.refusals,
        at_once=True,
    ),
    Intervention(
        name="edit",
        label=gettext_lazy("Redrive with edited input"),
        explained=gettext_lazy("It is queued again as the same run, with this input instead."),
        past=_redriven,
        permission="motia.redrive_run",
        statuses=(Status.DEAD,),
        applies=_is_repeatable,
        form=run_forms.EditForm,
    ),
    Intervention(
        name="move",
        label=gettext_lazy("Redrive to another Step"),
        explained=gettext_lazy(
            "It is queued again as the same run, as one of the Step that you choose."
        ),
        past=_redriven,
        permission="motia.redrive_run",
        statuses=(Status.DEAD, *WAITING),
        applies=_is_movable,
        form=run_forms.MoveForm,
    ),
    Intervention(
        name="rerun",
        label=gettext_lazy("Run again"),
        explained=gettext_lazy(
            "A new run is made with the same input, by today's code. This one stays as it is."
        ),
        past=_rerun,
        permission="motia.rerun_run",
        statuses=repeats.REPEATED,
        applies=_is_rerunnable,
        act=repeats.rerun,
        form=run_forms.RerunForm,
        of_many=True,
        usual=(Status.SUCCEEDED,),
        refusals=repeats.refusals,
        begins=True,
    ),
    Intervention(
        name="rerun_edited",
        label=gettext_lazy("Run again with edited input"),
        explained=gettext_lazy("A new run is made with this input. This one stays as it is."),
        past=_rerun,
        permission="motia.rerun_run",
        statuses=FINAL,
        applies=_is_rerunnable,
        act=repeats.rerun,
        form=run_forms.RerunEditForm,
        begins=True,
    ),
    Intervention(
        name="discard",
        label=gettext_lazy("Discard"),
        explained=gettext_lazy(
            "It becomes cancelled, and nothing follows. It cannot be redriven after that."
        ),
        past=_discarded,
        permission="motia.discard_run",
        statuses=(Status.DEAD,),
        applies=_is_dead,
        act=operations.discard,
        of_many=True,
        ends=True,
    ),
    Intervention(
        name="cancel",
        label=gettext_lazy("Cancel"),
        explained=gettext_lazy("It will not run, and nothing follows. This is final."),
        past=_cancelled,
        permission="motia.cancel_run",
        statuses=WAITING,
        applies=_waits,
        act=operations.cancel,
        of_many=True,
        ends=True,
    ),
)
BY_NAME = {each.name: each for each in ALL}
