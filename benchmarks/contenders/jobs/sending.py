"""The process that sends a contender's jobs: for each line of input, `number pause`.

Each job is sent the time it is sent at; with a negative pause, one that holds the worker up goes
before, and the others are sent at once.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any


def sender(kind: str) -> Callable[[float], Any]:
    """Return what sends a job, as the contender's own users would."""
    from benchmarks.contenders.jobs import tasks

    if kind in ("kept", "light"):
        from motia_django import enqueue

        topic = f"jobs.{kind}"
        return lambda sent: enqueue({"topic": topic, "data": sent})
    if kind == "dramatiq":
        from benchmarks.contenders.jobs.actors import job

        return job.send
    task: Any = getattr(tasks, kind)
    sends = {"procrastinate": "defer", "django_tasks": "enqueue"}
    if kind == "procrastinate":
        return lambda sent: task.defer(sent=sent)
    return task if kind == "huey" else getattr(task, sends.get(kind, "delay"))  # type: ignore[no-any-return]


def main() -> None:
    """Send as often as is asked for."""
    from benchmarks.contenders.jobs import marks
    from benchmarks.contenders.jobs.celery import app

    app.set_default()
    import django

    django.setup()
    app.loader.import_default_modules()
    send = sender(os.environ["JOBS_CONTENDER"])
    print("ready", flush=True)
    for line in sys.stdin:
        number, pause = line.split()
        if float(pause) < 0:
            send(marks.HOLD)
        for _ in range(int(number)):
            send(time.time())
            time.sleep(max(float(pause), 0))
        print("sent", flush=True)


if __name__ == "__main__":
    main()
