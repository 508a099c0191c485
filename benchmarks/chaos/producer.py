"""A producer: `python -m benchmarks.chaos.producer NUMBER BEGUN` sends its share of the messages.

It may be killed and started again: which transactions were committed, the rows tell.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import django
from django.db import (
    DatabaseError,
    InterfaceError,
    close_old_connections,
    connection,
    transaction,
)
from django.db.models import Max

from benchmarks.chaos import progress
from benchmarks.chaos.plan import Message, Plan, Transaction, transactions

MOST_UNFINISHED = 200


class Unwanted(Exception):
    """Rolls a transaction back on purpose."""


def produce(producer: int, begun: float) -> None:
    """Send what is planned, each transaction at its time; begin behind what is committed."""
    plan = Plan.from_environment()
    planned = list(transactions(plan, producer))
    last = last_committed(producer)
    for index, each in enumerate(planned):
        if each.messages[-1].number > last:
            due = begun + plan.seconds * index / len(planned)
            time.sleep(max(due - time.monotonic(), 0))
            wait_for_room()
            send(each)
        progress.tell(producer, (index + 1) / len(planned))


def wait_for_room() -> None:
    """Wait while many runs are unfinished: what is tried is faults, not the machine's speed."""
    while unfinished() > MOST_UNFINISHED:
        time.sleep(0.3)


def unfinished() -> int:
    """Return how many runs are not over; 0 if the database does not say."""
    from motia_django.models import Run

    try:
        return Run.objects.filter(status__in=("scheduled", "queued", "running")).count()
    except (DatabaseError, InterfaceError):
        connection.close()
        return 0


def send(each: Transaction) -> None:
    """Do one transaction; where its outcome is unknown, the rows decide."""
    while True:
        close_old_connections()
        try:
            attempt(each)
            return
        except (DatabaseError, InterfaceError) as error:
            print(f"{each.messages[0].key}: {error!r}", flush=True)
        time.sleep(0.1)
        if last_committed(each.messages[0].producer) >= each.messages[-1].number:
            return


def attempt(each: Transaction) -> None:
    """Write the rows and send the messages, in one transaction."""
    from benchmarks.chaos.project.shop.models import Sent
    from motia_django import enqueue

    try:
        with transaction.atomic():
            for message in each.messages:
                Sent.objects.create(producer=message.producer, number=message.number)
            enqueue([as_sent(message) for message in each.messages])
            if each.rolled_back:
                raise Unwanted
    except Unwanted:
        pass


def as_sent(message: Message) -> dict[str, object]:
    """Return what `enqueue` is given for a message."""
    data = {"producer": message.producer, "number": message.number, "group": message.group}
    group = {"messageGroupId": message.group} if message.group else {}
    return {"topic": message.topic, "data": data, **group}


def last_committed(producer: int) -> int:
    """Ask for the last number that is committed, as often as it takes to be told."""
    from benchmarks.chaos.project.shop.models import Sent

    while True:
        try:
            answer = Sent.objects.filter(producer=producer).aggregate(last=Max("number"))
            return -1 if answer["last"] is None else int(answer["last"])
        except (DatabaseError, InterfaceError):
            connection.close()
            time.sleep(0.2)


def main(arguments: Sequence[str]) -> None:
    """Be the producer of that number, who began at that time of the monotonic clock."""
    django.setup()
    produce(int(arguments[0]), float(arguments[1]))


if __name__ == "__main__":
    main(sys.argv[1:])
