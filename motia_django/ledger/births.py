"""How a run enters the ledger: in the caller's transaction, once by a key, or when it is over."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from motia_django import models, payloads
from motia_django.delivery import Delivery
from motia_django.exceptions import DedupeConflict
from motia_django.keys import Keys
from motia_django.ledger import keys, statements, turns
from motia_django.ledger.due import patience
from motia_django.ledger.rows import (
    all_runs,
    database,
    failure_of,
    kept,
    row_of,
    timeline_of,
    tries_of,
    values_of,
)
from motia_django.runs import ANSWERED, Outcome, Run, Settlement, Status, settle
from motia_django.timeline import Entry

_TRIES = 5
"""How often a run may come and go between looking for it and making it."""


def keep(runs: Sequence[Run], *, due: bool = False, note: Entry | None = None) -> None:
    """Insert runs in the caller's transaction: they are there if, and only if, it commits.

    Those that are `due` have not been published, and upkeep is to do it. The `note` is the first
    entry of their timelines.
    """
    if not runs:
        return
    values: dict[str, Any] = {"wake_at": timezone.now(), "publishes": 0} if due else {}
    values |= _noted(note)
    with _as_one(runs):
        statements.insert([values_of(run, input=run.input, **values) for run in runs])
        keys.keep(runs)
        turns.keep(runs)


def keep_or_find(run: Run, note: Entry | None = None) -> UUID:
    """Insert a run unless another one has its dedupe key; return the id of the one there is.

    The constraint decides. Looking first spares the database's log the error, and MariaDB the lock
    on the other run's key that comes with it: two could wait for each other with that. So a key
    whose time is over is taken away in the transaction that inserts: who comes second waits there.
    Raise `DedupeConflict` if the other one is made by a transaction that this one cannot see.
    """
    assert run.dedupe_key is not None
    own = {"unique_until": run.dedupe_until, **_noted(note)}
    for _ in range(_TRIES):
        other = all_runs().filter(unique_key=run.dedupe_key).only("status", "unique_until").first()
        if other is not None and not _has_lapsed(other):
            return other.id
        with transaction.atomic(using=database()) if other else nullcontext():
            if other is not None:
                _take_key(other, run.dedupe_key)
            if _inserted(row_of(run, input=payloads.plain(run.input), **own), run, waits=True):
                return run.id
    raise DedupeConflict(
        f"enqueue: a run of {run.step!r} with this dedupeKey is being made by another transaction,"
        " which this one, by its isolation level, cannot see"
    )


def keep_once(run: Run, key: str, **values: Any) -> bool:
    """Insert a run unless one with the same `key` was ever kept; return whether it was inserted.

    The constraint decides. Looking first only spares the database's log the error.
    """
    digest = hashed(key)
    if all_runs().filter(unique_key=digest).exists():
        return False
    row = row_of(run, input=payloads.plain(run.input), **{**values, "unique_key": digest})
    return _inserted(row, run, waits=not run.status.final)


def take_in(run: Run, kind: str, note: str) -> bool:
    """Insert a light run that did not begin or end, to be claimed; False if it is there already.

    Why it is taken in is an entry of this kind in its timeline.
    """
    return _inserted(
        row_of(
            run,
            status=Status.QUEUED,
            attempt=0,
            wake_at=timezone.now() + patience(0),
            publishes=1,
            input=payloads.plain(run.input),
            timeline=[{"at": None, "kind": kind, "message": note}],
        ),
        run,
    )


def keep_failed(run: Run, outcome: Outcome, delivery: Delivery) -> Settlement | None:
    """Insert a light run whose first attempt failed, or was snoozed; it is like any other then.

    Return None if it is there already: then this was a second delivery.
    """
    settlement = settle(run, outcome, delivery, timezone.now())
    row = row_of(
        run,
        status=settlement.status,
        wake_at=settlement.wake_at,
        input=payloads.plain(run.input),
        **failure_of(run.step, outcome),
        timeline=timeline_of(run, outcome, settlement),
        fence=1,
        **{"started_at": outcome.started_at, **tries_of(run, outcome, settlement)},
    )
    return settlement if _inserted(row, run, given=outcome.keys) else None


def record(run: Run, outcome: Outcome) -> None:
    """Insert a run that is over already: history, not delivery.

    Its input is masked and cut, unless it died and might be redriven.
    """
    whole = outcome.failed and run.trigger not in ANSWERED
    row = row_of(
        run,
        input=payloads.plain(run.input) if whole else kept(run, run.input),
        status=outcome.status,
        output=kept(run, outcome.value),
        **failure_of(run.step, outcome),
        timeline=[*outcome.timeline],
        started_at=outcome.started_at,
        finished_at=outcome.finished_at,
        wake_at=None,
        limited=False,
        unique_key=None,
        attempt=1,
    )
    has_keys = bool(keys.keys_of(run, outcome.keys))
    with transaction.atomic(using=database()) if has_keys else nullcontext():
        row.save(force_insert=True, using=database())
        keys.keep([run], [outcome.keys])


def hashed(key: str) -> str:
    """Return what a key is kept as."""
    return hashlib.sha256(key.encode()).hexdigest()


def _has_lapsed(row: models.Run) -> bool:
    """Return whether a run holds its dedupe key no more: it is finished, and its time is over."""
    is_over = row.unique_until is not None and row.unique_until <= timezone.now()
    return is_over and Status(row.status).final


def _take_key(row: models.Run, key: str) -> None:
    """Take a run's key away if it is as it was read; who is second does nothing."""
    as_read = {"id": row.id, "status": row.status, "unique_until": row.unique_until}
    all_runs().filter(unique_key=key, **as_read).update(unique_key=None)


def _as_one(runs: Sequence[Run]) -> AbstractContextManager[object]:
    """Return what inserts all of these runs or nothing: one statement needs no BEGIN and COMMIT."""
    if len(runs) == 1 and runs[0].turn is None and not keys.keys_of(runs[0]):
        return transaction.mark_for_rollback_on_error(using=database())
    return transaction.atomic(using=database(), savepoint=False)


def _noted(note: Entry | None) -> dict[str, Any]:
    return {"timeline": [note]} if note else {}


def _inserted(row: models.Run, run: Run, *, waits: bool = False, given: Keys = ()) -> bool:
    """Insert a run's row and keys, and its turn if it waits; False if there is one like it."""
    try:
        with transaction.atomic(using=database()):
            row.save(force_insert=True, using=database())
            keys.keep([run], [given])
            turns.keep([run] if waits else [])
    except IntegrityError:
        return False
    return True
