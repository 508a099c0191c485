"""The tutorial's Todo API by ours and by Motia 0.17: requests/s and background events/s.

    python -m benchmarks.tutorial

POST /todos stores the todo as state and enqueues a message; a second Step hears it, reads the todo
and writes a line to a file. Four clients post as fast as they are answered; the events are counted
from the first POST to the last line. Each request has a connection of its own, and is written and
read as bytes: the clients share the cores with whom they ask.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import contests
from benchmarks.contenders.tutorial import servers
from benchmarks.contests import OURS, Contest, Goal

PACKAGES = ("django", "celery", "gunicorn", "psycopg", "redis", "amqp")
REDIS, RABBITMQ, SOLO, LIGHT = OURS_ALL = (
    f"{OURS}, Redis",
    f"{OURS}, RabbitMQ",
    f"{OURS}, Redis, --pool=solo",
    f"{OURS}, light path",
)
PYTHON = "Motia, Python Steps"
JAVASCRIPT = "Motia, JavaScript Steps"
CLIENTS = 4
WARM = 4
PATIENCE = 120
TIMES = 50
HEAD = (
    b"POST /todos HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """A Todo API that is being served."""

    port: int
    done: Path
    """The file with a line for each event that was processed."""
    posts: int
    """In one turn."""

    def turn(self, posts: int) -> tuple[float, float]:
        """Make so many POSTs and wait for their events; return how many a second of each."""
        before, began = self.events(), time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as clients:
            list(clients.map(self.post, range(posts)))
        answered = time.perf_counter()
        self.await_events(before + posts)
        return posts / (answered - began), posts / (time.perf_counter() - began)

    def post(self, number: int) -> None:
        """Make one; raise `ValueError` unless it was answered well."""
        body = json.dumps({"title": f"Todo {number}", "description": "of a benchmark"}).encode()
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            connection.sendall(HEAD % len(body) + body)
            answer = b"".join(iter(partial(connection.recv, 65536), b""))
        if not answer.startswith(b"HTTP/1.1 201 "):
            raise ValueError(f"POST /todos: {answer[:500]!r}")

    def events(self) -> int:
        """Return how many have been processed."""
        return self.done.read_bytes().count(b"\n")

    def await_events(self, number: int) -> None:
        """Wait until so many have been processed."""
        until = time.monotonic() + PATIENCE
        while self.events() < number:
            if time.monotonic() > until:
                raise TimeoutError(f"{self.events()} of {number} events were processed")
            time.sleep(0.005)


Serve = Callable[[Path], AbstractContextManager[int]]


def contenders() -> dict[str, tuple[Serve, int]]:
    """Return how each is served, and how many POSTs a turn of it has."""
    named: dict[str, tuple[Serve, int]] = {
        REDIS: (servers.ours, 500),
        RABBITMQ: (partial(servers.ours, rabbitmq=True), 500),
        SOLO: (partial(servers.ours, pool=("--pool=solo",)), 500),
        LIGHT: (partial(servers.ours, light=True), 500),
    }
    try:
        servers.installed()
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"Motia: left out, for want of Node or of the package: {error}", file=sys.stderr)
        return named
    return {
        **named,
        PYTHON: (partial(servers.motia, "python"), 16),
        JAVASCRIPT: (partial(servers.motia, "javascript"), 16),
    }


@contextmanager
def served() -> Iterator[dict[str, Api]]:
    """Serve all of them at once, each warm; who is not asked does nothing."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        apis = {}
        for number, (name, (serve, posts)) in enumerate(contenders().items()):
            done = Path(folder, str(number))
            done.touch()
            port = stack.enter_context(serve(done))
            apis[name] = Api(port=port, done=done, posts=posts)
            apis[name].turn(WARM)
        yield apis


def measure(repeats: int) -> Sequence[Contest]:
    """Let each serve in turns."""
    requests: dict[str, list[float]] = {}
    events: dict[str, list[float]] = {}
    with served() as apis:
        for _ in range(repeats):
            for name, api in apis.items():
                answered, processed = api.turn(api.posts)
                print(f"{name}: {answered:.1f} and {processed:.1f}", file=sys.stderr, flush=True)
                requests.setdefault(name, []).append(answered)
                events.setdefault(name, []).append(processed)
    goals = [
        Goal(beside=other, ours=mine, as_fast=TIMES)
        for mine in OURS_ALL
        for other in (PYTHON, JAVASCRIPT)
        if other in requests
    ]
    works = {"POST /todos": ("requests/s", requests), "its background Step": ("events/s", events)}
    return [
        Contest(work=work, unit=unit, more_is_better=True, figures=figures, goals=goals)
        for work, (unit, figures) in works.items()
    ]


def main() -> int:
    """Be the command."""
    return contests.run("tutorial", __doc__, PACKAGES, measure)


if __name__ == "__main__":
    raise SystemExit(main())
