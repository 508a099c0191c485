"""Sends a message to a group, as Channels' documentation does it outside of consumers."""

from __future__ import annotations

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer


def write(number: int, sent: str) -> None:
    """Send one order."""
    order = {"id": str(number % 10), "customer": sent, "amount": number, "status": "paid"}
    layer = get_channel_layer()
    assert layer is not None
    async_to_sync(layer.group_send)("board", {"type": "order.changed", "order": order})
