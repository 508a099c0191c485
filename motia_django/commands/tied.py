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

_PATIENCE = 8.0
"""Seconds that the command gets to end by itself."""


def main(command: Sequence[str]) -> int:
    """Run the command to its end; return its exit code, as a shell gives it."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda number, frame: child.terminate())
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
