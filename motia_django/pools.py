"""Pools of workers: `prefork` shares what is loaded; `solo` answers at once; `gevent` has no async.

Celery leaves each acknowledgement to kombu's event loop. A solo pool works in that loop's thread,
which may then sleep for up to a second with acknowledgements still on its list: once they are all
that RabbitMQ lets the worker hold, four jobs a second are done (Celery's issue 7718, for one).

Before each fork of a prefork pool Celery collects garbage. Python writes into all that it looks at
for that, and a process that was forked before then has the pages as they were for itself. What is
loaded before the first fork is there once for all; loaded later, it is there in each process.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from celery import bootsteps
from celery.signals import worker_before_create_process, worker_ready
from django.db import connections
from django.utils import timezone
from kombu.utils.imports import symbol_by_name

from motia_django.celery_app import project_app
from motia_django.ledger import database
from motia_django.ledger.due import overdue
from motia_django.registry import registry
from motia_django.runs import Status

logger = logging.getLogger("motia.tasks")

_ANSWERS = frozenset({"ack_log_error", "reject_log_error"})
"""What a message has for its broker to be told what has become of it."""


class PromptAnswers(bootsteps.Step):
    """The part of a worker's consumer that tells the broker at once what became of a message."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def include_if(self, consumer: Any) -> bool:
        """Return whether the worker's jobs run in the thread that speaks with its broker."""
        from celery.concurrency.solo import TaskPool

        return isinstance(consumer.pool, TaskPool)

    def create(self, consumer: Any) -> None:
        """Take the place of what puts answers on the loop's list, by the name it has in Celery."""
        name = "call_soon_ack" if hasattr(consumer, "call_soon_ack") else "call_soon"
        setattr(consumer, name, partial(_answer, getattr(consumer, name)))


def join_worker(sender: Any, **kwargs: Any) -> None:
    """Make this a part of a worker that is being set up."""
    sender.app.steps["consumer"].add(PromptAnswers)
    worker_ready.connect(_warn, dispatch_uid="motia.pools.warn")
    worker_before_create_process.connect(_share, dispatch_uid="motia.pools.share")


def _answer(later: Callable[..., Any], call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Give an answer now; leave to the loop whatever else is to be called (before Celery 5.7)."""
    is_one = getattr(call, "__name__", "") in _ANSWERS
    return call(*args, **kwargs) if is_one else later(call, *args, **kwargs)


def _share(**kwargs: Any) -> None:
    """Before the first fork, load what each process would load, and exempt all from collection."""
    if gc.get_freeze_count():
        return
    for load in (_load_parser, _load_from_celery, _load_from_django):
        with suppress(Exception):  # whoever needs it fails by it as well, and says so
            load()
    gc.collect()
    gc.freeze()


def _load_parser() -> None:
    """Load the parser of C by which billiard has each process end with its parent."""
    from billiard.util import get_pdeathsig  # type: ignore[attr-defined]

    get_pdeathsig()


def _load_from_celery() -> None:
    """Load what runs' messages are read by, and the result backend, as Celery's banner does."""
    app = project_app()
    for task in app.tasks.values():
        symbol_by_name(task.Request)
    app.backend  # noqa: B018


def _load_from_django() -> None:
    """Make what Django keeps for connections and queries at its first ones; ask no database.

    psycopg's adapters are among the one, what leads from a model's fields to others the other.
    """
    connections[database()].get_connection_params()
    overdue(timezone.now(), (Status.RUNNING,))


def _warn(sender: Any, **kwargs: Any) -> None:
    """Tell of async Steps where all runs share one thread, in which only one event loop can run."""
    if not getattr(sender.pool, "is_green", False):
        return
    names = [step.name for step in registry().in_background() if step.is_async]
    if names:
        logger.warning(
            "All runs of this worker share a thread, as gevent and eventlet have it, and asyncio"
            " has one event loop for each thread: runs of async Steps fail here, and others with"
            " them. Send these to the queue of a worker with another pool: %s",
            ", ".join(names),
        )
