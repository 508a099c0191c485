"""The time of a test: moved on instead of waited for, by time-machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from motia_django.exceptions import MotiaError


class Clock:
    """The clock that Django, Motia and the handlers look at; it goes on while it is looked at."""

    def __init__(self) -> None:
        self._travel: Any = None
        self._traveller: Any = None

    @property
    def now(self) -> datetime:
        """The time, as Django's `timezone.now()` has it."""
        return timezone.now()

    def move(
        self, seconds: float = 0, *, minutes: float = 0, hours: float = 0, days: float = 0
    ) -> None:
        """Let so much time pass at once: `move(90)` or `move(hours=2)`."""
        passed = timedelta(seconds=seconds, minutes=minutes, hours=hours, days=days)
        self._go(datetime.now(UTC) + passed)

    def travel(self, moment: datetime | str) -> None:
        """Go to a moment, such as `"2026-03-01 03:00"`; without a zone it is in the project's."""
        found = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        zone = timezone.get_default_timezone()
        self._go(timezone.make_aware(found, zone) if timezone.is_naive(found) else found)

    def stop(self) -> None:
        """Go back to the real time."""
        if self._traveller is not None:
            self._travel.stop()
            self._travel = self._traveller = None

    def _go(self, moment: datetime) -> None:
        """Go to an aware moment, and stay in this process's time zone.

        It is given to time-machine as text, since of a `datetime` it takes the zone as well.
        """
        told = moment.isoformat()
        if self._traveller is None:
            self._travel = _time_machine().travel(told, tick=True)
            self._traveller = self._travel.start()
        else:
            self._traveller.move_to(told)


def _time_machine() -> Any:
    try:
        import time_machine
    except ImportError as error:
        raise MotiaError(
            "The time of a test is moved by time-machine, which is not installed:"
            " pip install 'motia-django[testing]'"
        ) from error
    return time_machine
