"""Notes what happens in the stream."""

from motia_django import Context, StreamChange

config = {"name": "WatchStream", "triggers": [{"type": "stream", "streamName": "both"}]}


def handler(change: StreamChange, ctx: Context) -> None:
    ctx.logger.info("Streamed", {"type": change.event.type, "item": change.id})
