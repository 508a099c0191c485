"""What has arrived in this worker lately: how far each queue has been worked off.

A broker's queue is first in, first out. So if the message of a run that was born later has arrived,
a run's own was lost; while those of runs that were born earlier arrive, it is still on its way, and
publishing it once more would only make a long queue longer. Only messages count that were sent when
their run was born: retries and the like are out of that order.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any
from uuid import UUID

from motia_django.broker import FRESH
from motia_django.queues import queue_of
from motia_django.runs import Run, birth_of

_REMEMBERED = 64
"""Arrivals of each queue that are looked back upon."""
_arrivals: dict[str, deque[tuple[float, str]]] = {}
"""Of each queue when a message came, and its run's id, which nobody reads unless he is asked."""


def note(request: Any) -> None:
    """Note the message of a run that this worker has received, as Celery's `Request` has it."""
    if request.request_dict.get(FRESH):
        queue = request.delivery_info.get("routing_key") or ""
        arrivals = _arrivals.get(queue)
        if arrivals is None:
            arrivals = _arrivals[queue] = deque(maxlen=_REMEMBERED)
        arrivals.append((time.monotonic(), request.id))


def is_on_its_way(run: Run, within: float) -> bool:
    """Return whether the run's message is still to come, for all that is known here.

    It is if messages of its queue have arrived within so many seconds, all of them of runs that
    were born before it. Without any arrival nothing is known.
    """
    since = time.monotonic() - within
    arrivals = tuple(_arrivals.get(queue_of(run), ()))  # which grow meanwhile, in another thread
    lately = (_read(run_id) for at, run_id in arrivals if at >= since)
    born = [birth_of(run_id) for run_id in lately if run_id is not None]
    return bool(born) and max(born) < birth_of(run.id)


def _read(run_id: Any) -> UUID | None:
    try:
        return UUID(run_id)
    except (ValueError, AttributeError, TypeError):
        return None
