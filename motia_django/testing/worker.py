"""The worker's part: to have Celery run what was sent, and to do what each worker does besides."""

from __future__ import annotations

from motia_django import ledger, upkeep
from motia_django.runs import Status
from motia_django.testing.clock import Clock
from motia_django.testing.commits import commit
from motia_django.testing.failures import Gone
from motia_django.testing.post import Letter, Post


class Worker:
    """Does one thing at a time, when it is asked to, in the test's own thread and transaction."""

    def __init__(self, post: Post, clock: Clock) -> None:
        self._post, self._clock = post, clock

    def run(self, letter: Letter) -> None:
        """Run what a message asks for, and do what waits for the commit after it."""
        try:
            letter.run()
        except Gone:
            pass  # nobody is left to write anything down
        commit()

    def look_after(self) -> bool:
        """Do a second's upkeep; return whether there is anything to be run."""
        while upkeep.upkeep() >= upkeep.BATCH:
            pass
        upkeep.keep_state()
        upkeep.keep_streams()
        commit()
        return len(self._post) > 0

    def wait(self) -> bool:
        """Go on to when a run is due, or its worker counts as lost; return False if none will."""
        waiting = ledger.rows(status__in=(Status.SCHEDULED, Status.RUNNING))
        next_at = waiting.order_by("wake_at").values_list("wake_at", flat=True).first()
        if next_at is None or next_at <= self._clock.now:
            return False
        self._clock.travel(next_at)
        return True
