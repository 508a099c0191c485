"""Does nothing; only runs that fail are kept."""

config = {
    "name": "Light",
    "triggers": [{"type": "queue", "topic": "light"}],
    "record": "failures",
}


def handler(input: object) -> None:
    """Do nothing."""
