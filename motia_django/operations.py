"""What operators do to runs and Steps: redrive, discard, cancel, pause, resume and prune them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import OperationalError, transaction
from django.utils.translation import gettext as _

from motia_django import ledger, models, publish, tracing
from motia_django.exceptions import CannotIntervene, InvalidRunId, MotiaError
from motia_django.ledger.interventions import changed_meanwhile, in_words, refusing
from motia_django.ledger.rows import masked_input
from motia_django.moments import as_kept
from motia_django.redriving import AS_IT_WAS, redriven
from motia_django.registry import registry
from motia_django.runs import Status, summary_of
from motia_django.timeline import operation

logger = logging.getLogger("motia.operations")

PRUNED_AT_ONCE = 500
COMMITTED_AT_ONCE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one run of many."""

    run_id: UUID
    refusal: str = ""
    """Why it was left as it is; empty if it was not."""

    @property
    def reason(self) -> str:
        """The refusal without the run's own id: the same for all runs that share it."""
        named = self.refusal.replace(_("run %s") % self.run_id, _("this run"))
        return named.replace(str(self.run_id), "…")


def redrive(
    run_id: UUID,
    *,
    by: str,
    reason: str = "",
    input: Any = AS_IT_WAS,
    to: str | None = None,
    insist: bool = False,
    as_of: datetime | None = None,
) -> None:
    """Queue a dead run again, its attempts afresh; with another `input`, or `to` another Step.

    Masks in that `input` are put back, as `given_instead` does. It is the first in a row then, as
    `MAX_DEPTH` counts. A run that waits for a Step that is gone may be redriven `to` another as
    well, and one that waits for a trigger that is gone `to` its own Step: as if the new trigger's
    topic had started it. `by` is who asks, for the run's timeline, `as_of` when he looked: a death
    since then is another one. Raise `CannotIntervene` if it cannot be done, or if its input breaks
    today's schema, unless one does `insist`.
    """
    row = _as_seen(run_id, as_of)
    new = redriven(row, input, to, insist=insist)
    facts: dict[str, Any] = {"attempts": row.attempt}
    facts |= {"input": "edited", "old": masked_input(row)} if new.input != row.input else {}
    is_moved = (new.step, new.source) != (row.step, row.source)
    facts |= {"from": row.step, "to": new.step} if is_moved else {}
    facts |= {"source": row.source} if new.source != row.source else {}
    note = operation("moved" if is_moved else "redriven", by, reason, **facts)
    if not (ledger.move if to else ledger.redrive)(row, new, note):
        raise changed_meanwhile(run_id)
    logger.debug("Run %s of %s was redriven by %s", run_id, new.step, by)
    publish.publish_on_commit([new], fresh=False)


def refusal(
    run_id: UUID, *, input: Any = AS_IT_WAS, to: str | None = None, insist: bool = False
) -> str:
    """Return why a run cannot be redriven so; an empty text if it can."""
    try:
        with refusing(f"Run {run_id}"):
            redriven(row_of(run_id), input, to, insist=insist)
    except MotiaError as error:
        return str(error)
    return ""


def refusals(rows: Iterable[models.Run]) -> Iterator[Result]:
    """Return for each of these rows why it cannot be redriven as it is, if it cannot.

    They may come without their output, error and timeline.
    """
    return checked(rows, lambda row: redriven(row, AS_IT_WAS, None, insist=False))


def checked(
    rows: Iterable[models.Run], attempt: Callable[[models.Run], object]
) -> Iterator[Result]:
    """Yield for each of these rows why an attempt with it fails, if it does."""
    for row in rows:
        try:
            attempt(row)
        except CannotIntervene as error:
            yield Result(run_id=row.id, refusal=str(error))
        except Exception as error:  # a schema that asks what is not there: the others go on
            yield Result(run_id=row.id, refusal=summary_of(error))
        else:
            yield Result(run_id=row.id)


def discard(run_id: UUID, *, by: str, reason: str = "", as_of: datetime | None = None) -> None:
    """Make a dead run cancelled: somebody looked at it, and nothing is to follow.

    Raise `CannotIntervene` if it is not dead, or has died since he looked, which was `as_of`.
    """
    row = _as_seen(run_id, as_of)
    if not ledger.discard(row, operation("discarded", by, reason)):
        text = _("run %(id)s is %(status)s: only dead runs are discarded")
        raise CannotIntervene(text % {"id": run_id, "status": in_words(row.status)})
    logger.debug("Run %s of %s was discarded by %s", run_id, row.step, by)


OF_DEATHS = (redrive, discard)
"""What answers a death, the one that was looked at: these take `as_of`."""


def lay_aside(run_id: UUID | str, reason: str = "") -> bool:
    """Lay a dead run aside from code, as `discard` does for people: what is to be done is done.

    Return False if it is not dead, or not any more. It is done when your transaction commits, and
    the run's timeline names the run that goes on here. Raise `InvalidRunId`.
    """
    scope, cause = tracing.current(), tracing.cause()
    who = scope.step if scope else "code"
    try:
        discard(
            id_of(run_id, "discard"),
            by=f"{who}, run {cause.run_id}" if cause and cause.run_id else who,
            reason=reason,
        )
    except CannotIntervene:
        return False
    return True


def id_of(run_id: UUID | str, asker: str) -> UUID:
    """Return a run's id that code gives to the function `asker`; raise `InvalidRunId`."""
    try:
        return run_id if isinstance(run_id, UUID) else UUID(run_id)
    except (ValueError, TypeError, AttributeError) as error:
        text = f"{asker}: expected a run's id, such as ctx.run_id, got {run_id!r:.100}"
        raise InvalidRunId(text) from error


def cancel(run_id: UUID, *, by: str, reason: str = "") -> None:
    """Make a run that waits, queued or scheduled, cancelled; raise `CannotIntervene` if none is."""
    row, note = row_of(run_id), operation("cancelled", by, reason)
    freed = ledger.cancel(row, note)
    if freed is None:  # if it was scheduled, it may have been queued just now
        row = row_of(run_id)
        freed = ledger.cancel(row, note)
    if freed is None:
        text = _("run %(id)s is %(status)s: only runs that are queued or scheduled are cancelled")
        raise CannotIntervene(text % {"id": run_id, "status": in_words(row.status)})
    logger.debug("Run %s of %s was cancelled by %s", run_id, row.step, by)
    publish.hand_over(freed, registry().delivery(row.step, row.trigger, row.index, row.source))


def many(run_ids: Iterable[UUID], act: Callable[[UUID], object]) -> Iterator[Result]:
    """Do something to many runs, whatever becomes of the others; yield what became of each.

    Some are committed together, since it is the commits that take time; what goes wrong with one,
    but for a database that is away, is its refusal.
    """
    ids = iter(run_ids)
    while some := list(islice(ids, COMMITTED_AT_ONCE)):
        try:
            with transaction.atomic(using=ledger.database()), publish.together():
                ledger.lock(some)
                results: Iterable[Result] = [result(run_id, act) for run_id in some]
        except OperationalError:  # somebody waits for one of them, and this for him: one by one
            results = (result(run_id, act) for run_id in some)
        yield from results


def result(run_id: UUID, act: Callable[[UUID], object]) -> Result:
    """Do something to one run; whatever is wrong with it, others can have their turn."""
    try:
        with refusing(f"Run {run_id}"):
            act(run_id)
    except MotiaError as error:
        return Result(run_id=run_id, refusal=str(error))
    return Result(run_id=run_id)


def pause(step: str, *, by: str, reason: str = "") -> bool:
    """Let no queued run of a Step begin until it is resumed; return False if it was paused already.

    Its runs wait, its cron ticks are skipped; what runs goes on, and its http triggers answer as
    ever. Raise `UnknownStep`.
    """
    registry().step(step)
    new = ledger.pause(step, by=by, reason=reason)
    if new:
        logger.warning("Step %s was paused by %s", step, by)
    return new


def resume(step: str, *, by: str, seen: str | None = None) -> bool:
    """Let a paused Step go on; return False if it was not paused.

    With `seen`, since when it was as `by` has seen it, in ISO 8601, also if it was paused anew.
    """
    was_paused = ledger.resume(step, seen=seen)
    if was_paused:
        logger.warning("Step %s was resumed by %s", step, by)
    return was_paused


def prune(status: Status, days: float) -> Iterator[int]:
    """Delete runs that finished more than `days` ago with this status, in small batches.

    Yield how many each batch deleted. Raise `ValueError` for a status that is not final.
    """
    _check_final(status)
    while count := ledger.prune(status, days, limit=PRUNED_AT_ONCE):
        yield count


def prunable(status: Status, days: float) -> int:
    """Return how many runs `prune` would delete now; raise `ValueError` as it does."""
    _check_final(status)
    return ledger.prunable(status, days).order_by().count()


def erase(run_ids: Sequence[UUID]) -> Iterator[int]:
    """Delete those of these runs that are finished, whenever that was, in small batches.

    Yield how many each batch deleted.
    """
    for start in range(0, len(run_ids), PRUNED_AT_ONCE):
        yield ledger.erase(run_ids[start : start + PRUNED_AT_ONCE])


def row_of(run_id: UUID) -> models.Run:
    """Return a run's row as it is where it is written; raise `CannotIntervene` without one."""
    row = ledger.rows(id=run_id).using(ledger.database()).first()
    if row is None:
        raise CannotIntervene(_("run %s is not there") % run_id)
    return row


def _as_seen(run_id: UUID, as_of: datetime | None) -> models.Run:
    """Return a run's row; raise `CannotIntervene` if it has died since somebody looked at it."""
    row = row_of(run_id)
    died_at = row.finished_at if row.status == Status.DEAD else None
    if as_of and died_at and died_at > as_kept(as_of):
        raise CannotIntervene(_("run %s has died again since it was looked at") % run_id)
    return row


def _check_final(status: Status) -> None:
    if not status.final:
        raise ValueError(f"runs that are {status} are not finished, so they are not pruned")
