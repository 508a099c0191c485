"""One browser's WebSocket, in the group `board`."""

from __future__ import annotations

from typing import Any

from channels.generic.websocket import AsyncJsonWebsocketConsumer


class Board(AsyncJsonWebsocketConsumer):
    """Tells a browser what the group is sent."""

    groups = ["board"]

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        """Say that it is in the group by now."""
        await self.send_json("joined")

    async def order_changed(self, event: dict[str, Any]) -> None:
        """Tell of an order."""
        await self.send_json(event["order"])
