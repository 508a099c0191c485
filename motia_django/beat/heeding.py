"""Schedulers of beat that heed operators: a schedule that is given another time keeps it."""

from __future__ import annotations

from typing import Any

from celery.beat import PersistentScheduler

from motia_django import ticks
from motia_django.registry import registry


class Heeding:
    """What is put before a scheduler of Celery's: it looks for overrides as it goes round."""

    _heap: Any
    owes_missed_ticks = False
    """Whether missed ticks are still to be looked for: the database was away when beat began."""

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Do one round; return the seconds to the next, which are few, so that nobody waits long.

        Where the time of any schedule has changed, the order of all is made anew.
        """
        if registry().schedules and ticks.known.refresh():
            self._heap = None
        if self.owes_missed_ticks:
            self.owes_missed_ticks = not ticks.catch_up(registry().schedules)
        seconds: float = super().tick(*args, **kwargs)  # type: ignore[misc]
        return min(seconds, ticks.FRESH)


class Remembering(Heeding):
    """The same for a scheduler that keeps its entries in a file."""

    _store: Any
    _is_closed = False
    schedule: Any

    def sync(self) -> None:
        """Write the file, and go on with the entries that were written.

        Celery goes on with what it reads back: and of the Steps' schedules no more is in the file
        than what a project can read that has taken this package out.
        """
        is_open = self._store is not None and not self._is_closed
        entries = self.schedule if is_open else None
        super().sync()  # type: ignore[misc]
        if entries is not None:
            self.schedule = entries

    def close(self) -> None:
        """Write the file a last time, and close it: beat does so on a signal, and as it ends."""
        try:
            super().close()  # type: ignore[misc]
        finally:
            self._is_closed = True


def heeding(scheduler: type[Any]) -> type[Any]:
    """Return a subclass of `scheduler` that heeds operators."""
    if issubclass(scheduler, Heeding):
        return scheduler
    own = Remembering if issubclass(scheduler, PersistentScheduler) else Heeding
    return type(scheduler.__name__, (own, scheduler), {"__module__": scheduler.__module__})
