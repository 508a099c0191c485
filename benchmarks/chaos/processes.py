"""Processes in groups of their own, and a supervisor that starts again what ends."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

import psutil

_SECONDS_TO_END = 15.0


def signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to a process and to all in its group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all in its group, also what it has left behind."""
    signal_group(process, signal.SIGKILL)
    process.wait(_SECONDS_TO_END)


class Supervised:
    """A process that is started again when it ends, unless it ends well."""

    def __init__(
        self, command: Sequence[str], *, folder: Path, environment: Mapping[str, str], log: Path
    ) -> None:
        self._command, self._folder = command, folder
        self._environment, self._log = environment, log
        self._lock = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self.done = False
        self.starts = 0

    def tend(self) -> None:
        """Start it unless it runs or is done."""
        with self._lock:
            if self._process and self._process.poll() is not None:
                self.done = self._process.returncode == 0
                end_group(self._process)
                self._process = None
            if self._process is None and not self.done:
                self._start()

    def kill(self) -> bool:
        """Kill it and its children at once; return False if it does not run, and will again."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                return self.done
            end_group(self._process)
            return True

    def kill_child(self, dice: Random) -> bool:
        """Kill one of its children; return False if it has none."""
        with self._lock:
            children = self._children()
            if children:
                self._send(dice.choice(children), signal.SIGKILL)
            return bool(children)

    def freeze(self, dice: Random, *, whole: bool) -> list[int]:
        """Stop it and its children, or one child; return the processes, none if it has none."""
        with self._lock:
            children = self._children()
            if not children or self._process is None:
                return []
            chosen = [self._process.pid, *children] if whole else [dice.choice(children)]
            for each in chosen:
                self._send(each, signal.SIGSTOP)
            return chosen

    def thaw(self, processes: Sequence[int]) -> None:
        """Let frozen processes go on."""
        for each in processes:
            self._send(each, signal.SIGCONT)

    def end(self) -> None:
        """Ask it to end, insist after a while, and do not start it again."""
        with self._lock:
            self.done = True
            if self._process:
                with suppress(ProcessLookupError):
                    self._process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(_SECONDS_TO_END)
                end_group(self._process)
                self._process = None

    def _start(self) -> None:
        self.starts += 1
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _children(self) -> list[int]:
        if self._process is None:
            return []
        try:
            return [each.pid for each in psutil.Process(self._process.pid).children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    @staticmethod
    def _send(process: int, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(process, number)


class Supervisor:
    """Tends processes until it is closed, from a thread of its own."""

    def __init__(self, processes: Sequence[Supervised]) -> None:
        self._processes = processes
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        """Start everything."""
        self._thread.start()

    def close(self) -> None:
        """Start nothing any more, and end what runs."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()
        enders = [threading.Thread(target=each.end) for each in self._processes]
        for each in enders:
            each.start()
        for each in enders:
            each.join()

    def _work(self) -> None:
        while not self._closing.wait(0.2):
            for each in self._processes:
                each.tend()
