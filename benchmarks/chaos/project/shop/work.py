"""What the handlers do: take a while, fail at first now and then, and leave an effect."""

from __future__ import annotations

import os
import time
from typing import Any

from benchmarks.chaos.plan import LEASE, Message
from benchmarks.chaos.project.shop.models import Effect
from motia_django import Context

RETRIES: dict[str, Any] = {"maxRetries": 30, "backoffType": "fixed", "backoffDelayMs": 300}
"""Enough that no fault can make a run dead: then every message has to succeed."""

_LONG = LEASE * 1.3


class NotYet(Exception):
    """What a handler raises that is to be tried again."""


def message_of(data: dict[str, Any], topic: str) -> Message:
    """Read a message's data."""
    return Message(
        producer=data["producer"], number=data["number"], topic=topic, group=data["group"]
    )


def take_a_while(message: Message, *, sometimes_long: bool = False) -> None:
    """Sleep for some milliseconds; sometimes longer than a lease."""
    dice = message.dice
    long = sometimes_long and dice.random() < 0.003
    time.sleep(_LONG if long else dice.uniform(0.001, 0.03))


def fail_at_first(message: Message, ctx: Context) -> None:
    """Raise in the first attempts at some messages."""
    if ctx.attempt <= message.dice.choices((0, 1, 2), (94, 5, 1))[0]:
        raise NotYet(f"not in attempt {ctx.attempt}")


def leave_effect(message: Message, ctx: Context) -> None:
    """Write down that the message had its effect."""
    Effect.objects.create(
        step=ctx.step,
        producer=message.producer,
        number=message.number,
        attempt=ctx.attempt,
        process=os.getpid(),
    )
