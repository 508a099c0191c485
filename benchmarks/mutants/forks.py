"""Doing something in a fork of this process, so that nothing of it is left here."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable


def fork(act: Callable[[], object]) -> int:
    """Begin to do something in a fork, a group of processes of its own; return its number.

    It ends with 0 if `act` returns, without any of what Python does at its end.
    """
    number = os.fork()
    if number:
        return number
    try:
        os.setpgid(0, 0)
        _be_silent()
        act()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        code = 70
    finally:
        os._exit(code)


def in_a_fork(act: Callable[[], object]) -> int:
    """Do something in a fork, wait for it, and return what it ended with."""
    number = fork(act)
    try:
        _, status = os.waitpid(number, 0)
    except BaseException:
        end(number)
        raise
    return os.waitstatus_to_exitcode(status)


def end(number: int) -> None:
    """Kill a fork with all that it has started, and wait for it."""
    os.killpg(number, signal.SIGKILL)
    os.waitpid(number, 0)


def _be_silent() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for each in (0, 1, 2):
        os.dup2(nowhere, each)
