"""What a POST with a validated body costs as a Step, beside the same endpoint written otherwise.

    python -m benchmarks.http

One gunicorn worker of the kind `sync`, then one uvicorn worker, serve all contenders from the same
process; `wrk` asks one contender after the other, with four connections. The history is in
PostgreSQL. Where the work is to write and to enqueue, the messages go to Redis, and nobody works
them off.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from benchmarks import contests, report
from benchmarks.contests import Contest, Goal
from benchmarks.streams import free_port, listening

PACKAGES = ("django", "djangorestframework", "django-ninja", "pydantic", "gunicorn", "uvicorn")
PROJECT = "benchmarks.contenders.http"
COMMANDS = {
    "gunicorn": ["gunicorn", "--workers=1", "--log-level=error", "--bind=127.0.0.1:{port}"],
    "uvicorn": ["uvicorn", "--no-access-log", "--log-level=error", "--port={port}"],
}
APPLICATIONS = {"gunicorn": f"{PROJECT}.wsgi", "uvicorn": f"{PROJECT}.asgi:application"}

KEPT = "Step, history on"
LIGHT = "Step, history off"
SERIALIZER = "REST framework, Serializer"
MODEL = "REST framework, pydantic"
NINJA = "django-ninja"
PLAIN = "Django, pydantic, orjson"
PATHS = {
    KEPT: "kept",
    SERIALIZER: "serializer",
    LIGHT: "light",
    MODEL: "model",
    NINJA: "ninja",
    PLAIN: "plain",
}
WRITES = {"Step": "writes/step", "REST framework": "writes/view"}
GOALS = {
    3: (
        Goal(ours=KEPT, beside=SERIALIZER, as_fast=1.3),
        Goal(ours=LIGHT, beside=MODEL, as_fast=1.0),
        Goal(ours=LIGHT, beside=NINJA, as_fast=1.0),
        Goal(ours=LIGHT, beside=PLAIN, as_fast=0.75),
    ),
    60: (
        Goal(ours=KEPT, beside=SERIALIZER, as_fast=2.5),
        Goal(ours=LIGHT, beside=MODEL, as_fast=1.0),
        Goal(ours=LIGHT, beside=NINJA, as_fast=1.0),
        Goal(ours=LIGHT, beside=PLAIN, as_fast=0.75),
    ),
}
WRITES_GOALS = (Goal(ours="Step", beside="REST framework", as_fast=1 / 1.15),)
SECONDS = 2
CONNECTIONS = 4


def measure(repeats: int) -> list[Contest]:
    """Let each server serve each contender."""
    found = []
    with environment():
        for server in COMMANDS:
            with served(server) as port, tempfile.TemporaryDirectory() as folder:
                for fields, goals in GOALS.items():
                    paths = {name: f"{path}/{fields}" for name, path in PATHS.items()}
                    work = f"POST of {fields} fields, {server}"
                    found += asked(port, work, paths, _body(fields), goals, repeats, Path(folder))
                work, body = f"POST that writes and enqueues, {server}", _body(3)
                found += asked(port, work, WRITES, body, WRITES_GOALS, repeats, Path(folder))
    return found


def asked(
    port: int,
    work: str,
    paths: Mapping[str, str],
    body: str,
    goals: Sequence[Goal],
    repeats: int,
    folder: Path,
) -> list[Contest]:
    """Ask each contender in turns; return how many requests a second it was, and the median."""
    known = {name: path for name, path in paths.items() if _answers(port, path, body)}
    script = folder / "post.lua"
    script.write_text(
        f'wrk.method = "POST"\nwrk.body = {json.dumps(body)}\n'
        'wrk.headers["Content-Type"] = "application/json"\n'
    )
    rates: dict[str, list[float]] = {name: [] for name in known}
    medians: dict[str, list[float]] = {name: [] for name in known}
    for turn in range(repeats + 1):
        for name, path in known.items():
            rate, median = _pressed(f"http://127.0.0.1:{port}/{path}", script)
            if turn:  # the first is to get warm
                rates[name].append(rate)
                medians[name].append(median)
    wanted = [each for each in goals if each.beside in known]
    return [
        Contest(work=work, unit="requests/s", more_is_better=True, figures=rates, goals=wanted),
        Contest(work=f"{work}, p50", unit="ms", figures=medians, goals=wanted),
    ]


def _pressed(address: str, script: Path) -> tuple[float, float]:
    """Ask for some seconds as fast as it is answered; return requests a second, and p50 in ms."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", "-s", str(script)]
    done = subprocess.run([*command, address], capture_output=True, text=True, check=True)
    if "Non-2xx" in done.stdout:
        raise ValueError(f"{address}: {done.stdout}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    median = re.search(r"50%\s+([\d.]+)(us|ms|s)", done.stdout)
    assert rate is not None, done.stdout
    assert median is not None, done.stdout
    return float(rate[1]), float(median[1]) * {"us": 0.001, "ms": 1, "s": 1000}[median[2]]


def _answers(port: int, path: str, body: str) -> bool:
    """Return whether a contender is there; raise if it answers otherwise than the others."""
    address = f"http://127.0.0.1:{port}/{path}"
    asks = Request(address, body.encode(), {"Content-Type": "application/json"})
    try:
        with urlopen(asks) as answer:
            said = json.load(answer)
    except HTTPError as error:
        if error.code != 404:
            raise
        print(f"{path}: left out, it is not installed", file=sys.stderr)
        return False
    if said != {"id": "todo-17", "title": "Buy milk", "priority": 1, "done": False}:
        raise ValueError(f"{path} answers {said}")
    return True


def _body(fields: int) -> str:
    from benchmarks.contenders.http.shapes import ORDER, TODO

    return json.dumps(TODO if fields == len(TODO) else ORDER)


@contextmanager
def environment() -> Iterator[None]:
    """Let the processes that are started find their servers, and the tables made."""
    from tests import servers

    database = {**servers.postgresql_settings("benchmark_http"), "CONN_MAX_AGE": None}
    known = {
        "DJANGO_SETTINGS_MODULE": f"{PROJECT}.settings",
        "BENCHMARK_DATABASE": json.dumps(database),
        "BENCHMARK_BROKER": servers.fresh_redis(),
    }
    before = dict(os.environ)
    os.environ.update(known)
    migrate = [sys.executable, "-m", "django", "migrate", "--run-syncdb", "--verbosity=0"]
    try:
        subprocess.run(migrate, cwd=report.PROJECT, check=True)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def served(server: str) -> Iterator[int]:
    """Serve the project by one worker; give its port."""
    port = free_port()
    command = [each.format(port=port) for each in [*COMMANDS[server], APPLICATIONS[server]]]
    with listening([sys.executable, "-m", *command], port):
        yield port


def main() -> int:
    """Measure and print; 1 if a goal is missed."""
    return contests.run("http", __doc__, PACKAGES, measure)


if __name__ == "__main__":
    raise SystemExit(main())
