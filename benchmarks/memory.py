"""What memory a Celery worker and a web process take, beside the same project without motia_django.

    python -m benchmarks.memory

starts gunicorn and a worker with one child each, and a worker with four children, has them take an
order and work on some, which both keep in a table of the project's, looks at how many MB of the
machine's memory are theirs, and ends them. What processes share is counted once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from urllib.request import Request, urlopen

import psutil

from benchmarks import contests
from benchmarks.contests import OURS, Contest, Goal, Turn, in_turns
from benchmarks.streams import free_port

PACKAGES = ("django", "djangorestframework", "celery", "gunicorn", "pydantic", "psycopg", "redis")
PROJECT = "benchmarks.contenders.memory"
SCHEMAS = {"serializers": "serializers", "pydantic": "shapes"}
"""The modules that check an order, by what they do it with."""
WITHOUT = "without motia_django"
GOALS = [
    *(Goal(ours=f"{OURS}, {kind}", beside=f"{WITHOUT}, {kind}", plus=15) for kind in SCHEMAS),
    Goal(ours=f"{OURS}, pydantic", beside=f"{WITHOUT}, serializers", plus=15),
]
ORDER = json.dumps({"title": "a lamp"}).encode()


def measure(repeats: int) -> list[Contest]:
    """Weigh the project with and without, on PostgreSQL and Redis."""
    from tests import servers

    os.environ |= {
        "DJANGO_SETTINGS_MODULE": f"{PROJECT}.settings",
        "BENCHMARK_DATABASE": json.dumps(
            {**servers.postgresql_settings("memory"), "OPTIONS": servers.PREPARED}
        ),
        "BENCHMARK_BROKER": servers.fresh_redis(),
    }
    migrate = [sys.executable, "-m", "django", "migrate", "--run-syncdb", "--verbosity=0"]
    subprocess.run(migrate, env={**os.environ, **_environment("1", "serializers")}, check=True)
    contenders = {
        f"{name}, {kind}": _environment(motia, schema)
        for name, motia in ((OURS, "1"), (WITHOUT, ""))
        for kind, schema in SCHEMAS.items()
    }
    found: dict[str, dict[str, list[float]]] = {}
    for work, weigh in (
        ("a worker", partial(_worker, 1)),
        ("a worker with 4 children", partial(_worker, 4)),
        ("a web process", _web),
    ):
        turns: dict[str, Turn] = {name: partial(weigh, on) for name, on in contenders.items()}
        found[work] = in_turns(turns, repeats)
    return [
        Contest(work=work, unit="MB", figures=figures, goals=GOALS)
        for work, figures in found.items()
    ]


def _environment(motia: str, schema: str) -> dict[str, str]:
    """Return what says how the project is."""
    return {"BENCHMARK_MOTIA": motia, "BENCHMARK_SCHEMA": schema}


def _web(project: Mapping[str, str]) -> float:
    """Return what gunicorn with one worker takes that has served an order."""
    port = free_port()
    command = ("gunicorn", "--bind", f"127.0.0.1:{port}", "--log-level", "error")
    with _running((*command, f"{PROJECT}.wsgi"), project) as server:
        path = "steps/orders" if project["BENCHMARK_MOTIA"] else "orders"
        _insist(partial(_post, f"http://127.0.0.1:{port}/{path}"))
        return _weight(server)


def _worker(children: int, project: Mapping[str, str]) -> float:
    """Return what a worker with so many children takes, each of which has worked on an order."""
    command = ("celery", "-q", "-A", PROJECT, "worker", "-c", f"{children}")
    with _running(command, project) as worker:
        send = [sys.executable, "-m", f"{PROJECT}.sending", f"{1 if children == 1 else 100}"]
        subprocess.run(send, env={**os.environ, **project}, check=True)
        return _weight(worker)


@contextmanager
def _running(command: Sequence[str], project: Mapping[str, str]) -> Iterator[psutil.Process]:
    environment = {**os.environ, **project}
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-m", *command], env=environment)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def _post(url: str) -> None:
    request = Request(url, ORDER, {"Content-Type": "application/json"})
    with urlopen(request, timeout=30) as answer:
        assert answer.status == 201, answer.status


def _insist(act: Callable[[], None]) -> None:
    """Do it once it can be done; raise what keeps it from that for half a minute."""
    deadline = time.monotonic() + 30
    while True:
        try:
            act()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def _weight(process: psutil.Process) -> float:
    """Return the MB of a process and its children, each page divided by those who share it."""
    family = [process, *process.children(recursive=True)]
    return sum(each.memory_full_info().pss for each in family) / 1e6


def main() -> int:
    """Measure and print."""
    return contests.run("memory", __doc__, PACKAGES, measure)


if __name__ == "__main__":
    raise SystemExit(main())
