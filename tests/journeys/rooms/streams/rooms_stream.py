"""Rooms: everybody may follow but what is `private`, and what `onJoin` refuses.

At first it cannot be said who may follow `shaky`.
"""

from itertools import count
from typing import Any

from motia_django import logger

asked = count()


def can_access(subscription: Any, auth: Any) -> bool:
    if subscription.group_id == "broken":
        raise LookupError("canAccess is broken")
    if subscription.group_id == "shaky" and next(asked) < 2:
        raise ConnectionError("nobody can be asked")
    return subscription.group_id != "private" or bool(auth.user.is_authenticated)


def on_join(subscription: Any, auth: Any) -> bool:
    logger.info(f"joined {subscription.group_id} {subscription.id} as {auth.user}")
    return bool(subscription.group_id != "full")


def on_leave(subscription: Any, auth: Any) -> None:
    logger.info(f"left {subscription.group_id} {subscription.id}")


config = {"name": "rooms", "canAccess": can_access, "onJoin": on_join, "onLeave": on_leave}
