"""Writes an item of a stream: the item and the log's entry are one transaction."""

from __future__ import annotations

from motia_django import streams


def write(number: int, sent: str) -> None:
    """Write one of ten orders."""
    order = {"customer": sent, "amount": number, "status": "paid"}
    streams.orders.set("board", str(number % 10), order)
