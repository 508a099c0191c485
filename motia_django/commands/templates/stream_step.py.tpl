"""Whenever an item of the stream "$stream" changes, or an event is sent to it."""

config = {
    "name": "$name",
    "description": "",
    "triggers": [{"type": "stream", "streamName": "$stream"}],
    "enqueues": $topics,
    "flows": [],
}


def handler(change, ctx):
    ctx.logger.info("$name", {"id": change.id, "event": change.event.type})
    ctx.state.set("$name", change.id or "all", change.event.data)
${sending}