"""Ending the processes of servers that we start by hand, each in a group of its own."""

import os
import signal
import subprocess
from contextlib import suppress

SECONDS_TO_END = 10.0


def end(process: "subprocess.Popen[bytes]") -> None:
    """Ask a process to end, so that it can write what it holds; then kill what is left of it."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(SECONDS_TO_END)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
