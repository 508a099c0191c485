"""What every contender's handler does: it notes when it was called, in a file."""

from __future__ import annotations

import os
import struct
import time
from functools import cache
from pathlib import Path

HOLD = -1.0
"""What is sent to hold the worker up until the file beside that of the marks is there."""
_MARK = struct.Struct("dd")


def note(sent: float) -> None:
    """Note a call, and the time that was sent to it."""
    if sent == HOLD:
        _wait()
    os.write(_file(), _MARK.pack(sent, time.time()))


def read(marks: Path) -> list[tuple[float, float]]:
    """Return when each call's message was sent, and when the call began, in their order."""
    noted = marks.read_bytes()
    return [*_MARK.iter_unpack(noted[: len(noted) - len(noted) % _MARK.size])]


def count(marks: Path) -> int:
    """Return how many calls were noted so far."""
    return marks.stat().st_size // _MARK.size if marks.exists() else 0


def go(marks: Path) -> Path:
    """Return the file that lets a worker go on."""
    return marks.with_suffix(".go")


@cache
def _file() -> int:
    return os.open(os.environ["JOBS_MARKS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def _wait() -> None:
    while not go(Path(os.environ["JOBS_MARKS"])).exists():
        time.sleep(0.005)
