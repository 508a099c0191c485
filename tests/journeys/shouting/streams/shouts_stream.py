"""Shouts, which anybody may follow; who joins and leaves is logged."""

import logging
from typing import Any

logger = logging.getLogger("motia.shouts")


def on_join(subscription: Any) -> None:
    logger.info("joined %s", subscription.groupId)


def on_leave(subscription: Any) -> None:
    logger.info("left %s", subscription.groupId)


config = {"name": "shouts", "onJoin": on_join, "onLeave": on_leave}
