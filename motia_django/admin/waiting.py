"""Why a run waits: for its time, its turn, its Step, or just a worker."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from motia_django import consumers, ledger, models
from motia_django.admin import permits, words
from motia_django.admin.links import Links
from motia_django.ledger import pulse
from motia_django.queues import queue_at
from motia_django.registry import registry
from motia_django.runs import Status

MOST_HOLDERS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason why a run waits, with what to look at."""

    text: str
    links: list[tuple[str, str]]
    """Names and addresses; an address is empty if the user may not go there."""


def reasons(row: models.Run, links: Links) -> list[Reason]:
    """Return why a run waits, all reasons there are; none if it does not wait."""
    if row.status == Status.SCHEDULED:
        return [*_gone(row), *_paused(row), _due(row)]
    if row.status != Status.QUEUED:
        return []
    found = [*_gone(row), *_paused(row), *_in_turn(row, links)]
    return found or [_worker(row)]


def _gone(row: models.Run) -> list[Reason]:
    if registry().takes(row.step, row.trigger, row.index, row.source):
        return []
    if row.step in registry():
        text = _(
            "This process does not know the trigger %s of its Step: it is gone, or newer than this"
            " process. The run is kept; it goes on with a worker that knows the trigger, or when it"
            " is redriven to the Step that takes it now."
        )
        return [Reason(text=text % f"{row.trigger} {row.source}", links=[])]
    text = _(
        "This process does not know the Step %s: it is gone, or newer than this process. The run is"
        " kept; it goes on with a worker that knows the Step, or when it is redriven to another."
    )
    return [Reason(text=text % row.step, links=[])]


def _paused(row: models.Run) -> list[Reason]:
    pause = ledger.paused().get(row.step)
    if pause is None:
        return []
    return [Reason(text=told(pause), links=[])]


def told(pause: models.Pause) -> str:
    """Return since when, by whom and why a Step is paused."""
    text = _("Its Step is paused since %s") % words.moment(pause.paused_at)
    by = _(" by %s") % pause.by if pause.by else ""
    return f"{text}{by}: {pause.reason}" if pause.reason else f"{text}{by}."


def _due(row: models.Run) -> Reason:
    when = words.moment_with_zone(row.wake_at)
    if is_snoozed(row):
        return Reason(text=_snoozed(row, when), links=[])
    if row.attempt:
        text = _("Attempt %(number)d begins after the backoff, at %(when)s.")
        return Reason(text=text % {"number": row.attempt + 1, "when": when}, links=[])
    return Reason(text=_("It is scheduled for %s.") % when, links=[])


def _snoozed(row: models.Run, when: str) -> str:
    """Return until when a run is snoozed, and why, as its handler has said it."""
    entries = (each for each in reversed(row.timeline) if isinstance(each, dict))
    last = next((each for each in entries if each.get("kind") == "snoozed"), {})
    reason = words.shortened(str(last.get("reason") or ""))
    text = _("It was snoozed, and goes on at %s") % when
    text = f"{text}: {reason}" if reason else f"{text}."
    limit = registry().delivery(row.step, row.trigger, row.index, row.source).retry_for
    if limit is None or row.tried_since is None:
        return text
    ends = words.moment_with_zone(row.tried_since + timedelta(seconds=limit))
    end = _("Snoozed after %s, when its retryFor ends, it would be dead.") % ends
    return f"{text}{'' if text.endswith('.') else '.'} {end}"


def is_snoozed(row: models.Run) -> bool:
    """Return whether a run waits since its last attempt asked to go on later, and did not fail."""
    is_scheduled = row.status == Status.SCHEDULED
    return is_scheduled and row.tried_since is not None and row.started_at is None


def _worker(row: models.Run) -> Reason:
    queue = queue_at(row.step, row.trigger, row.index, row.source)
    known = consumers.consumed(pulse.live_workers())
    text = _("It waits for a worker.")
    if queue:
        text = _("It waits for a worker of the queue %s.") % queue
    if queue and known is not None and queue not in known:
        text = _("It waits for a worker of the queue %s; no worker consumes it.") % queue
    sent = ngettext(
        "Its message was sent %d time.", "Its message was sent %d times.", row.publishes
    )
    return Reason(text=f"{text} {sent % row.publishes}", links=[])


def _in_turn(row: models.Run, links: Links) -> list[Reason]:
    turn = _turns().filter(run_id=row.id).first()
    if turn is None or turn.called:
        return []
    return [*_behind(row, turn, links), *_without_slot(row, turn, links)]


def _behind(row: models.Run, turn: models.Turn, links: Links) -> list[Reason]:
    """Return which run of its lane goes before it."""
    if turn.lane is None or turn.holds is not None:
        return []
    others = _turns().filter(lane=turn.lane).exclude(id=turn.id)
    first = others.filter(holds=turn.lane).first() or others.filter(id__lt=turn.id).first()
    if first is None:
        return []
    text = _("It waits its turn: another run without a message group is before it.")
    if row.message_group:
        text = _("It waits its turn: another run of its message group, %s, is before it.")
        text %= row.shown_group
    return [Reason(text=text, links=_named([first], links))]


def _without_slot(row: models.Run, turn: models.Turn, links: Links) -> list[Reason]:
    """Return which runs have all the places that its Step's `concurrency` allows."""
    limit = registry().delivery(row.step, row.trigger, row.index).limit
    if turn.pool is None or limit is None:
        return []
    others = _turns().filter(pool=turn.pool, called=True)
    if others.count() < limit:
        return []
    text = ngettext(
        "It waits its turn: %d run at once is allowed, and another is before it.",
        "It waits its turn: %d runs at once are allowed, and as many are before it.",
        limit,
    )
    return [Reason(text=text % limit, links=_named(others[:MOST_HOLDERS], links))]


def _named(turns: Iterable[models.Turn], links: Links) -> list[tuple[str, str]]:
    """Return the runs of turns: with their Steps, as far as the user may see those."""
    ids = [turn.run_id for turn in turns]
    rows = permits.narrowed(ledger.rows(id__in=ids), links.request)
    steps = dict(rows.values_list("id", "step"))
    return [(_run(each, steps.get(each)), links.run(each)) for each in ids]


def _run(run_id: UUID, step: str | None) -> str:
    text = _("run %s") % run_id
    return f"{step}, {text}" if step else text


def _turns() -> QuerySet[models.Turn]:
    return models.Turn.objects.using(ledger.database()).order_by("id")
