"""What one run's page shows, besides the run's own columns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from motia_django import ledger, models
from motia_django.admin import copies, permits, timelines, traces, waiting, words
from motia_django.admin.attempts import FAILED, SNOOZED, Attempt, attempts_of, redrives
from motia_django.admin.interventions import offered_at_once
from motia_django.admin.links import Links
from motia_django.registry import registry
from motia_django.runs import Status

Pairs = list[tuple[str, str]]
MOST_CAUSED = 10


def context(row: models.Run, links: Links, request: HttpRequest) -> dict[str, Any]:
    """Return the page's context."""
    lines = timelines.lines(row, row.timeline, links)
    attempts = attempts_of(row, row.timeline)
    waits = waiting.reasons(row, links)
    return {
        "run": row,
        "status": words.badge(row.status),
        "kind": words.kind(row.trigger),
        "is_final": Status(row.status).final,
        "is_gone": row.step not in registry(),
        "waits": waits,
        "is_behind": any(each.links for each in waits),
        "offered": offered_at_once(row, request),
        "step_url": links.step(row.step),
        "runs_url": links.runs_before(),
        "origin": links.origin,
        "trace_url": links.runs(q=row.trace_id),
        "cause": _cause(row, links),
        "caused": _caused(row, links),
        "keys": _keys(row, links),
        "lead": lead(row, attempts),
        "times": times(row, attempts),
        "trace": traces.trace_of(row, links),
        "problem": words.error_line(row.error),
        "problem_of": _earlier(row, attempts),
        "traceback": words.traceback(row.error),
        "error_url": _error_url(row, links),
        "attempts": _told(attempts, timelines.lines(row, redrives(row.timeline), links)),
        "input": None if row.input is None else words.document(words.masked_input(row)),
        "output": None if row.output is None else words.document(words.masked_output(row)),
        "timeline": lines,
        "has_attempts": any(line.attempt not in (None, 1) for line in lines),
        "copies": copies.of_run(row, request),
    }


def _error_url(row: models.Run, links: Links) -> str:
    """Return the address of the error that a dead run died of, as others may have; or nothing."""
    is_dead = row.status == Status.DEAD
    return links.dead_letter(row.fingerprint) if is_dead and row.fingerprint else ""


def lead(row: models.Run, attempts: Sequence[Attempt]) -> list[str]:
    """Return what is to be known first, in a few words each."""
    told = [
        _("born %s ago") % words.duration(timezone.now() - row.created_at),
        _("waited %s") % words.duration(waited(row, attempts)),
    ]
    worked, count = work(row, attempts)
    if count:
        text = ngettext("worked %(length)s", "worked %(length)s in %(count)d attempts", count)
        if times_snoozed(attempts):
            text = ngettext("worked %(length)s", "worked %(length)s in %(count)d calls", count)
        told.append(text % {"length": words.duration(worked), "count": count})
    told += _snoozed(attempts)
    told += _lost(attempts)
    if row.status == Status.RUNNING:
        told.append(_("it cannot be stopped from here, only its worker can"))
    return told


def times(row: models.Run, attempts: Sequence[Attempt]) -> Pairs:
    """Return the moments of a run's life and the time between them."""
    worked, count = work(row, attempts)
    ended = row.finished_at if row.status != Status.RUNNING else None
    again = _("Last call began") if times_snoozed(attempts) else _("Last attempt began")
    is_again = row.attempt > 1 or times_snoozed(attempts)
    pairs = [
        (_("Created"), words.moment_with_zone(row.created_at)),
        (_("Started"), _moment(row.tried_since or row.started_at)),
        (again, _moment(row.started_at) if is_again else ""),
        (_("Finished") if Status(row.status).final else _("Last attempt ended"), _moment(ended)),
        (_next_look(row), _moment(row.wake_at)),
        (_("Waited"), words.duration(waited(row, attempts))),
        (_("Worked"), words.duration(worked if count else None)),
    ]
    return [(name, value) for name, value in pairs if value]


def waited(row: models.Run, attempts: Sequence[Attempt]) -> timedelta:
    """Return the time from the run's birth to its first attempt, or to now if there was none."""
    began = [each.began for each in attempts if each.began]
    return (began[0] if began else row.finished_at or timezone.now()) - row.created_at


def work(row: models.Run, attempts: Sequence[Attempt]) -> tuple[timedelta, int]:
    """Return how long the run's attempts took, and how many it is known of.

    It is not known of one that was lost with its worker, nor of the last of a run that was
    cancelled.
    """
    now = timezone.now()
    known = [
        (each.began, each.ended or now) for each in attempts if each.began and not each.is_lost
    ]
    if row.status == Status.CANCELLED:
        known = [(began, ended) for began, ended in known if ended > began]
    besides = sum((each.besides_worked for each in attempts), timedelta())
    count = len(known) + sum(each.besides for each in attempts)
    return sum((ended - began for began, ended in known), besides), count


def times_snoozed(attempts: Sequence[Attempt]) -> int:
    """Return how often the run was snoozed, as far as it is known."""
    return sum(1 + each.besides for each in attempts if each.became == SNOOZED)


def _snoozed(attempts: Sequence[Attempt]) -> list[str]:
    count = times_snoozed(attempts)
    told = ngettext("was snoozed once", "was snoozed %(count)d times", count)
    return [told % {"count": count}] if count else []


def _lost(attempts: Sequence[Attempt]) -> list[str]:
    """Return how often the run lost its worker, and how long it took to notice that."""
    took = [
        each.ended - each.began for each in attempts if each.is_lost and each.began and each.ended
    ]
    if not took:
        return []
    text = ngettext(
        "lost its worker, which was noticed after %(length)s",
        "lost its worker %(count)d times, which was noticed after %(length)s in all",
        len(took),
    )
    length = words.duration(sum(took, timedelta()))
    return [text % {"length": length, "count": len(took)}]


def _moment(value: Any) -> str:
    return words.moment_with_zone(value) if value else ""


def _next_look(row: models.Run) -> str:
    """Return what `wake_at` means for a run of this status."""
    meanings = {
        Status.SCHEDULED: _("Due"),
        Status.QUEUED: _("Published again, unless taken, at"),
        Status.RUNNING: _("Held by its worker until"),
    }
    return meanings.get(Status(row.status), "")


def _cause(row: models.Run, links: Links) -> dict[str, Any] | None:
    """Return the run that caused this one; without a name if it is gone, or not to be seen.

    Which of both is not told to whom the hook keeps something from.
    """
    if row.parent_id is None:
        return None
    rows = permits.narrowed(ledger.rows(id=row.parent_id), links.request)
    parent = rows.only("id", "step").first()
    return {
        "id": str(row.parent_id),
        "step": parent.step if parent else "",
        "url": links.run(row.parent_id) if parent else "",
        "may_be_hidden": parent is None and permits.visible(links.request) is not None,
    }


def _caused(row: models.Run, links: Links) -> dict[str, Any]:
    """Return the first runs that this one caused: name, address and status of each."""
    found = list(traces.caused_by(row, links, MOST_CAUSED + 1))
    shown = [(run.step, links.run(run.id), words.badge(run.status)) for run in found[:MOST_CAUSED]]
    return {"runs": shown, "is_cut": len(found) > MOST_CAUSED}


def _keys(row: models.Run, links: Links) -> Pairs:
    """Return the index keys that it is found by, each with the address of all runs that have it."""
    keys = models.RunKey.objects.filter(run_id=row.id).order_by("name", "id")
    return [(words.spelled(str(each)), links.runs(q=str(each))) for each in keys]


def _earlier(row: models.Run, attempts: Sequence[Attempt]) -> str:
    """Return whose error a run still has that goes on after a redrive, or runs; else nothing."""
    failed = [each for each in attempts if each.became == FAILED]
    if not row.error or Status(row.status).final or not failed:
        return ""
    last = failed[-1]
    if last.turn < len(redrives(row.timeline)):
        return _("The error of attempt %d, before the redrive:") % last.number
    is_running = row.status == Status.RUNNING
    return _("The error of attempt %d:") % last.number if is_running else ""


def _told(found: Sequence[Attempt], redriven: Sequence[timelines.Line]) -> list[dict[str, Any]]:
    """Return the attempts, unless there was one and it went well, and redrives between."""
    is_plain = len(found) == 1 and found[0].became not in (FAILED, SNOOZED)
    if not found or (is_plain and not redriven):
        return []
    rows: list[dict[str, Any]] = []
    turn = 0
    for each in found:
        rows += [{"redriven": line} for line in redriven[turn : each.turn]]
        rows.append(_attempt(each))
        turn = each.turn
    return [*rows, *({"redriven": line} for line in redriven[turn:])]


def _attempt(one: Attempt) -> dict[str, Any]:
    return {
        "number": one.number,
        "status": _became(one),
        "began": words.moment(one.began),
        "took": words.duration(one.ended - one.began if one.began and one.ended else None),
        "error": words.in_a_line(one.error),
        "is_snoozed": one.became == SNOOZED,
        "traceback": words.traceback(one.traceback),
    }


def _became(attempt: Attempt) -> SafeString:
    if attempt.became == SNOOZED:
        return words.badge(Status.SCHEDULED, _("snoozed"))
    if attempt.became != FAILED:
        return words.badge(attempt.became)
    return format_html('<span class="motia-status motia-dead">{}</span>', _("failed"))
