"""Does nothing; each run is kept in the ledger."""

config = {"name": "Kept", "triggers": [{"type": "queue", "topic": "kept"}]}


def handler(input: object) -> None:
    """Do nothing."""
