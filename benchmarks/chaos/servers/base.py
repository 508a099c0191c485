"""What a server under fire is: a process that starts again on the same address with its data."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.chaos.processes import end_group, signal_group

_SECONDS_TO_START = 60.0
_SECONDS_TO_STOP = 30.0


class ServerFailed(Exception):
    """Say what a server did not do."""


class Server(ABC):
    """One server of its own: all its files in `home`, what it says in `log`."""

    name: ClassVar[str]
    goodbye: ClassVar[signal.Signals] = signal.SIGTERM
    """The signal that lets it end in peace."""

    def __init__(self, home: Path, log: Path) -> None:
        self.home, self.log = home, log
        self._process: subprocess.Popen[bytes] | None = None
        home.mkdir(parents=True)

    @staticmethod
    @abstractmethod
    def missing() -> str | None:
        """Name what is not installed and how to install it; None if all is there."""

    def prepare(self) -> None:  # noqa: B027  (most have nothing to do)
        """Do what is done once, before the first start."""

    @abstractmethod
    def command(self) -> Sequence[str]:
        """Return the command that serves in the foreground."""

    @abstractmethod
    def answers(self) -> bool:
        """Return whether it can be used; an OSError means no."""

    def start(self) -> None:
        """Start it and wait until it answers."""
        deadline = time.monotonic() + _SECONDS_TO_START
        while not self._comes_up(deadline):
            if time.monotonic() > deadline:
                raise ServerFailed(f"{self.name} did not start, see {self.log}")
            time.sleep(0.2)

    def stop(self) -> None:
        """Let it end in peace; kill it if it does not."""
        if self._process:
            signal_group(self._process, self.goodbye)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_SECONDS_TO_STOP)
            self.kill()

    def kill(self) -> None:
        """End all its processes at once."""
        if self._process:
            end_group(self._process)
            self._process = None

    def freeze(self) -> None:
        """Let it do nothing, and take connections all the same."""
        if self._process:
            signal_group(self._process, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen one go on."""
        if self._process:
            signal_group(self._process, signal.SIGCONT)

    def close(self) -> None:
        """End it for good."""
        self.kill()

    def _comes_up(self, deadline: float) -> bool:
        self._process = self._spawn(self.command())
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                return False
            with suppress(OSError):
                if self.answers():
                    return True
            time.sleep(0.05)
        return False

    def _spawn(self, command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **{"env": {**os.environ, **self.environment()}, **options},
            )

    def environment(self) -> Mapping[str, str]:
        """Return what it needs in its environment besides ours."""
        return {}

    def _run(self, command: Sequence[str], **options: Any) -> None:
        done = self._spawn(command, **options).wait(_SECONDS_TO_START)
        if done:
            raise ServerFailed(f"{command[0]} ended with {done}, see {self.log}")


class Broker(Server):
    """A server that carries messages."""

    @abstractmethod
    def url(self) -> str:
        """Return what Celery is given."""

    @abstractmethod
    def wipe(self) -> None:
        """Lose every message."""


Fault = Callable[[float], None]


class Database(Server):
    """A server that keeps rows."""

    @abstractmethod
    def django_settings(self) -> dict[str, Any]:
        """Return the entry of Django's DATABASES."""

    def faults(self) -> dict[str, Fault]:
        """Return the faults it can be asked for: each is given the seconds it lasts."""
        return {"database restarted": self._restarted, "database killed": self._killed}

    def _restarted(self, seconds: float) -> None:
        self.stop()
        time.sleep(seconds)
        self.start()

    def _killed(self, seconds: float) -> None:
        self.kill()
        time.sleep(seconds)
        self.start()
