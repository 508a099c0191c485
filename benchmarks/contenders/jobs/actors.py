"""The job as an actor of Dramatiq's."""

from __future__ import annotations

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.contenders.jobs import marks

dramatiq.set_broker(RedisBroker(url=os.environ["JOBS_BROKER"]))


@dramatiq.actor
def job(sent: float) -> None:
    """Note the call."""
    marks.note(sent)
