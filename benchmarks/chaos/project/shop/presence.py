"""Who is at work at the same time, told by locks on files: the kernel knows, whatever we believe.

A lock is given back however its process ends, so a killed handler is gone at once. A frozen one is
still there, as it is still there for the world.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.chaos.plan import Message, home


@contextmanager
def present(place: str, message: Message, attempt: int) -> Iterator[None]:
    """Be at a place for the block, having written down who was there already."""
    folder = home() / "presence" / place
    folder.mkdir(parents=True, exist_ok=True)
    who = f"{message.producer} {message.number} {attempt} {os.getpid()} {time.monotonic():.3f}"
    mine = folder / who
    with (folder / "gate").open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        _write_down(place, who, [each.name for each in _others(folder)])
        lock = mine.open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield
    finally:
        mine.unlink()
        lock.close()


def _others(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name != "gate" and _is_locked(path):
            yield path


def _is_locked(path: Path) -> bool:
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    path.unlink(missing_ok=True)  # its process was killed
    return False


def _write_down(place: str, who: str, others: list[str]) -> None:
    line = json.dumps({"place": place, "at": time.monotonic(), "who": who, "others": others})
    descriptor = os.open(home() / "presence.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(descriptor, line.encode() + b"\n")
    finally:
        os.close(descriptor)
