"""A Step whose runs travel in their messages."""

from typing import Any

config = {
    "name": "Light",
    "triggers": [{"type": "queue", "topic": "light"}],
    "record": "failures",
}


def handler(data: Any) -> None:
    """Do nothing."""
