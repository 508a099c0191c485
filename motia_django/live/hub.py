"""One reader of the log for all who follow in this process, in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from asyncio import AbstractEventLoop
from collections.abc import Iterable

from django.db import connections

from motia_django.conf import settings
from motia_django.live import log
from motia_django.live.positions import Position
from motia_django.live.reading import Heard, Reading
from motia_django.live.relay import Relay
from motia_django.live.threads import is_pooled
from motia_django.live.wake import waker
from motia_django.live.wakers import Listener, PollingWaker

logger = logging.getLogger("motia.streams")

_BATCH = 500
_WINDOW = 20_000
"""Events from the log's end among which those that are missing at first are looked out for."""
_BENEATH = 2.0
"""Seconds between two looks at the log where wake-ups are heard: one that was lost only delays."""
_LOOK = 5.0
"""Seconds between two looks whether the log is still the one that was read."""
_LINGER = 5.0
"""Seconds for which it goes on with nobody left, since browsers come back."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 5.0


class Hub:
    """Reads the log while anybody follows, and hands what it reads to each event loop's relay.

    The thread has a database connection of its own, and nothing that follows holds one. A database
    that is away is asked again until it is back, from where the log was left. If the log is another
    then, since an older dump was restored, all who follow begin anew.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._relays: dict[AbstractEventLoop, Relay] = {}
        self._left_at = self._looked_at = 0.0
        self._thread: threading.Thread | None = None
        self._position: Position | None = None

    def enter(self) -> Relay:
        """Return the running event loop's relay; for each call `leave` has to be called once."""
        loop = asyncio.get_running_loop()
        with self._lock:
            relay = self._relays.get(loop)
            if relay is None:
                relay = self._relays[loop] = Relay(self._position)
            relay.users += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="motia-streams", daemon=True)
                self._thread.start()
        return relay

    def leave(self, relay: Relay) -> None:
        """Let the thread end if nobody else follows."""
        with self._lock:
            relay.users -= 1
            self._left_at = time.monotonic()

    def _run(self) -> None:
        listener = _listener()
        reading: Reading | None = None
        pause = 0.0
        try:
            while self._goes_on():
                try:
                    reading = reading or self._begun()
                    self._read_on(reading, listener)
                    if self._is_another(reading):
                        reading = None
                    _give_back_to_a_pool()
                    pause = 0.0
                except Exception as error:
                    pause = min(pause * 2 or _FIRST_PAUSE, _LONGEST_PAUSE)
                    logger.warning("The log of streams cannot be read, trying again: %s", error)
                    connections.close_all()
                    time.sleep(pause)
        finally:
            listener.close()
            connections.close_all()

    def _goes_on(self) -> bool:
        """Return whether anybody follows, or did just now; if not, the thread is to end."""
        with self._lock:
            for loop in [each for each in self._relays if each.is_closed()]:
                del self._relays[loop]  # whoever followed there can leave no more
            is_used = any(each.users for each in self._relays.values())
            if is_used or time.monotonic() - self._left_at < _LINGER:
                return True
            self._relays.clear()
            self._position = self._thread = None
            return False

    def _begun(self) -> Reading:
        reading = Reading(log.recent(_WINDOW))
        self._looked_at = time.monotonic()
        self._hand_out([], reading.position, anew=self._position is not None)
        return reading

    def _is_another(self, reading: Reading) -> bool:
        """Return whether the log is not the one that was read any more, looking now and then."""
        now, last = time.monotonic(), reading.position.upto
        if not last or now - self._looked_at < _LOOK:
            return False
        self._looked_at = now
        if reading.is_of(log.written(last)):
            return False
        logger.warning(
            "The log of streams does not have event %s any more, as after an older dump was"
            " restored: all who follow are told anew how things are",
            last,
        )
        return True

    def _read_on(self, reading: Reading, listener: Listener) -> None:
        """Wait for the log to grow, and hand out what it has grown by."""
        reading.name(listener.wait(_BENEATH))
        while True:
            found = log.after(reading.position.upto, reading.holes_to_ask(), _BATCH)
            heard = reading.take(found)
            if reading.expire() or heard:
                self._hand_out(heard, reading.position)
            if len(found) < _BATCH:
                break

    def _hand_out(self, heard: Iterable[Heard], position: Position, *, anew: bool = False) -> None:
        with self._lock:
            self._position = position
            for loop, relay in list(self._relays.items()):
                try:
                    loop.call_soon_threadsafe(relay.deliver, heard, position, anew)
                except RuntimeError:  # the loop has just been closed
                    del self._relays[loop]


def _give_back_to_a_pool() -> None:
    connection = connections[log.database()]
    if is_pooled(connection):
        connection.close()


def _listener() -> Listener:
    poll = settings().streams["POLL"]
    try:
        return waker().listener(poll)
    except Exception:
        logger.exception("Wake-ups of streams cannot be heard, so the log is polled")
        return PollingWaker().listener(poll)


_hub = Hub()


def hub() -> Hub:
    """Return this process's hub."""
    return _hub


def _begin_anew() -> None:
    """Give a forked process a hub of its own: threads are not forked along."""
    global _hub
    _hub = Hub()


os.register_at_fork(after_in_child=_begin_anew)
