"""The five triggers: declared here, served elsewhere."""

from __future__ import annotations

from typing import TypeAlias

from motia_django.declarations import Reader, one_of
from motia_django.triggers.base import Trigger
from motia_django.triggers.cron import CronTrigger
from motia_django.triggers.http import HttpTrigger
from motia_django.triggers.queue import QueueTrigger
from motia_django.triggers.state import StateTrigger
from motia_django.triggers.stream import StreamTrigger

__all__ = [
    "KINDS",
    "CronTrigger",
    "HttpTrigger",
    "QueueTrigger",
    "StateTrigger",
    "StreamTrigger",
    "Trigger",
    "read",
]

AnyTrigger: TypeAlias = HttpTrigger | QueueTrigger | CronTrigger | StateTrigger | StreamTrigger

KINDS: dict[str, type[AnyTrigger]] = {
    each.kind: each
    for each in (HttpTrigger, QueueTrigger, CronTrigger, StateTrigger, StreamTrigger)
}


def read(reader: Reader) -> Trigger | None:
    """Read one entry of a Step's `triggers`; None if it has problems, noted in the reader."""
    before = len(reader.problems)
    kind = reader.take("type", one_of(*KINDS))
    if len(reader.problems) > before:
        return None
    trigger = KINDS[kind].read(reader)
    reader.finish(f"a trigger of type {kind}")
    return trigger if len(reader.problems) == before else None
