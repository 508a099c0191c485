"""Between a run and its row: what is written, what is read, what is masked on the way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db import (
    IntegrityError,
    InterfaceError,
    OperationalError,
    connections,
    router,
    transaction,
)
from django.db.models import Model, QuerySet

from motia_django import models, payloads, timeline
from motia_django.conf import settings
from motia_django.fingerprints import fingerprint
from motia_django.registry import registry
from motia_django.runs import ONCE, Outcome, Run, Settlement, Status, traceback_of
from motia_django.timeline import Entry

LONGEST_SOURCE: int = models.Run._meta.get_field("source").max_length or 0
LARGE = ("input", "output", "error", "timeline")
"""The columns that need not be read to publish a run."""
_READ_ONLY = "25006"
"""PostgreSQL's read_only_sql_transaction, an error that Django counts among the internal ones."""


def database() -> str:
    """Return the alias of the database that runs are written to."""
    return router.db_for_write(models.Run)


def is_away(error: Exception) -> bool:
    """Return whether the database failed since it is not there, or not there to be written.

    After a failover a connection may lead to what is a replica by then; another leads elsewhere.
    """
    names = (getattr(error.__cause__, name, None) for name in ("sqlstate", "pgcode"))
    return isinstance(error, OperationalError | InterfaceError) or _READ_ONLY in names


def all_runs() -> QuerySet[models.Run]:
    """Return the table of runs as it is where it is written: a replica may lag behind."""
    return models.Run.objects.using(database())


def inserted(row: Model) -> bool:
    """Insert a row of one of our tables; return False if a unique column of it is taken."""
    try:
        with transaction.atomic(using=database()):
            row.save(force_insert=True, using=database())
    except IntegrityError:
        return False
    return True


def row_of(run: Run, **values: Any) -> models.Run:
    """Return the row of a run that is not in the ledger yet."""
    return models.Run(**values_of(run, **values))


def values_of(run: Run, **values: Any) -> dict[str, Any]:
    """Return what the row of a run that is not in the ledger yet says, by column.

    What is not given is empty, or zero: what attempts leave behind.
    """
    return {
        "id": run.id,
        "step": run.step,
        "trigger": run.trigger,
        "index": run.index,
        "source": run.source[:LONGEST_SOURCE],
        "status": run.status,
        "attempt": run.attempt,
        "trace_id": run.trace_id,
        "parent_id": run.parent_id,
        "parent_span": run.parent_span,
        "depth": run.depth,
        "message_group": run.message_group,
        "limited": run.turn is not None,
        "unique_key": run.dedupe_key,
        "created_at": run.created_at,
        "wake_at": run.wake_at,
        "timeline": [*run.timeline],
        "publishes": 1 if run.status is Status.QUEUED else 0,
        **values,
    }


def run_of(row: models.Run) -> Run:
    """Return the run that a row tells of; what was not read is left empty."""
    deferred = row.get_deferred_fields()
    return Run(
        id=row.id,
        step=row.step,
        trigger=row.trigger,
        index=row.index,
        source=row.source,
        input=None if "input" in deferred else row.input,
        trace_id=row.trace_id,
        parent_id=row.parent_id,
        parent_span=row.parent_span,
        depth=row.depth,
        status=Status(row.status),
        attempt=row.attempt,
        fence=row.fence,
        message_group=row.message_group,
        limited=row.limited,
        dedupe_key=dedupe_key_of(row.trigger, row.unique_key),
        dedupe_until=row.unique_until,
        created_at=row.created_at,
        wake_at=row.wake_at,
        started_at=row.started_at,
        tried_since=row.tried_since,
        publishes=row.publishes if row.status == Status.QUEUED else 0,
        timeline=() if "timeline" in deferred else tuple(row.timeline or ()),
    )


def dedupe_key_of(trigger: str, unique_key: str | None) -> str | None:
    """Return a row's key if a run has it while it is unfinished, and not for ever."""
    return None if trigger in ONCE else unique_key


def failure_of(step: str, outcome: Outcome) -> dict[str, Any]:
    """Return what a row keeps of an attempt's error; nothing if it did not fail."""
    if outcome.error is None or outcome.status is not Status.DEAD:
        return {"error": "", "fingerprint": None}
    return {
        "error": traceback_of(outcome.error),
        "fingerprint": fingerprint(step, outcome.error, registry().masks(step)),
    }


def tries_of(run: Run, outcome: Outcome, settlement: Settlement) -> dict[str, Any]:
    """Return what a row keeps of when it was tried; one that was snoozed counts as not tried."""
    if settlement.status.final:
        return {"finished_at": outcome.finished_at}
    since = {"tried_since": run.tried_since or outcome.started_at}
    if outcome.snoozed:
        return {**since, "attempt": run.attempt - 1, "started_at": None, "finished_at": None}
    return {**since, "finished_at": outcome.finished_at}


def timeline_of(run: Run, outcome: Outcome, settlement: Settlement) -> list[Entry]:
    """Return a run's timeline with that of an attempt, and when that was if it failed.

    Of one that succeeded the row itself says when; of one that was snoozed also until when it is.
    """
    later, began, ended = outcome.timeline, outcome.started_at, outcome.finished_at
    earlier = timeline.gone_on(run.timeline, began)
    if outcome.snoozed and settlement.wake_at:
        note = timeline.snooze(began, ended, settlement.wake_at, str(outcome.error))
        return timeline.snoozed(earlier, run.attempt, later, note)
    if outcome.failed:
        later = (*later, timeline.tried(began, ended, outcome.summary))
    return timeline.joined(earlier, run.attempt, later)


def masked(step: str, value: Any) -> Any:
    """Return a payload of a Step's run without its secrets, by the Step's own word on them."""
    return payloads.masked(value, registry().masks(step))


def masked_input(run: Run | models.Run) -> Any:
    """Return a run's input without its secrets."""
    return masked(run.step, without_credentials(run, run.input))


def shown_input(row: models.Run, value: Any) -> Any:
    """Return what is, or was, the input of a run as people see it, without its secrets.

    Of a change of state or of a stream, the values may be secrets by the name of their item.
    """
    given = without_credentials(row, value)
    whole = dict(given) if isinstance(given, dict) else {}
    for name in ("oldValue", "newValue"):
        if name in whole and "itemId" in whole:
            whole[name] = _masked_as(row.step, whole["itemId"], whole[name])
    event = whole.get("event")
    if "streamName" in whole and isinstance(event, dict) and "data" in event:
        whole["event"] = {**event, "data": _masked_as(row.step, whole.get("id"), event["data"])}
    return masked(row.step, whole or given)


def without_credentials(run: Run | models.Run, value: Any) -> Any:
    """Return a run's payload; of a request, or its answer, with headers masked by the setting.

    Who somebody is, and what he proves it by, is nothing that a Step's own word is about.
    """
    headers = value.get("headers") if isinstance(value, dict) else None
    if run.trigger != "http" or not isinstance(headers, dict):
        return value
    return {**value, "headers": payloads.masked(headers, settings().redact)}


def kept(run: Run, value: Any) -> Any:
    """Return a payload as the history keeps it: masked, and cut if it is large."""
    if value is None:
        return None
    shown = without_credentials(run, payloads.presentable(value))
    return payloads.cut(masked(run.step, shown), settings().max_payload)


def locked(rows: QuerySet[models.Run]) -> QuerySet[models.Run]:
    """Return these rows for update, without those that somebody else has locked."""
    if connections[database()].features.has_select_for_update_skip_locked:
        return rows.select_for_update(skip_locked=True)
    return rows


def united(questions: Iterable[tuple[str, Iterable[Any]]]) -> tuple[str, list[Any]]:
    """Return the one statement, with its values, that answers all of these for the same columns.

    Each may have a limit and an order of its own.
    """
    parts: list[str] = []
    values: list[Any] = []
    for sql, own in questions:
        parts.append(f"SELECT * FROM ({sql}) AS part{len(parts)}")
        values += own
    return " UNION ALL ".join(parts), values


def lock_runs(run_ids: Sequence[UUID]) -> None:
    """Lock many runs in the order of their ids: else two who do so could wait for each other."""
    found = all_runs().filter(id__in=run_ids).order_by("id")
    list(found.select_for_update().values_list("id"))


def _masked_as(step: str, name: object, value: Any) -> Any:
    return masked(step, {str(name): value})[str(name)]
