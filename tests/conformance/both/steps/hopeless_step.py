"""Says itself that trying again cannot help."""

from typing import Any

from motia_django import Dead

config = {"name": "Hopeless", "triggers": [{"type": "queue", "topic": "both.hopeless"}]}


def handler(input: Any) -> None:
    raise Dead("no such mailbox")
