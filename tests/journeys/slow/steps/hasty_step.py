"""A Step with so little time that it is up, now and then, before the handler begins."""

import time
from typing import Any

from motia_django import queue, step

config = step(
    "Hasty", triggers=[queue("hasty", config={"visibilityTimeout": 0.02, "maxRetries": 0})]
)


def handler(input: dict[str, Any]) -> None:
    time.sleep(60)
