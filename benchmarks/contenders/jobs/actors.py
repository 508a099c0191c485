"""The job as an actor of Dramatiq's."""

from __future__ import annotations

import os
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.contenders.jobs import marks

_broker: Any = RedisBroker
dramatiq.set_broker(_broker(url=os.environ["JOBS_BROKER"]))


@dramatiq.actor
def job(sent: float) -> None:
    """Note the call."""
    marks.note(sent)
