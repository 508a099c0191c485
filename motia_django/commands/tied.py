"""A process that does not outlive its parent: `python -m motia_django.commands.tied COMMAND...`.

It runs the command for as long as its own standard input is open, so that the parts of
`motia_steps dev` end with it, however it ends. It has to lead a process group of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from types import FrameType

_PATIENCE = 8.0
"""Seconds that the command gets to end by itself."""


def main(command: Sequence[str]) -> int:
    """Run the command to its end; return its exit code, as a shell gives it."""
    children: list[subprocess.Popen[bytes]] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        for each in children:
            each.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    children.append(child)
    threading.Thread(target=_end_with_stdin, args=(child,), daemon=True).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


def _end_with_stdin(child: subprocess.Popen[bytes]) -> None:
    sys.stdin.read()
    os.killpg(os.getpgrp(), signal.SIGTERM)
    try:
        child.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
