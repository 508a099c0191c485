"""Fails until its attempts are spent, which is told of unless it was invoked."""

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
    "onDead": "both.spent.died",
}


def handler(input: Any) -> None:
    raise ValueError("größer als 10")
