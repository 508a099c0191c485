"""Rooms: everybody may follow but what is `private`, and what `onJoin` refuses."""

from typing import Any

from motia_django import logger


def can_access(subscription: Any, auth: Any) -> bool:
    if subscription.group_id == "broken":
        raise RuntimeError("canAccess is broken")
    return subscription.group_id != "private" or bool(auth.user.is_authenticated)


def on_join(subscription: Any, auth: Any) -> bool:
    logger.info(f"joined {subscription.group_id} {subscription.id} as {auth.user}")
    return bool(subscription.group_id != "full")


def on_leave(subscription: Any, auth: Any) -> None:
    logger.info(f"left {subscription.group_id} {subscription.id}")


config = {"name": "rooms", "canAccess": can_access, "onJoin": on_join, "onLeave": on_leave}
