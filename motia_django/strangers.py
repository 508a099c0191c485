"""Messages of Steps that this worker does not know, as in a release: a line each, and none lost."""

from __future__ import annotations

import logging
from typing import Any

from celery.signals import task_unknown
from django.db import connections

from motia_django import ledger
from motia_django.celery_app import task_name
from motia_django.runs import Run

logger = logging.getLogger("motia.tasks")

_CELERYS = "celery.worker.consumer.consumer"


def join_worker(**kwargs: Any) -> None:
    """Say in a worker that is being set up, in Celery's place, what becomes of such a message."""
    logging.getLogger(_CELERYS).addFilter(_is_of_others)
    task_unknown.connect(_heed, dispatch_uid="motia.strangers.heed")


def _is_of_others(record: logging.LogRecord) -> bool:
    """Leave out Celery's error, which has all of the message in it, and a traceback."""
    error = record.args[0] if isinstance(record.args, tuple) and record.args else None
    return not (isinstance(error, KeyError) and _is_ours(error.args[0]))


def _heed(message: Any, name: str, id: str, **kwargs: Any) -> None:
    """Take a light run, which Celery discards with its message, into the ledger; the others are."""
    if not _is_ours(name):
        return
    step = name.removeprefix(task_name(""))
    try:
        _keep(id, message.payload[0])
    except Exception:
        logger.exception("No Step %r here for run %s, which could not be kept", step, id)
    else:
        logger.warning("No Step %r here for run %s: it stays queued", step, id)


def _keep(run_id: str, arguments: Any) -> None:
    if len(arguments) < 2:
        return
    try:
        run = Run.from_message(run_id, arguments[1])
        ledger.take_in(run, "note", "a worker did not know its Step")
    finally:  # processes that the worker forks must not share a connection with it
        connections[ledger.database()].close()


def _is_ours(name: object) -> bool:
    return str(name).startswith(task_name(""))
