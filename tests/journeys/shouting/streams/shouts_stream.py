"""Shouts, which anybody may follow but the `cellar` while it is shut; who joins is logged."""

import logging
from typing import Any

from motia_django import streams

logger = logging.getLogger("motia.shouts")


def can_access(subscription: Any) -> bool:
    return subscription.groupId != "cellar" or streams.shouts.get("doors", "cellar") is None


def on_join(subscription: Any) -> None:
    logger.info("joined %s", subscription.groupId)


def on_leave(subscription: Any) -> None:
    logger.info("left %s", subscription.groupId)


config = {"name": "shouts", "canAccess": can_access, "onJoin": on_join, "onLeave": on_leave}
