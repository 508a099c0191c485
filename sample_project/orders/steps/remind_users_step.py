"""The cron + queue pattern: each hour, a message for every user."""

from motia_django import Context, cron, step

config = step(
    "RemindUsers",
    description="Fans out to the workers once an hour",
    triggers=[cron("0 * * * *")],
    enqueues=["user.process"],
    flows=["users"],
)


def handler(_: None, ctx: Context) -> None:
    users = ctx.state.list("users")

    # Enqueue processing for each user
    for user in users:
        ctx.enqueue({"topic": "user.process", "data": {"userId": user["id"]}})
    ctx.logger.info("Users reminded", {"count": len(users)})
