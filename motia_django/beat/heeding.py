"""Schedulers of beat that heed operators: a schedule that is given another time keeps it."""

from __future__ import annotations

from typing import Any

from motia_django import ticks
from motia_django.registry import registry


class Heeding:
    """What is put before a scheduler of Celery's: it looks for overrides as it goes round."""

    _heap: Any

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Do one round; return the seconds to the next, which are few, so that nobody waits long.

        Where the time of any schedule has changed, the order of all is made anew.
        """
        if registry().schedules and ticks.known.refresh():
            self._heap = None
        seconds: float = super().tick(*args, **kwargs)  # type: ignore[misc]
        return min(seconds, ticks.FRESH)


def heeding(scheduler: type[Any]) -> type[Any]:
    """Return a subclass of `scheduler` that heeds operators."""
    if issubclass(scheduler, Heeding):
        return scheduler
    return type(scheduler.__name__, (Heeding, scheduler), {"__module__": scheduler.__module__})
