"""Several processes as one: started together, their lines in one stream, ended together."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

_COLOURS = {"web": 36, "worker": 32, "beat": 35, "redis": 33}
_QUIET = {"PYTHONUNBUFFERED": "1", "DJANGO_RUNSERVER_HIDE_WARNING": "true"}
_PATIENCE = 5.0
"""Seconds that processes get to end by themselves, with what they run."""
_LAST_PATIENCE = 3.0
"""Seconds that they get besides to put off what is interrupted then."""
_ENDS = 3
_ENDS_WITHIN = 60.0
"""A part that ends so often within so many seconds is given up."""


@dataclass(slots=True)
class Part:
    """One process of the whole, in a session of its own so that only we send it signals."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None
    ends: list[float] = field(default_factory=list)
    """When it ended by itself, by the monotonic clock."""

    def start(self, write: Callable[[str, str], None]) -> None:
        """Start it, and pass on each of its lines as `write(name, line)`."""
        self.process = subprocess.Popen(
            self.command,
            env={**os.environ, **_QUIET, **self.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        reader = threading.Thread(target=self._read, args=(self.process, write), daemon=True)
        reader.start()

    @property
    def exit_code(self) -> int | None:
        """The exit code, or None while it runs or before it was started."""
        return None if self.process is None else self.process.poll()

    @property
    def end(self) -> str:
        """How it ended, in words that follow its name."""
        code = self.exit_code or 0
        killed = -code if code < 0 else code - 128
        if killed in set(signal.Signals):
            return f"was killed by {signal.Signals(killed).name}"
        return f"ended with exit code {code}"

    def keeps_ending(self) -> bool:
        """Note that it has ended; return whether it is no use to start it once more."""
        now = time.monotonic()
        self.ends = [*(each for each in self.ends if now - each < _ENDS_WITHIN), now]
        return len(self.ends) >= _ENDS

    def ask_to_end(self) -> None:
        """Send TERM to the process alone: a worker's children end with what they run, if asked."""
        if self.process is not None and self.exit_code is None:
            self.process.terminate()

    def send(self, number: int) -> None:
        """Send a signal to the process and all its children."""
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, number)
        except (ProcessLookupError, PermissionError):
            return

    def _read(self, process: subprocess.Popen[str], write: Callable[[str, str], None]) -> None:
        for line in process.stdout or ():
            write(self.name, line.rstrip("\n"))


def stop(
    parts: Sequence[Part], patience: float = _PATIENCE, last_patience: float = _LAST_PATIENCE
) -> None:
    """End the parts, kindly first; when this returns, no process of theirs is left.

    What a worker runs may end within `patience` seconds; then it is interrupted, to be tried again.
    """
    for part in parts:
        part.ask_to_end()
    _wait(parts, patience)
    for part in parts:
        if part.exit_code is None:
            part.send(signal.SIGTERM)
    _wait(parts, last_patience)
    for part in parts:
        part.send(signal.SIGKILL)
        if part.process is not None:
            part.process.wait()


def _wait(parts: Sequence[Part], patience: float) -> None:
    """Wait until all have ended, or the seconds are over."""
    deadline = time.monotonic() + patience
    for part in parts:
        if part.process is not None:
            with suppress(subprocess.TimeoutExpired):
                part.process.wait(max(deadline - time.monotonic(), 0))


def prefixed(name: str, line: str, coloured: bool) -> str:
    """Return a line with its part's name before it."""
    colour = _COLOURS.get(name, 37)
    label = f"\x1b[{colour}m{name:6}\x1b[0m" if coloured else f"{name:6}"
    return f"{label} | {line}"
