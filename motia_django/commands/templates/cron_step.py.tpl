"""On a schedule: $schedule"""

config = {
    "name": "$name",
    "description": "",
    "triggers": [{"type": "cron", "schedule": "$schedule"}],
    "enqueues": $topics,
    "flows": [],
}


def handler(_, ctx):
    ctx.logger.info("$name", {"due": str(ctx.trigger.scheduled_time)})
    ctx.state.update("$name", "counter", [{"type": "increment", "path": "ticks"}])
${sending}