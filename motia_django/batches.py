"""Batches: what is done to many runs in the background, a second at a time, by any worker."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from motia_django import ledger, models, operations, publish, repeats
from motia_django.exceptions import MotiaError
from motia_django.ledger.interventions import PASSING
from motia_django.ledger.selections import Selection
from motia_django.operations import Result
from motia_django.runs import new_run_id, summary_of

logger = logging.getLogger("motia.batches")

SECONDS = 0.8
"""For how long one round works, so that what upkeep does for others is not held up."""
CHUNK = 25
"""Runs that are done, and counted, in one transaction."""
_READ = 500
_TRIES = 3
"""How often the database may refuse one run until the batch goes on without it."""
_LONGEST_BURST = 2.0
"""Seconds' worth of runs that a batch with a limit may do at once, after a pause."""

DEEDS: Mapping[str, Callable[..., object]] = {
    "redrive": operations.redrive,
    "discard": operations.discard,
    "cancel": operations.cancel,
    "retry": repeats.retry,
    "rerun": repeats.rerun_once,
}


def act(deed: str, selection: Selection, *, by: str, reason: str) -> Callable[[UUID], object]:
    """Return what is done to each of these runs; to dead ones only if nobody was quicker.

    A run that was redriven since it was looked at, and has died of something else, stays as it is.
    """
    do = DEEDS[deed]
    as_of = {"as_of": selection.as_of} if do in operations.OF_DEATHS else {}
    return partial(do, by=by, reason=reason, **as_of)


def begin(deed: str, selection: Selection, **values: Any) -> models.Batch:
    """Have something done to these runs by the workers.

    Runs born from now on are left out, as are those that the selection's own bound leaves out.
    `by` is who asks, `reason` why, `per_second` how many at most, `total` how many there are.
    """
    if deed not in DEEDS:
        raise ValueError(f"batches do {', '.join(DEEDS)}, not {deed!r}")
    newest = new_run_id()
    bound = min(newest, UUID(str(selection.wanted.get("id__lte", newest))))
    return ledger.open_batch(deed, selection.also(id__lte=str(bound)), **values)


def stop(batch_id: int, *, by: str) -> bool:
    """End a batch where it is; return False if it had ended already. What was done stays done."""
    stopped = ledger.stop_batch(batch_id, by)
    if stopped:
        logger.warning("Batch %d was stopped by %s", batch_id, by)
    return stopped


def work_off() -> bool:
    """Work on what batches there are for up to `SECONDS`; return whether there is more at once."""
    deadline = time.monotonic() + SECONDS
    for batch in ledger.waiting_batches():
        if _quota(batch) and ledger.take_batch(batch):
            _work_on(batch, deadline)
        if time.monotonic() >= deadline:
            return True
    return False


def _work_on(batch: models.Batch, deadline: float) -> None:
    """Do a batch, chunk by chunk, until the time is up, its quota is used, or it is done."""
    finished, quota = False, _quota(batch)
    if not _is_readable(batch):
        return  # it stays taken for a while, so that it is in nobody's way
    try:
        while quota > 0 and not finished:
            ids = _next(batch, quota)
            finished = not ids
            quota -= _done(batch, ids, deadline)
            if time.monotonic() >= deadline:
                break
    except _Ended:
        return
    except (*PASSING, MotiaError) as error:
        logger.warning("Batch %d is tried again: %r", batch.id, error)
    ledger.leave_batch(batch, finished=finished)
    if finished:
        text = "Batch %d (%s) is done: %d runs, %d refused"
        logger.info(text, batch.id, batch.deed, batch.done, batch.refused)


def _is_readable(batch: models.Batch) -> bool:
    """Return whether this release can do a batch; one of a newer release, its workers will."""
    try:
        Selection.from_json(batch.selection)
    except ValueError as error:
        logger.warning("Batch %d is left to workers of a newer release: %s", batch.id, error)
        return False
    if batch.deed not in DEEDS:
        text = "Batch %d is left to workers of a newer release: its deed is %r"
        logger.warning(text, batch.id, batch.deed)
        return False
    return True


class _Ended(Exception):
    """The batch was stopped, or given to another worker."""


def _next(batch: models.Batch, quota: float) -> list[UUID]:
    rows = Selection.from_json(batch.selection).rows(batch.cursor)
    return list(rows.values_list("id", flat=True)[: int(min(quota, _READ))])


def _done(batch: models.Batch, ids: list[UUID], deadline: float) -> int:
    """Do it to these runs until the time is up; return how many were looked at."""
    selection, by = Selection.from_json(batch.selection), f"{batch.by}, batch {batch.id}"
    do = act(batch.deed, selection, by=by, reason=batch.reason)
    at = 0
    while at < len(ids) and (not at or time.monotonic() < deadline):
        try:
            at += _counted(batch, _results(ids[at : at + CHUNK], do))
        except PASSING as error:
            logger.info("Batch %d does one run by itself: %r", batch.id, error)
            at += _alone(batch, ids[at], do)
    return at


def _alone(batch: models.Batch, run_id: UUID, do: Callable[[UUID], object]) -> int:
    """Do it to one run; one that the database refuses each time must not hold up the others."""
    refusal = ""
    for _ in range(_TRIES):
        try:
            return _counted(batch, _results([run_id], do))
        except PASSING as error:
            refusal = f"the database refused it: {summary_of(error)}"
    return _counted(batch, [Result(run_id=run_id, refusal=refusal)])


def _counted(batch: models.Batch, results: Iterable[Result]) -> int:
    """Commit what is done to some runs together with their count; return it."""
    with transaction.atomic(using=ledger.database()), publish.together():
        done = list(results)
        refused = Counter(each.reason for each in done if each.refusal)
        accepted = len(done) - refused.total()
        if not ledger.advance_batch(batch, refused, accepted, done[-1].run_id):
            raise _Ended  # and undo what was done: it is not counted
    return len(done)


def _results(run_ids: list[UUID], do: Callable[[UUID], object]) -> Iterator[Result]:
    """Do it to these runs, to fewer if it takes long: the batch must be ours at the end of it."""
    began = time.monotonic()
    ledger.lock(run_ids)
    for run_id in run_ids:
        yield operations.result(run_id, do)
        if time.monotonic() - began > SECONDS:
            return


def _quota(batch: models.Batch) -> float:
    """Return how many runs may be done now."""
    if batch.per_second is None:
        return math.inf
    if batch.worked_at is None:
        return batch.per_second
    passed = (timezone.now() - batch.worked_at).total_seconds()
    return int(batch.per_second * min(max(passed, 0), _LONGEST_BURST))
