"""A Step with so little time, by the settings, that it may be up before the handler begins."""

import time
from typing import Any

from motia_django import queue, step

config = step("Hasty", triggers=[queue("hasty", config={"maxRetries": 0})])


def handler(input: dict[str, Any]) -> None:
    time.sleep(60)
