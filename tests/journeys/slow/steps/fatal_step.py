"""A Step that kills the process it runs in, as one that takes all memory is killed."""

import os
import signal
from typing import Any

from motia_django import queue, step

config = step("Fatal", triggers=[queue("fatal", config={"maxRetries": 1, "backoffDelayMs": 10})])


def handler(input: dict[str, Any]) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
