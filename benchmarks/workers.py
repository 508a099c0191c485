"""One queue, more and more worker processes: runs a second, and where the time goes.

    python -m benchmarks.workers

Each worker is a Celery worker with one process for its runs. The queue is filled while nobody
hears it, then released; the rate is that of the middle of it. Meanwhile the CPU time of all who
have a part in it is taken, and what PostgreSQL's sessions wait for is looked at again and again.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psutil

from benchmarks import contests, report
from benchmarks.contests import Contest

PACKAGES = ("django", "celery", "redis", "psycopg")
PROJECT = "benchmarks.contenders.scaling"
PATHS = {"kept in PostgreSQL": "kept", "light path": "light"}
RUNS = 1500
LIST = 100
MIDDLE = (0.9, 0.1)
"""What share of the queue is left when the clock is started, and when it is stopped."""
PATIENCE = 120
PAUSE = 0.02
"""Seconds between two looks at PostgreSQL's sessions."""
QUEUE, HELD = "celery", "held"
SESSIONS = """
    SELECT CASE WHEN state LIKE 'idle%' THEN 'wait for the worker'
                WHEN wait_event_type IS NULL THEN 'work'
                WHEN wait_event_type IN ('Lock', 'LWLock', 'BufferPin') THEN 'wait for a lock'
                WHEN wait_event_type = 'IO' THEN 'wait for the disk'
                ELSE 'wait for anything else' END
    FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND datname = current_database()
          AND pid <> pg_backend_pid()
"""
DOINGS = ("wait for the worker", "work", "wait for a lock", "wait for the disk")


@dataclass(kw_only=True)
class Watch:
    """What is seen while a queue is worked off."""

    rate: float
    """Runs a second."""
    seconds: Mapping[str, float]
    """Of CPU time, by who had it, for each run."""
    doings: Counter[str] = field(default_factory=Counter)
    """How often a session of PostgreSQL was seen doing what."""

    def share(self, doing: str) -> float:
        """Return it in hundredths."""
        return 100 * self.doings[doing] / max(self.doings.total(), 1)


def counts() -> list[int]:
    """Return how many workers there are to be, one after the other: twice the cores at most."""
    most = min(8, max(4, os.cpu_count() or 1))
    return [number for number in (1, 2, 4, 8) if number <= most]


def measure(repeats: int) -> Sequence[Contest]:
    """Let ever more workers work the queue off, again and again."""
    _set_up()
    seen: dict[tuple[str, int], list[Watch]] = {}
    for _ in range(repeats):
        for number in counts():
            with _workers(number) as pids:
                for path, topic in PATHS.items():
                    watch = _worked_off(topic, pids)
                    print(f"{path}, {number}: {watch.rate:.0f}/s", file=sys.stderr, flush=True)
                    seen.setdefault((path, number), []).append(watch)
    return [*_rates(seen), *_shares(seen), *_doings(seen)]


Seen = Mapping[tuple[str, int], Sequence[Watch]]


def _rates(seen: Seen) -> list[Contest]:
    return [
        Contest(
            work=path,
            unit="runs/s",
            more_is_better=True,
            figures={
                _named(number): [each.rate for each in seen[path, number]] for number in counts()
            },
        )
        for path in PATHS
    ]


def _shares(seen: Seen) -> list[Contest]:
    """Return who had how much CPU time."""
    return [
        Contest(
            work=f"{path}, {_named(number)}",
            unit="CPU of a run, µs",
            figures={
                who: [1e6 * each.seconds[who] for each in watches] for who in watches[0].seconds
            },
        )
        for (path, number), watches in seen.items()
    ]


def _doings(seen: Seen) -> list[Contest]:
    """Return what the sessions did, on the path that has some."""
    return [
        Contest(
            work=f"{path}, {_named(number)}",
            unit="PostgreSQL's sessions, % of the time",
            figures={doing: [each.share(doing) for each in watches] for doing in DOINGS},
        )
        for (path, number), watches in seen.items()
        if PATHS[path] == "kept"
    ]


def _named(number: int) -> str:
    return f"{number} worker{'s' if number > 1 else ''}"


def _set_up() -> None:
    """Have servers, and be a process of the project, which fills the queue."""
    from tests.servers import fresh_postgresql, fresh_redis

    os.environ["DJANGO_SETTINGS_MODULE"] = f"{PROJECT}.settings"
    os.environ.update(DATABASE_URL=fresh_postgresql(), REDIS_URL=fresh_redis())
    import django
    from django.core.management import call_command

    django.setup()
    __import__(f"{PROJECT}.celery")
    call_command("migrate", verbosity=0)


@contextmanager
def _workers(number: int) -> Iterator[list[int]]:
    """Have so many workers, all ready; give the pids of their main processes."""
    command = ["celery", "-A", f"{PROJECT}.celery", "worker", "--concurrency=1"]
    quiet = ["--loglevel=error", "--without-gossip", "--without-mingle"]
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", *command, *quiet, f"--hostname=w{each}@benchmark"],
            cwd=report.PROJECT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for each in range(number)
    ]
    try:
        _await_all(number)
        yield [each.pid for each in workers]
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait()


def _await_all(number: int) -> None:
    from motia_django.celery_app import project_app

    until = time.monotonic() + PATIENCE
    while len(project_app().control.ping(timeout=1, limit=number)) < number:
        if time.monotonic() > until:
            raise TimeoutError(f"fewer than {number} workers answer")


def _worked_off(topic: str, pids: Sequence[int]) -> Watch:
    """Fill the queue while nobody hears it, release it, and watch."""
    control = _control()
    with _redis() as redis:
        control.cancel_consumer(QUEUE, reply=True, timeout=5)
        _fill(redis, topic)
        redis.rename(QUEUE, HELD)
        control.add_consumer(QUEUE, reply=True, timeout=5)
        return _watched(redis, pids)


def _fill(redis: Any, topic: str) -> None:
    """Put the messages into the queue, in lists that are sent at once."""
    from motia_django import enqueue

    for begin in range(0, RUNS, LIST):
        enqueue([{"topic": topic, "data": {}} for _ in range(LIST)])
        until = time.monotonic() + PATIENCE
        while redis.llen(QUEUE) < begin + LIST:
            if time.monotonic() > until:
                raise TimeoutError("the queue is not filled")
            time.sleep(0.005)


def _watched(redis: Any, pids: Sequence[int]) -> Watch:
    sessions: Counter[str] = Counter()
    over = threading.Event()
    looking = threading.Thread(target=_look, args=(sessions, over))
    looking.start()
    redis.rename(HELD, QUEUE)
    _await_length(redis, RUNS * MIDDLE[0])
    before, began = _cpu(redis, pids), time.perf_counter()
    at_first = redis.llen(QUEUE)
    _await_length(redis, RUNS * MIDDLE[1])
    after, ended = _cpu(redis, pids), time.perf_counter()
    done = at_first - redis.llen(QUEUE)
    _await_length(redis, 0)
    over.set()
    looking.join()
    seconds = {who: (after[who] - before[who]) / done for who in before}
    return Watch(rate=done / (ended - began), seconds=seconds, doings=sessions)


def _await_length(redis: Any, most: float) -> None:
    """Wait until no more than that is left in the queue."""
    until = time.monotonic() + PATIENCE
    while redis.llen(QUEUE) > most:
        if time.monotonic() > until:
            raise TimeoutError("the queue is not worked off")
        time.sleep(0.005)


def _cpu(redis: Any, pids: Sequence[int]) -> dict[str, float]:
    """Return the CPU seconds that each has had so far."""
    parents = [psutil.Process(pid) for pid in pids]
    children = [child for each in parents for child in each.children(recursive=True)]
    return {
        "workers' main processes": sum(map(_seconds, parents)),
        "workers' processes for runs": sum(map(_seconds, children)),
        "PostgreSQL": sum(map(_seconds, _postgresql())),
        "Redis": _seconds(psutil.Process(redis.info("server")["process_id"])),
    }


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _postgresql() -> list[psutil.Process]:
    """Return the server's processes."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        own = psutil.Process(cursor.fetchone()[0])
    server = own.parent()
    assert server is not None
    return [each for each in server.children() if each.pid != own.pid]


def _look(sessions: Counter[str], over: threading.Event) -> None:
    """Look at PostgreSQL's sessions again and again."""
    from django.db import connection

    with connection.cursor() as cursor:
        while not over.wait(PAUSE):
            cursor.execute(SESSIONS)
            sessions.update(doing for (doing,) in cursor.fetchall())
    connection.close()


def _redis() -> Any:
    from redis import Redis

    return Redis.from_url(os.environ["REDIS_URL"])


def _control() -> Any:
    from motia_django.celery_app import project_app

    return project_app().control


def main() -> int:
    """Be the command."""
    return contests.run("workers", __doc__, PACKAGES, measure)


if __name__ == "__main__":
    raise SystemExit(main())
