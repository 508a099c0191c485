"""Wake those who follow, in every process, once a transaction has committed."""

from __future__ import annotations


def after_commit(event: int) -> None:
    """Wake up followers when the transaction that logs this event commits."""
