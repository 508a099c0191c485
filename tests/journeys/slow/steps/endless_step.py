"""A Step that takes longer than it may."""

import time
from typing import Any

from motia_django import queue, step

config = step(
    "Endless",
    triggers=[queue("endless", config={"visibilityTimeout": 1, "maxRetries": 0})],
)


def handler(input: dict[str, Any]) -> None:
    time.sleep(60)
