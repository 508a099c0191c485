"""A Step that does not end when its time is up."""

import time
from contextlib import suppress
from typing import Any

from motia_django import queue, step

config = step(
    "Stubborn", triggers=[queue("stubborn", config={"visibilityTimeout": 1, "maxRetries": 0})]
)


def handler(input: dict[str, Any]) -> None:
    with suppress(Exception):
        time.sleep(60)
    time.sleep(60)
