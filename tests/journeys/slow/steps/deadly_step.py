"""A Step that kills the process it runs in, of which nothing is written while all goes well."""

import os
import signal
from typing import Any

from motia_django import queue, step

config = step(
    "Deadly",
    triggers=[queue("deadly", config={"maxRetries": 1, "backoffDelayMs": 10})],
    record="failures",
    on_dead="deadly.died",
)


def handler(input: dict[str, Any]) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
