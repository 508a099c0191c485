"""What operators do to runs: cancel, redrive, discard, move to another Step; pause a Step.

Each takes the row as its caller saw it and changes it only if nobody else has meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, connections, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from motia_django import models
from motia_django.delivery import Turn
from motia_django.exceptions import CannotIntervene, MotiaError
from motia_django.ledger import births, keys, turns
from motia_django.ledger.rows import LONGEST_SOURCE, all_runs, database, lock_runs, masked_input
from motia_django.runs import ONCE, Run, Status, summary_of
from motia_django.timeline import Entry

logger = logging.getLogger("motia.operations")

PASSING = (OperationalError, InterfaceError)
"""Errors that are not the run's: a deadlock, a database that is away."""
FINAL = tuple(each for each in Status if each.final)
WAITING = (Status.SCHEDULED, Status.QUEUED)


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Raise whatever goes wrong with `what` as `CannotIntervene`, a schema's `KeyError` above all.

    It is logged. Our own errors and `PASSING` ones stay as they are. A transaction that goes on
    is as it was before, and can be used.
    """
    within = connections[database()].in_atomic_block
    try:
        with transaction.atomic(using=database()) if within else nullcontext():
            yield
    except (MotiaError, *PASSING):
        raise
    except Exception as error:
        logger.exception("%s was left as it is", what)
        raise CannotIntervene(summary_of(error)) from error


def changed_meanwhile(run_id: UUID) -> CannotIntervene:
    """Return what is said when somebody else was quicker."""
    return CannotIntervene(_("run %s was changed by somebody else just now") % run_id)


def in_words(status: str) -> str:
    """Return a status in the reader's language: the admin has the texts."""
    return pgettext("status of a run", status)


def lock(run_ids: Sequence[UUID]) -> None:
    """Lock many runs, which the caller is about to change one by one in his transaction."""
    turns.lock_all(run_ids)
    lock_runs(run_ids)


def cancel(row: models.Run, note: Entry) -> Turn | None:
    """Make a run that waits cancelled; return what it no longer holds, None if it was too late."""
    return _ended(row, note, WAITING)


def discard(row: models.Run, note: Entry) -> bool:
    """Make a dead run cancelled: it was looked at, and nothing is to follow."""
    return _ended(row, note, (Status.DEAD,)) is not None


def redrive(row: models.Run, run: Run, note: Entry) -> bool:
    """Queue a dead run again as `run`, its attempts afresh; False if somebody was quicker."""
    return _requeued(row, run, note, (Status.DEAD,))


def move(row: models.Run, run: Run, note: Entry) -> bool:
    """Queue a dead or waiting run as `run`, of another Step; False if somebody was quicker."""
    return _requeued(row, run, note, (Status.DEAD, *WAITING))


def retry(row: models.Run, run: Run, note: Entry) -> bool:
    """Let a run that waits be published now; return False if it was too late."""
    with transaction.atomic(using=database()):
        if row.limited:
            turns.lock(row.id)
        changes = {"status": Status.QUEUED, "publishes": 1, "wake_at": run.wake_at}
        changes |= {"fence": row.fence + 1}  # whoever has read the row just now would lose the note
        if not _changed(row, WAITING, note, **changes):
            return False
        if row.limited:
            turns.recall([row.id])
    return True


def rerun(row: models.Run, run: Run, note: Entry) -> bool:
    """Keep `run`, which repeats a finished one; return False if that has changed meanwhile."""
    with transaction.atomic(using=database()):
        if not _changed(row, FINAL, note):
            return False
        births.keep([run])
    return True


def pause(step: str, *, by: str = "", reason: str = "") -> bool:
    """Let no run of a Step begin from now on; return False if it was paused already."""
    _, new = _pauses().get_or_create(step=step, defaults={"by": by[:255], "reason": reason})
    return new


def resume(step: str, *, seen: str | None = None) -> bool:
    """Let a Step's runs begin again; upkeep publishes those that wait.

    Return False if it was not paused; or if it was paused anew, where `seen` says which pause is
    meant: its `paused_at` in ISO 8601.
    """
    with transaction.atomic(using=database()):
        pauses = _pauses().filter(step=step)
        there = pauses.select_for_update() if seen is not None else ()
        if any(each.paused_at.isoformat() != seen for each in there):
            return False
        was_paused, _ = pauses.delete()
        all_runs().filter(step=step, status=Status.QUEUED).update(
            wake_at=timezone.now(), publishes=0
        )
    return bool(was_paused)


def paused() -> Mapping[str, models.Pause]:
    """Return the pauses in force, by Step."""
    return {each.step: each for each in _pauses()}


def _ended(row: models.Run, note: Entry, statuses: tuple[Status, ...]) -> Turn | None:
    changes: dict[str, Any] = {"status": Status.CANCELLED, "wake_at": None, "fingerprint": None}
    changes |= {"input": masked_input(row)} if row.input is not None else {}
    lets_go = row.trigger not in ONCE and row.unique_until is None
    changes |= {"unique_key": None} if lets_go else {}
    with transaction.atomic(using=database()):
        turn = turns.lock(row.id)
        if not _changed(row, statuses, note, finished_at=timezone.now(), **changes):
            return None
        return turns.free(turn, finished=True) or Turn()


def _requeued(row: models.Run, run: Run, note: Entry, statuses: tuple[Status, ...]) -> bool:
    with transaction.atomic(using=database()):
        turn = turns.lock(row.id)
        changed = _changed(
            row,
            statuses,
            note,
            status=Status.QUEUED,
            fence=row.fence + 1,
            step=run.step,
            trigger=run.trigger,
            index=run.index,
            source=run.source[:LONGEST_SOURCE],
            input=run.input,
            limited=run.turn is not None,
            depth=run.depth,
            attempt=0,
            fingerprint=None,
            publishes=1,
            wake_at=run.wake_at,
            started_at=None,
            finished_at=None,
            tried_since=None,
            woken=None,
        )
        if changed:
            turns.free(turn, finished=True)
            turns.keep([run])
            keys.add(run.id, keys.keys_of(run))
    return changed


def _changed(row: models.Run, statuses: tuple[Status, ...], note: Entry, **changes: Any) -> bool:
    """Change a row that is still as it was seen, and note in its timeline who did.

    The caller is in a transaction. Others may have added notes meanwhile, which are kept.
    """
    found = all_runs().select_for_update().filter(id=row.id).values_list("timeline", flat=True)
    timelines = list(found)
    if not timelines:
        return False
    seen = all_runs().filter(id=row.id, status=row.status, fence=row.fence, step=row.step)
    timeline = [*(timelines[0] or ()), note]
    return bool(seen.filter(status__in=statuses).update(timeline=timeline, **changes))


def _pauses() -> QuerySet[models.Pause]:
    return models.Pause.objects.using(database())
