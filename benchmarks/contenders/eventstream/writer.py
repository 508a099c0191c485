"""Sends an event, which is stored."""

from __future__ import annotations

from django_eventstream import send_event


def write(number: int, sent: str) -> None:
    """Send one order."""
    order = {"id": str(number % 10), "customer": sent, "amount": number, "status": "paid"}
    send_event("board", "message", order)
