"""Whenever an item of the group "$group" changes."""

config = {
    "name": "$name",
    "description": "",
    "triggers": [{"type": "state", "groupId": "$group"}],
    "enqueues": $topics,
    "flows": [],
}


def handler(change, ctx):
    ctx.logger.info("$name", {"id": change.item_id, "from": change.old_value, "to": change.new_value})
    ctx.state.set("$name", change.item_id, change.new_value)
${sending}