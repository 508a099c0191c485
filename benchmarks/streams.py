"""How soon, and whether, browsers hear what is written, beside what else Django has for that.

    python -m benchmarks.streams

One uvicorn worker serves, another process writes, and every client hears every event: each write
is as many events as there are clients. The delay is from before the write to the bytes' arrival in
this process, which plays all the clients and shares the machine. The contenders take turns; of
several turns the one whose median is the middle one counts. Those that are not installed (the extra
`bench`) are left out.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks import report
from benchmarks.clients import heard
from benchmarks.contenders import CONTENDERS, Contender
from tests.servers import fresh_postgresql, fresh_redis

ROOT = Path(__file__).resolve().parents[1]
SENT = re.compile(rb'"customer": ?"([\d.]+)"')
COLUMNS = (
    "",
    "half within",
    "99 % within",
    "lost",
    "CPU an event",
    "kB a client",
    "joins a second",
)
PACKAGES = ("django", "uvicorn", "redis", "django-eventstream", "channels", "channels-redis")
PATIENCE = 120
SETTLING = 1.0
"""Seconds between the last client's joining and the first write."""


@dataclass
class Result:
    """What was measured in one turn of a contender."""

    contender: Contender
    expected: int
    delays: list[float] = field(default_factory=list)
    memory: float = 0.0
    """kB a client."""
    joins: float = 0.0
    """A second."""
    cpu: float = 0.0
    """Seconds of the server's process while it told the events."""

    def within(self, part: float) -> float:
        """Return the milliseconds within which this part of what was heard was heard."""
        ordered = sorted(self.delays)
        return 1000 * ordered[int(len(ordered) * part)] if ordered else float("inf")

    @property
    def lost(self) -> int:
        """How many events were not heard."""
        return self.expected - len(self.delays)

    @property
    def cpu_of_an_event(self) -> float:
        """Microseconds that telling one client one event took."""
        return 1e6 * self.cpu / self.expected


async def client(contender: Contender, port: int, joined: asyncio.Event, result: Result) -> None:
    """Follow, and note when each event is heard."""
    known = set()
    async for line in heard(contender, port):
        if found := SENT.search(line):
            if found[1] not in known:
                result.delays.append(time.time() - float(found[1]))
            known.add(found[1])
        elif contender.joined in line:
            joined.set()


async def measure(contender: Contender, port: int, server: psutil.Process, options: Any) -> Result:
    """Connect the clients, have round after round written, and wait for what is heard."""
    result = Result(contender, expected=options.clients * options.rounds)
    before = server.memory_info().rss
    tasks = await _joined(contender, port, result, options.clients)
    await asyncio.sleep(SETTLING)
    result.memory = (server.memory_info().rss - before) / options.clients / 1024
    cpu = _busy(server)
    await _write(contender, options)
    end = time.monotonic() + 10
    while result.lost and time.monotonic() < end:
        await asyncio.sleep(0.05)
    result.cpu = _busy(server) - cpu
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return result


async def _joined(
    contender: Contender, port: int, result: Result, clients: int
) -> list[asyncio.Task[None]]:
    """Have all clients come at once, but for their connecting one after the other."""
    events = [asyncio.Event() for _ in range(clients)]
    tasks = []
    began = time.monotonic()
    for event in events:
        tasks.append(asyncio.create_task(client(contender, port, event, result)))
        await asyncio.sleep(0.001)
    await asyncio.wait_for(asyncio.gather(*(each.wait() for each in events)), PATIENCE)
    result.joins = clients / (time.monotonic() - began)
    return tasks


async def _write(contender: Contender, options: Any) -> None:
    """Have another process write each round."""
    writer = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.writing", contender.folder),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert writer.stdin is not None
    assert writer.stdout is not None
    await writer.stdout.readline()
    for number in range(options.rounds):
        writer.stdin.write(f"{number}\n".encode())
        await writer.stdout.readline()
        await asyncio.sleep(options.pause)
    writer.stdin.close()
    await writer.wait()


def _busy(server: psutil.Process) -> float:
    times = server.cpu_times()
    return float(times.user + times.system)


@contextmanager
def served(application: str, port: int) -> Iterator[psutil.Process]:
    """Serve an application by one uvicorn worker."""
    command = ["uvicorn", "--port", str(port), "--no-access-log", "--log-level", "error"]
    with listening([sys.executable, "-m", *command, f"{application}:application"], port) as process:
        yield process


@contextmanager
def listening(command: list[str], port: int) -> Iterator[psutil.Process]:
    """Run a server for the block, from when it listens on its port."""
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def turn(contender: Contender, options: Any) -> Result:
    """Measure a contender once, with servers' databases of its own."""
    with tempfile.TemporaryDirectory() as folder, _environment(contender, folder):
        subprocess.run(
            [sys.executable, "-m", "django", "migrate", "--verbosity", "0"], cwd=ROOT, check=True
        )
        port = free_port()
        with served(contender.asgi, port) as server:
            return asyncio.run(measure(contender, port, server, options))


@contextmanager
def _environment(contender: Contender, folder: str) -> Iterator[None]:
    """Let the processes that are started find a contender's settings and servers."""
    before = dict(os.environ)
    module = f"benchmarks.contenders.{contender.folder}.{contender.settings}"
    os.environ.update(DJANGO_SETTINGS_MODULE=module, SAMPLE_DATA=folder)
    if contender.wake == "redis":
        os.environ["REDIS_URL"] = fresh_redis()
    if contender.wake == "postgresql":
        os.environ["DATABASE_URL"] = fresh_postgresql()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def middle(results: Sequence[Result]) -> Result:
    """Return the turn whose median is the middle one."""
    return sorted(results, key=lambda each: each.within(0.5))[len(results) // 2]


def rows(results: Sequence[Result]) -> list[list[str]]:
    """Return a line for each contender, with ratios to the first one."""
    first = results[0]

    def cell(result: Result, number: float, base: float, unit: str = "") -> str:
        ratio = "" if result is first else f" ({number / base:.1f} x)"
        return f"{number:.0f}{unit}{ratio}"

    return [
        [
            each.contender.name,
            cell(each, each.within(0.5), first.within(0.5), " ms"),
            cell(each, each.within(0.99), first.within(0.99), " ms"),
            f"{each.lost:,} of {each.expected:,}",
            cell(each, each.cpu_of_an_event, first.cpu_of_an_event, " µs"),
            cell(each, each.memory, first.memory),
            cell(each, each.joins, first.joins),
        ]
        for each in results
    ]


def measured(names: Sequence[str], options: Any) -> list[Result]:
    """Let the contenders take turns; those that are not installed are left out, which is said."""
    found: dict[str, list[Result]] = {}
    for number in range(options.times):
        for name in names:
            contender = CONTENDERS[name]
            if contender.missing:
                if number == 0:
                    absent = ", ".join(contender.missing)
                    print(f"{contender.name}: left out, for want of {absent}", file=sys.stderr)
                continue
            result = turn(contender, options)
            print(f"{name}: {result.within(0.5):.0f} ms", file=sys.stderr, flush=True)
            found.setdefault(name, []).append(result)
    return [middle(each) for each in found.values()]


def main() -> int:
    """Measure, and print what came of it; 1 if anything of ours was lost."""
    parser = argparse.ArgumentParser("python -m benchmarks.streams", description=__doc__)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--pause", type=float, default=0.25, help="seconds between two writes")
    parser.add_argument("--times", type=int, default=3, help="turns of each contender")
    parser.add_argument("--only", default=",".join(CONTENDERS), help="of these, in this order")
    parser.add_argument("--write-docs", action="store_true", help=f"into docs/{report.PAGE.name}")
    options = parser.parse_args()
    machine = report.machine(*PACKAGES)
    results = measured(options.only.split(","), options)
    work = f"{options.clients:,} clients, {options.rounds} writes, {options.pause} s apart"
    said = f"{work}; turns of each: {options.times}.\n{machine}."
    text = f"{said}\n\n{report.table(COLUMNS, rows(results))}"
    print(text)
    if options.write_docs:
        report.write("streams", text)
    return int(any(each.lost for each in results if each.contender.folder == "motia"))


if __name__ == "__main__":
    raise SystemExit(main())
