"""`batches`: what is done to many runs in the background, how far it is, and stopping it."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError

from motia_django import batches
from motia_django.commands.base import Subcommand, add_format, how_many, operator, zone
from motia_django.models import Batch
from motia_django.moments import utc
from motia_django.timeline import clock


class Batches(Subcommand):
    """`motia_steps batches`."""

    name = "batches"
    help = "List what is done to many runs in the background, the newest first, or stop one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--stop", type=int, metavar="NUMBER", help="stop this batch")
        parser.add_argument("--limit", type=how_many, default=20, help="how many, 20 by default")
        add_format(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        if options.get("stop") is not None:
            self._stop(options["stop"])
            return
        shown = list(Batch.objects.order_by("-id")[: options["limit"]])
        if options.get("format") == "json":
            self.json([_described(batch) for batch in shown])
            return
        if not shown:
            self.say("There is no batch.")
            return
        self.table(
            (
                "BATCH",
                "DEED",
                "STATE",
                "DONE",
                "REFUSED",
                "MEANWHILE",
                "OF",
                f"CREATED ({zone()})",
                "BY",
                "REASON",
            ),
            [_line(batch) for batch in shown],
        )

    def _stop(self, number: int) -> None:
        batch = Batch.objects.filter(id=number).first() if 0 < number < 2**63 else None
        if batch is None:
            raise CommandError(f"There is no batch {number}.")
        if not batches.stop(batch.id, by=operator()):
            raise CommandError(f"Batch {number} had ended already.")
        batch.refresh_from_db()
        self.say(
            f"Batch {number} is stopped: {batch.done:,} done, {batch.refused:,} refused."
            " What was done stays done."
        )


def _state(batch: Batch) -> str:
    if batch.finished_at:
        return "stopped" if batch.stopped_by else "done"
    return "at work" if batch.started_at else "waits"


def _line(batch: Batch) -> tuple[object, ...]:
    return (
        batch.id,
        batch.deed,
        _state(batch),
        batch.done,
        batch.refused,
        batch.meanwhile or "",
        batch.total,
        clock(batch.created_at),
        batch.by,
        batch.reason[:60],
    )


def _described(batch: Batch) -> dict[str, Any]:
    return {
        "id": batch.id,
        "deed": batch.deed,
        "state": _state(batch),
        "selection": batch.selection,
        "done": batch.done,
        "refused": batch.refused,
        "meanwhile": batch.meanwhile,
        "reasons": batch.reasons,
        "total": batch.total,
        "perSecond": batch.per_second,
        "by": batch.by,
        "reason": batch.reason,
        "stoppedBy": batch.stopped_by or None,
        "createdAt": utc(batch.created_at),
        "startedAt": batch.started_at and utc(batch.started_at),
        "finishedAt": batch.finished_at and utc(batch.finished_at),
    }
