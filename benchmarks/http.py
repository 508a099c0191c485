"""What a POST with a validated body costs as a Step, beside the same endpoint written otherwise.

    python -m benchmarks.http

Each contender is served by one gunicorn worker of the kind `sync`, then by one uvicorn worker;
`wrk` asks one contender after the other, with four connections. Steps are served by our
applications, and by Django's own once more. The history is in PostgreSQL. Where the work is to
write and to enqueue, the messages go to Redis, and nobody works them off.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shutil import which
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
BY_DJANGO = "Step, history off, Django's handler"
MODEL = "REST framework, pydantic"
NINJA = "django-ninja"
PLAIN = "Django, pydantic, orjson"
PATHS = {
    KEPT: ("steps", "kept/{fields}"),
    SERIALIZER: ("serializer", "{fields}"),
    LIGHT: ("steps", "light/{fields}"),
    BY_DJANGO: ("steps_by_django", "light/{fields}"),
    MODEL: ("model", "{fields}"),
    NINJA: ("ninja", "{fields}"),
    PLAIN: ("plain", "{fields}"),
}
"""Of each contender the process that serves it, and where."""
WRITES = {"Step": ("steps", "writes"), "REST framework": ("serializer", "writes")}
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
SECONDS = 1
CONNECTIONS = 4


def measure(repeats: int) -> list[Contest]:
    """Let each server serve each contender."""
    found = []
    with environment(), tempfile.TemporaryDirectory() as folder:
        for server in COMMANDS:
            with served(server) as ports:
                for fields, goals in GOALS.items():
                    asks = Asks(ports=ports, folder=Path(folder), body=_body(fields))
                    work = f"POST of {fields} fields, {server}"
                    found += asked(asks, work, asks.addresses(PATHS, fields), goals, repeats)
                asks = Asks(ports=ports, folder=Path(folder), body=_body(3))
                work = f"POST that writes and enqueues, {server}"
                found += asked(asks, work, asks.addresses(WRITES), WRITES_GOALS, repeats)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Asks:
    """A body that is posted, and to whom."""

    ports: Mapping[str, int]
    """Of each process that serves contenders."""
    folder: Path
    body: str

    def addresses(
        self, paths: Mapping[str, tuple[str, str]], fields: int | None = None
    ) -> dict[str, str]:
        """Return the address of each contender that is there; raise if one answers otherwise."""
        found = {
            name: f"http://127.0.0.1:{self.ports[process]}/{path.format(fields=fields)}"
            for name, (process, path) in paths.items()
            if process in self.ports
        }
        for address in found.values():
            self._check(address)
        return found

    def script(self) -> Path:
        """Return what tells `wrk` to post it."""
        script = self.folder / "post.lua"
        script.write_text(
            f'wrk.method = "POST"\nwrk.body = {json.dumps(self.body)}\n'
            'wrk.headers["Content-Type"] = "application/json"\n'
        )
        return script

    def _check(self, address: str) -> None:
        asks = Request(address, self.body.encode(), {"Content-Type": "application/json"})
        with urlopen(asks) as answer:
            said = json.load(answer)
        if said != {"id": "todo-17", "title": "Buy milk", "priority": 1, "done": False}:
            raise ValueError(f"{address} answers {said}")


def asked(
    asks: Asks, work: str, addresses: Mapping[str, str], goals: Sequence[Goal], repeats: int
) -> list[Contest]:
    """Ask each contender in turns; return how many requests a second it was, and the median."""
    script = asks.script()
    rates: dict[str, list[float]] = {name: [] for name in addresses}
    medians: dict[str, list[float]] = {name: [] for name in addresses}
    for turn in range(repeats + 1):
        for name, address in addresses.items():
            rate, median = _pressed(address, script)
            if turn:  # the first is to get warm
                rates[name].append(rate)
                medians[name].append(median)
    wanted = [each for each in goals if each.beside in addresses]
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


def _body(fields: int) -> str:
    from benchmarks.contenders.http.shapes import ORDER, TODO

    return json.dumps(TODO if fields == len(TODO) else ORDER)


@contextmanager
def environment() -> Iterator[None]:
    """Let the processes that are started find their servers, and the tables made."""
    from tests import servers

    database = {
        **servers.postgresql_settings("benchmark_http"),
        "CONN_MAX_AGE": None,
        "OPTIONS": servers.PREPARED,
    }
    known = {
        "DJANGO_SETTINGS_MODULE": f"{PROJECT}.settings",
        "BENCHMARK_DATABASE": json.dumps(database),
        "BENCHMARK_BROKER": servers.fresh_redis(),
        "BENCHMARK_CONTENDER": "steps",
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
def served(server: str) -> Iterator[dict[str, int]]:
    """Serve each contender that is installed by one worker of its own; give their ports."""
    ports = {}
    with ExitStack() as stack:
        for process in dict.fromkeys(process for process, _ in PATHS.values()):
            if process == "ninja" and find_spec("ninja") is None:
                print(f"{NINJA}: left out, it is not installed", file=sys.stderr)
                continue
            ports[process] = free_port()
            command = [*COMMANDS[server], APPLICATIONS[server]]
            arguments = [each.format(port=ports[process]) for each in command]
            os.environ["BENCHMARK_CONTENDER"] = process
            stack.enter_context(listening([sys.executable, "-m", *arguments], ports[process]))
        yield ports


def main() -> int:
    """Measure and print; 1 if a goal is missed, or if there is nothing to ask with."""
    if which("wrk") is None:
        print(
            "benchmarks.http asks with wrk, which is not here: apt-get install wrk", file=sys.stderr
        )
        return 1
    return contests.run("http", __doc__, PACKAGES, measure)


if __name__ == "__main__":
    raise SystemExit(main())
