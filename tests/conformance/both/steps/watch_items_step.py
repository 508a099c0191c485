"""Shows each item of state in the stream."""

from motia_django import Context, StateChange

config = {"name": "WatchItems", "triggers": [{"type": "state", "groupId": "both.items"}]}


def handler(change: StateChange, ctx: Context) -> None:
    ctx.streams.both.set("board", change.item_id, {"n": change.new_value["n"]})
