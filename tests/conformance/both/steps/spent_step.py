"""Fails until its attempts are spent."""

from typing import Any

config = {
    "name": "Spent",
    "triggers": [
        {
            "type": "queue",
            "topic": "both.spent",
            "config": {"maxRetries": 1, "backoffDelayMs": 10},
        },
    ],
}


def handler(input: Any) -> None:
    raise ValueError("größer als 10")
