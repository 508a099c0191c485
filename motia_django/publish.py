"""After commit, hand runs to Celery; whatever the broker does, the ledger has them."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice

from motia_django import broker, hooks, ledger
from motia_django.celery_app import project_app, task_name
from motia_django.conf import settings
from motia_django.delivery import Delivery, Turn
from motia_django.registry import registry
from motia_django.runs import Run

logger = logging.getLogger("motia.publish")

_PAUSE = 5.0
"""Seconds for which requests leave publishing to upkeep, once the broker has failed them."""
_MINUTE = 60.0
"""Seconds for which it is not said again that the broker takes nothing."""
_down_until = 0.0
_say_again_at = 0.0
_local = threading.local()
"""What eager runs have caused and waits meanwhile, and what is collected to go `together`."""


@dataclass(slots=True)
class _Collected:
    """What is to be published together."""

    runs: dict[bool, list[Run]] = field(default_factory=lambda: {True: [], False: []})
    """By whether they are fresh."""
    freed: dict[ledger.Freed, None] = field(default_factory=dict)


def publish_on_commit(runs: Sequence[Run], *, fresh: bool = True) -> None:
    """Publish these runs when the transaction they were kept in commits; at once outside of one.

    Those that were not born just now are not `fresh`: how far a queue has come is read from the
    births of what arrives.
    """
    collected: _Collected | None = getattr(_local, "collected", None)
    if collected is not None:
        collected.runs[fresh] += runs
    elif runs:
        after_commit(lambda: publish(runs, fresh=fresh))


def hand_over(freed: Turn, delivery: Delivery) -> None:
    """Publish, after commit, the runs that may go on with what another one no longer holds."""
    collected: _Collected | None = getattr(_local, "collected", None)
    if not (freed.lane or freed.pool):
        return
    if collected is not None:
        collected.freed[freed, delivery.limit] = None
    else:
        after_commit(lambda: _hand_over([(freed, delivery.limit)]))


@contextmanager
def together() -> Iterator[None]:
    """Have all that is to be published when the caller's transaction commits go in one go.

    What is undone to a savepoint meanwhile is looked at as well, which is in vain, but no harm.
    """
    _local.collected = collected = _Collected()
    try:
        yield
    finally:
        del _local.collected
    for fresh, runs in collected.runs.items():
        publish_on_commit(runs, fresh=fresh)
    if collected.freed:
        after_commit(lambda: _hand_over(list(collected.freed)))


def publish(runs: Sequence[Run], *, insist: bool = False, fresh: bool = True) -> bool:
    """Send each run's message to its Step's task; return whether the broker took them.

    It takes about twice `PUBLISH_TIMEOUT` at most, and nothing is raised: what the broker does not
    take in that time stays queued for upkeep. After a failure further calls do not even try for
    some seconds. Runs that have to wait their turn are left out: whoever frees it hands over to
    them. Upkeep itself does `insist`, and sends once more what was called up and never arrived.
    Where Celery is eager the runs are run here.
    """
    deadline = math.inf if insist else _deadline()
    return _send_or_leave(
        _going(runs, deadline, again=insist), deadline, fresh=fresh and not insist
    )


def is_eager() -> bool:
    """Return whether Celery runs tasks in the calling process: then nothing can wait."""
    return not broker.is_replaced() and bool(project_app().conf.task_always_eager)


def delivery_of(run: Run) -> Delivery:
    """Return how the run is delivered; a Step or trigger that is gone leaves the defaults."""
    return registry().delivery(run.step, run.trigger, run.index, run.source)


def after_commit(work: Callable[[], object]) -> None:
    """Do work when the ledger's transaction commits, at once outside of one, as `hooks` does."""
    hooks.after_commit(work, ledger.database())


def stand_back(run: Run) -> None:
    """Let a run wait that was delivered before its turn; it is called up when that comes."""
    ledger.recall([run.id])
    for turn in ledger.turns_of([run.id]).values():
        hand_over(turn, delivery_of(run))


def _going(runs: Sequence[Run], deadline: float, *, again: bool) -> list[Run]:
    """Return the runs that need not wait their turn, and those whose turn it is.

    Those that were called up before are on their way, and not among them, unless sent `again`.
    """
    limited = [run for run in runs if run.limited]
    going = [run for run in runs if not run.limited]
    if not limited:
        return going
    turns = ledger.turns_of((run.id for run in limited), but_called=again)
    waiting = [run for run in limited if run.id in turns]
    freed = dict.fromkeys((turns[run.id], delivery_of(run).limit) for run in waiting)
    called, late = _called_up(list(freed), deadline)
    ledger.publish_soon(run.id for run in waiting if turns[run.id] in late)
    return going + called + [run for run in limited if run.id not in turns]


def _hand_over(freed: Sequence[ledger.Freed]) -> None:
    deadline = _deadline()
    called, _ = _called_up(freed, deadline)
    _send_or_leave(called, deadline, fresh=False)


def _called_up(freed: Sequence[ledger.Freed], deadline: float) -> tuple[list[Run], set[Turn]]:
    """Call up who may go on, until the deadline; return them, and where nobody was called."""
    called: list[Run] = []
    for at in range(0, len(freed), ledger.AT_ONCE):
        if time.monotonic() > deadline:
            return called, {turn for turn, _ in freed[at:]}
        called += ledger.call_up(freed[at : at + ledger.AT_ONCE])
    return called, set()


def _deadline() -> float:
    """Return until when whoever waits for publishing is kept waiting."""
    return time.monotonic() + 2 * settings().publish_timeout


def _send_or_leave(runs: Sequence[Run], deadline: float, *, fresh: bool) -> bool:
    """Send what the broker takes until the deadline, and leave the rest to upkeep.

    Where there is no deadline it is tried even if the broker has just failed. `fresh` runs were
    just born.
    """
    global _down_until
    if is_eager():
        _run_here(runs)
        return True
    left = deque(runs)
    if left and (deadline == math.inf or _may_be_up()):
        try:
            _send_all(left, deadline, fresh)
            _down_until = 0.0
        except Exception as error:
            _say_that_it_is_down(error)
            _down_until = time.monotonic() + _PAUSE
    if left:
        _leave(left)
    return not left


def _say_that_it_is_down(error: Exception) -> None:
    """Log what the broker has failed with: at once, and then each minute until it is up."""
    global _say_again_at
    now = time.monotonic()
    if not _down_until or now >= _say_again_at:
        _say_again_at = now + _MINUTE
        logger.error("The broker took no message (%r); upkeep will try again", error)


def _may_be_up() -> bool:
    """Return whether the broker has not just failed."""
    return broker.is_replaced() or time.monotonic() >= _down_until


def _leave(runs: Sequence[Run]) -> None:
    """Leave runs to upkeep; light ones enter the ledger for that."""
    ledger.publish_soon(run.id for run in runs if not run.light)
    ledger.keep([run for run in runs if run.light], due=True)


def _send_all(left: deque[Run], deadline: float, fresh: bool) -> None:
    """Send these runs' messages and take them off the list as they are sent; stop at the deadline.

    The first goes alone, and makes a new connection if the one there was is lost. Of those that
    then go together it is not known which have arrived if that fails: all are left, and may be
    delivered twice, as any message may.
    """
    with broker.producer() as producer:
        alone = broker.Sender(producer, fresh=fresh)
        together = broker.Sender(producer, fresh=fresh, in_one_go=True)
        count = 1
        while left and time.monotonic() <= deadline:
            some = list(islice(left, count))
            sender = together if len(some) > 1 else alone
            with broker.in_one_go(producer, len(some)):
                for run in some:
                    _send(run, sender)
            for _ in some:
                left.popleft()
            if left:
                count = broker.most_at_once(producer)


def _run_here(runs: Sequence[Run]) -> None:
    """Run eagerly, one after the other; what a run causes meanwhile waits until it is done."""
    waiting: deque[Run] | None = getattr(_local, "waiting", None)
    if waiting is not None:
        waiting.extend(runs)
        return
    _local.waiting = waiting = deque(runs)
    sender = broker.Sender(None, fresh=True)
    try:
        while waiting:
            _send(waiting.popleft(), sender)
    finally:
        _local.waiting = None


def _send(run: Run, sender: broker.Sender) -> None:
    if task_name(run.step) in project_app().tasks:
        sender.send(run)
    else:
        logger.warning("No Step %r here for run %s: it stays queued", run.step, run.id)
