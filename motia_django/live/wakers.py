"""How one process tells the others that the log has grown: the contract, and polling."""

from __future__ import annotations

import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Sequence

MOST_IDS = 200
"""Ids that one message names; of more, the first ones. (NOTIFY takes 8,000 bytes.)"""


class Listener(ABC):
    """Hears wake-ups; used by one thread."""

    @abstractmethod
    def wait(self, seconds: float) -> set[int]:
        """Wait for a wake-up, but no longer than this; return the events' ids that it names.

        Where wake-ups cannot be heard just now it returns as early as polling has to. Never raises.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of what it holds."""


class Waker(ABC):
    """One way to wake up, in this process; safe to use from any thread."""

    @abstractmethod
    def wake(self, events: Sequence[int]) -> None:
        """Tell every listener that these events are committed; may raise, must not take long."""

    @abstractmethod
    def listener(self, poll: float) -> Listener:
        """Return a new listener; `poll` is how many seconds polling waits."""


class PollingWaker(Waker):
    """Reaches the listeners of this process only: those elsewhere look for themselves."""

    def __init__(self) -> None:
        self._listeners: weakref.WeakSet[PollingListener] = weakref.WeakSet()

    def wake(self, events: Sequence[int]) -> None:
        """Wake up the listeners here."""
        for listener in list(self._listeners):
            listener.hear(events)

    def listener(self, poll: float) -> Listener:
        """Return a listener that returns each `poll` seconds at the latest."""
        listener = PollingListener(poll)
        self._listeners.add(listener)
        return listener


class PollingListener(Listener):
    """Sleeps, unless this very process writes."""

    def __init__(self, poll: float) -> None:
        self._poll = poll
        self._woken = threading.Event()
        self._ids: set[int] = set()

    def hear(self, events: Sequence[int]) -> None:
        """Take a wake-up."""
        self._ids.update(events)
        self._woken.set()

    def wait(self, seconds: float) -> set[int]:
        """Sleep for as long as polling may."""
        self._woken.wait(min(seconds, self._poll))
        self._woken.clear()
        ids, self._ids = self._ids, set()
        return ids

    def close(self) -> None:
        """There is nothing to let go of."""


def written(events: Sequence[int]) -> str:
    """Return the text of a message that names these events."""
    return ",".join(map(str, events[:MOST_IDS]))


def read(message: str | bytes) -> set[int]:
    """Return the ids that a message names; whatever else it holds is ignored."""
    text = message.decode("ascii", "ignore") if isinstance(message, bytes) else message
    return {int(word) for word in text.split(",") if word.isdecimal() and len(word) < 20}
