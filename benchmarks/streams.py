"""How soon, and whether, browsers hear what is written: `python -m benchmarks.streams`.

One uvicorn worker serves the sample project; every client follows the group that is written to, so
each write is as many events as there are clients. The delay is from before the write to the bytes'
arrival in this process, which plays all the clients and shares the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.servers import fresh_postgresql, fresh_redis

ROOT = Path(__file__).resolve().parents[1]
SENT = re.compile(rb'"customer":"([\d.]+)"')
PATH = "/streams/orders/board/"


@dataclass
class Result:
    """What was measured."""

    delays: list[float] = field(default_factory=list)
    expected: int = 0
    memory: float = 0.0
    seconds_to_join: float = 0.0
    cpu: float = 0.0

    def __str__(self) -> str:
        ordered = sorted(self.delays)
        p50, p99 = (1000 * ordered[int(len(ordered) * part)] for part in (0.5, 0.99))
        lost = self.expected - len(ordered)
        mean = 1000 * statistics.fmean(ordered)
        return (
            f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, mean {mean:.0f} ms, worst"
            f" {1000 * ordered[-1]:.0f} ms; {lost} lost of {self.expected};"
            f" {self.memory:.0f} kB per client; all joined in {self.seconds_to_join:.1f} s;"
            f" server busy for {self.cpu:.1f} s"
        )


async def client(port: int, joined: asyncio.Event, result: Result, rounds: int) -> None:
    """Follow the group until every round was heard."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    heard = 0
    try:
        while heard < rounds:
            line = await reader.readline()
            if not line:
                return
            if b'"type":"sync"' in line:
                joined.set()
            elif found := SENT.search(line):
                result.delays.append(time.time() - float(found[1]))
                heard += 1
    finally:
        writer.close()


async def measure(port: int, server: psutil.Process, options: Any) -> Result:
    """Connect the clients, write round after round, and wait for what is heard."""
    result = Result(expected=options.clients * options.rounds)
    before = server.memory_info().rss
    events = [asyncio.Event() for _ in range(options.clients)]
    began = time.monotonic()
    tasks = []
    for event in events:
        tasks.append(asyncio.create_task(client(port, event, result, options.rounds)))
        await asyncio.sleep(0.002)
    await asyncio.wait_for(asyncio.gather(*(each.wait() for each in events)), 120)
    result.seconds_to_join = time.monotonic() - began
    result.memory = (server.memory_info().rss - before) / options.clients / 1024
    cpu = server.cpu_times()
    for number in range(options.rounds):
        await asyncio.to_thread(write, number)
        await asyncio.sleep(options.pause)
    await asyncio.wait(tasks, timeout=10)
    after = server.cpu_times()
    result.cpu = after.user + after.system - cpu.user - cpu.system
    for task in tasks:
        task.cancel()
    return result


def write(number: int) -> None:
    """Write one item, its time of writing in it."""
    from motia_django import streams

    value = {"customer": f"{time.time():.6f}", "amount": number, "status": "paid"}
    streams.orders.set("board", str(number % 10), value)


@contextmanager
def served(port: int, environment: dict[str, str]) -> Iterator[psutil.Process]:
    """Serve the sample project by one uvicorn worker."""
    command = ["uvicorn", "--port", str(port), "--no-access-log", "--log-level", "warning"]
    process = subprocess.Popen(
        [sys.executable, "-m", *command, "sample_project.asgi:application"],
        cwd=ROOT,
        env=environment,
    )
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


def main() -> None:
    """Measure, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--pause", type=float, default=0.25, help="seconds between two writes")
    parser.add_argument("--wake", choices=["redis", "postgresql", "poll"], default="redis")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "benchmarks.stream_settings",
            "SAMPLE_DATA": folder,
        }
        if options.wake == "redis":
            environment["REDIS_URL"] = fresh_redis()
        if options.wake == "postgresql":
            environment["DATABASE_URL"] = fresh_postgresql()
        os.environ.update(environment)
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        port = free_port()
        with served(port, environment) as server:
            print(f"{options.wake}, {options.clients} clients:", end=" ", flush=True)
            print(asyncio.run(measure(port, server, options)))


if __name__ == "__main__":
    main()
